//! The text form of `/clusters`: lines of `cluster::key::value` and `cluster::address::key::value`.
//!
//! IPv6 addresses contain the separator as well, so a line is read from both ends: the cluster's name is known from
//! the lines before, the keys are a closed set.

use std::collections::HashMap;

use super::Error;
use super::clusters_page::{CircuitBreakerThresholds, ClusterStatus, Clusters, EnvoyHost, HostAddress};

const SEPARATOR: &str = "::";

pub(crate) fn parse(page: &str) -> Result<Clusters, Error> {
    let mut clusters: Vec<ClusterStatus> = Vec::new();
    let mut hosts: HashMap<String, usize> = HashMap::new();
    for (index, line) in page.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() {
            continue;
        }
        let name = match clusters.last() {
            Some(cluster) if rest_of(line, &cluster.name).is_some() => None,
            _ => Some(name_in(line).ok_or_else(|| Error::ClustersText { line: index + 1, text: shortened(line) })?),
        };
        if let Some(name) = name {
            clusters.push(ClusterStatus { name: name.to_owned(), ..ClusterStatus::default() });
            hosts.clear();
        }
        let cluster = clusters.last_mut().expect("one was just pushed if there was none");
        let rest = rest_of(line, &cluster.name).unwrap_or_default().to_owned();
        set(cluster, &mut hosts, &rest);
    }
    Ok(Clusters { clusters })
}

/// What follows `name::` in the line.
fn rest_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.strip_prefix(name)?.strip_prefix(SEPARATOR)
}

/// The cluster's name in the first line about it, which Envoy writes before those about hosts.
fn name_in(line: &str) -> Option<&str> {
    const CLUSTER_KEYS: [&str; 6] = [
        "::observability_name::",
        "::outlier::",
        "::default_priority::",
        "::high_priority::",
        "::added_via_api::",
        "::eds_service_name::",
    ];
    let end = CLUSTER_KEYS.iter().filter_map(|key| line.find(key)).min().or_else(|| line.find(SEPARATOR))?;
    Some(&line[..end])
}

fn set(cluster: &mut ClusterStatus, hosts: &mut HashMap<String, usize>, rest: &str) {
    let Some((key, value)) = rest.split_once(SEPARATOR) else { return };
    match key {
        "observability_name" => value.clone_into(&mut cluster.observability_name),
        "eds_service_name" => cluster.eds_service_name = Some(value.to_owned()),
        "added_via_api" => cluster.added_via_api = value == "true",
        "default_priority" => set_limit(cluster, "DEFAULT", value),
        "high_priority" => set_limit(cluster, "HIGH", value),
        "outlier" => {
            if let Some(number) = value.strip_prefix("success_rate_ejection_threshold::") {
                cluster.success_rate_ejection_threshold = rate(number);
            }
        }
        _ => {
            if let Some((address, key, value)) = host_line(rest) {
                let index = *hosts.entry(address.to_owned()).or_insert_with(|| {
                    let address = host_address(address);
                    cluster.hosts.push(EnvoyHost { address, ..EnvoyHost::default() });
                    cluster.hosts.len() - 1
                });
                set_host(&mut cluster.hosts[index], key, value);
            }
        }
    }
}

fn set_limit(cluster: &mut ClusterStatus, priority: &str, rest: &str) {
    let Some((key, value)) = rest.split_once(SEPARATOR) else { return };
    let Ok(value) = value.parse() else { return };
    let limits = &mut cluster.circuit_breakers.thresholds;
    let index = limits.iter().position(|limits| limits.priority == priority).unwrap_or_else(|| {
        limits.push(CircuitBreakerThresholds { priority: priority.to_owned(), ..CircuitBreakerThresholds::default() });
        limits.len() - 1
    });
    match key {
        "max_connections" => limits[index].max_connections = value,
        "max_pending_requests" => limits[index].max_pending_requests = value,
        "max_requests" => limits[index].max_requests = value,
        "max_retries" => limits[index].max_retries = value,
        _ => {}
    }
}

/// `address::key::value`. A host name may hold colons itself, so its key is looked for first.
fn host_line(rest: &str) -> Option<(&str, &str, &str)> {
    if let Some((address, value)) = rest.split_once("::hostname::") {
        return Some((address, "hostname", value));
    }
    let (rest, value) = rest.rsplit_once(SEPARATOR)?;
    let (address, key) = rest.rsplit_once(SEPARATOR)?;
    Some((address, key, value))
}

fn host_address(text: &str) -> HostAddress {
    if let Some((address, port)) = text.rsplit_once(':')
        && let Ok(port) = port.parse()
        && !text.starts_with("envoy://")
    {
        let address = address.strip_prefix('[').and_then(|bare| bare.strip_suffix(']')).unwrap_or(address);
        return HostAddress { address: address.to_owned(), port };
    }
    let address = if text.starts_with("envoy://") { text.to_owned() } else { format!("unix://{text}") };
    HostAddress { address, port: 0 }
}

fn set_host(host: &mut EnvoyHost, key: &str, value: &str) {
    match key {
        "hostname" => value.clone_into(&mut host.hostname),
        "health_flags" => set_health(host, value),
        "weight" => host.weight = value.parse().unwrap_or_default(),
        "priority" => host.priority = value.parse().unwrap_or_default(),
        "region" => value.clone_into(&mut host.locality.region),
        "zone" => value.clone_into(&mut host.locality.zone),
        "sub_zone" => value.clone_into(&mut host.locality.sub_zone),
        "success_rate" => host.success_rate = rate(value),
        _ => {
            if let Ok(value) = value.parse() {
                host.stats.set(key, value);
            }
        }
    }
}

/// Flags are written as `/failed_outlier_check/failed_eds_health`, none as `healthy`.
fn set_health(host: &mut EnvoyHost, flags: &str) {
    let health = &mut host.health;
    "HEALTHY".clone_into(&mut health.eds_health_status);
    for flag in flags.split('/') {
        match flag {
            "failed_active_hc" => health.failed_active_health_check = true,
            "failed_outlier_check" => health.failed_outlier_check = true,
            "failed_eds_health" => "UNHEALTHY".clone_into(&mut health.eds_health_status),
            "degraded_active_hc" => health.failed_active_degraded_check = true,
            "degraded_eds_health" => "DEGRADED".clone_into(&mut health.eds_health_status),
            "pending_dynamic_removal" => health.pending_dynamic_removal = true,
            "pending_active_hc" => health.pending_active_hc = true,
            "excluded_via_immediate_hc_fail" => health.excluded_via_immediate_hc_fail = true,
            "active_hc_timeout" => health.active_hc_timeout = true,
            "eds_status_draining" => "DRAINING".clone_into(&mut health.eds_health_status),
            _ => {}
        }
    }
}

/// Envoy writes -1 while a rate cannot be computed.
fn rate(text: &str) -> Option<f64> {
    text.parse().ok().filter(|rate| *rate >= 0.0)
}

fn shortened(line: &str) -> String {
    line.chars().take(120).collect()
}
