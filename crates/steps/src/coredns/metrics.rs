//! What CoreDNS counts (<https://coredns.io/plugins/metrics/>). All of it counts up from the start of the process, so that
//! two readings tell what happened between them, and one what happened since the start.

use std::collections::BTreeMap;

use crate::prometheus::{Histogram, samples};

/// One reading of one replica, or what happened between two.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct DnsMetrics {
    pub(super) version: String,
    /// Unix time of the start, in seconds.
    pub(super) started_s: f64,
    pub(super) memory_bytes: f64,
    pub(super) requests: f64,
    /// By code, such as `NOERROR`.
    pub(super) responses: BTreeMap<String, f64>,
    pub(super) duration: Histogram,
    pub(super) cache_requests: f64,
    pub(super) cache_hits: f64,
    /// Time that the servers took to which CoreDNS forwards.
    pub(super) upstream_duration: Histogram,
    /// Requests refused because too many were being forwarded.
    pub(super) rejects: f64,
    /// Times that no server to forward to was healthy.
    pub(super) no_healthy_upstream: f64,
    pub(super) failed_health_checks: f64,
    pub(super) panics: f64,
    pub(super) failed_reloads: f64,
    /// Answers that the `template` plugin made up.
    pub(super) template_matches: f64,
}

impl DnsMetrics {
    pub(super) fn read(page: &str) -> Self {
        let mut metrics = Self::default();
        for sample in samples(page) {
            let value = sample.value;
            match sample.name {
                "coredns_build_info" => sample.label("version").unwrap_or_default().clone_into(&mut metrics.version),
                "process_start_time_seconds" => metrics.started_s = value,
                "process_resident_memory_bytes" => metrics.memory_bytes = value,
                "coredns_dns_requests_total" => metrics.requests += value,
                "coredns_dns_responses_total" => {
                    let code = sample.label("rcode").unwrap_or_default().to_owned();
                    *metrics.responses.entry(code).or_default() += value;
                }
                "coredns_dns_request_duration_seconds_bucket" => metrics.duration.add(&sample),
                "coredns_cache_requests_total" => metrics.cache_requests += value,
                "coredns_cache_hits_total" => metrics.cache_hits += value,
                // The plugin `forward` counted by itself before 1.11.
                "coredns_proxy_request_duration_seconds_bucket" | "coredns_forward_request_duration_seconds_bucket" => {
                    metrics.upstream_duration.add(&sample);
                }
                "coredns_forward_max_concurrent_rejects_total" => metrics.rejects += value,
                "coredns_forward_healthcheck_broken_total" => metrics.no_healthy_upstream += value,
                "coredns_proxy_healthcheck_failures_total" | "coredns_forward_healthcheck_failures_total" => {
                    metrics.failed_health_checks += value;
                }
                "coredns_panics_total" => metrics.panics += value,
                "coredns_reload_failed_total" => metrics.failed_reloads += value,
                "coredns_template_matches_total" => metrics.template_matches += value,
                _ => {}
            }
        }
        metrics
    }

    /// What happened after an earlier reading; `None` where the process was started anew in between.
    pub(super) fn since(&self, earlier: &Self) -> Option<Self> {
        if self.requests < earlier.requests || (self.started_s - earlier.started_s).abs() > 1.0 {
            return None;
        }
        let mut responses = self.responses.clone();
        for (code, count) in &earlier.responses {
            *responses.entry(code.clone()).or_default() -= count;
        }
        Some(Self {
            version: self.version.clone(),
            started_s: self.started_s,
            memory_bytes: self.memory_bytes,
            requests: self.requests - earlier.requests,
            responses,
            duration: self.duration.since(&earlier.duration),
            cache_requests: self.cache_requests - earlier.cache_requests,
            cache_hits: self.cache_hits - earlier.cache_hits,
            upstream_duration: self.upstream_duration.since(&earlier.upstream_duration),
            rejects: self.rejects - earlier.rejects,
            no_healthy_upstream: self.no_healthy_upstream - earlier.no_healthy_upstream,
            failed_health_checks: self.failed_health_checks - earlier.failed_health_checks,
            panics: self.panics - earlier.panics,
            failed_reloads: self.failed_reloads - earlier.failed_reloads,
            template_matches: self.template_matches - earlier.template_matches,
        })
    }

    /// Adds what another replica counted.
    pub(super) fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        for (code, count) in &other.responses {
            *self.responses.entry(code.clone()).or_default() += count;
        }
        self.duration.merge(&other.duration);
        self.cache_requests += other.cache_requests;
        self.cache_hits += other.cache_hits;
        self.upstream_duration.merge(&other.upstream_duration);
        self.rejects += other.rejects;
        self.no_healthy_upstream += other.no_healthy_upstream;
        self.failed_health_checks += other.failed_health_checks;
        self.panics += other.panics;
        self.failed_reloads += other.failed_reloads;
        self.template_matches += other.template_matches;
    }

    /// The share of answers with this code, in percent; `None` without answers.
    pub(super) fn percent(&self, code: &str) -> Option<f64> {
        let all: f64 = self.responses.values().sum();
        (all > 0.0).then(|| self.responses.get(code).copied().unwrap_or_default() / all * 100.0)
    }
}
