//! Logs and metrics of the service itself.

use std::{io::IsTerminal as _, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use tracing_subscriber::EnvFilter;

use crate::{config::LogFormat, report::Verdict};

/// Starts logging. The filter was checked when the settings were read.
pub fn start(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).map_err(|error| anyhow::anyhow!("--log {filter:?}: {error}"))?;
    // A log file holds no colours.
    let colors = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colors);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}

/// The numbers at `/metrics`.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    steps: Family<StepLabels, Counter>,
    not_recorded: Counter<u64, AtomicU64>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StepLabels {
    step: &'static str,
    verdict: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new([0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0]);
        let requests = Family::default();
        let durations = Family::<RouteLabels, Histogram>::new_with_constructor(seconds);
        let steps = Family::default();
        let not_recorded = Counter::default();
        let mut registry = Registry::with_prefix("meshtriage");
        registry.register("http_requests", "HTTP requests by route and status", requests.clone());
        registry.register("http_request_duration_seconds", "Time to answer by route", durations.clone());
        registry.register("steps", "Steps carried out by verdict", steps.clone());
        registry.register("runs_not_recorded", "Runs that the database did not take", not_recorded.clone());
        Self { registry, requests, durations, steps, not_recorded }
    }
}

impl Metrics {
    /// One HTTP request; `route` is the pattern, so that names of pods do not become labels.
    pub fn request(&self, method: &http::Method, route: &str, status: http::StatusCode, seconds: f64) {
        let method = match method.as_str() {
            known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
            _ => "other",
        };
        let labels = RequestLabels { method: method.to_owned(), route: route.to_owned(), status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&RouteLabels { route: route.to_owned() }).observe(seconds);
    }

    pub fn step(&self, step: &'static str, verdict: Verdict) {
        let verdict = match verdict {
            Verdict::Ok => "ok",
            Verdict::Info => "info",
            Verdict::Warning => "warning",
            Verdict::Error => "error",
            Verdict::Unknown => "unknown",
        };
        self.steps.get_or_create(&StepLabels { step, verdict }).inc();
    }

    pub fn not_recorded(&self) {
        self.not_recorded.inc();
    }

    /// The text of `/metrics` (OpenMetrics).
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String does not fail");
        text
    }
}
