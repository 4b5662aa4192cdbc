//! How many statistics a proxy keeps, and which labels make them many.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::data::{LabelValues, MetricSeries, ProxyStatistics};
use crate::prometheus;

/// Metrics and labels that are named.
const NAMED: usize = 5;
/// Labels that are watched; Istio's metrics have some thirty.
const MAX_LABELS: usize = 200;

/// What Istio keeps anyway, of whatever release
/// (<https://istio.io/latest/docs/ops/configuration/telemetry/envoy-stats/>).
const OWN: [&str; 18] = [
    "reporter=*",
    "cluster_manager*",
    "listener_manager*",
    "server*",
    "cluster.xds-grpc*",
    "wasm*",
    "component*",
    "istio*",
    "http_mixer_filter*",
    "tcp_mixer_filter*",
    "workload_discovery*",
    "*rbac.allowed",
    "*rbac.denied",
    "*shadow_allowed",
    "*shadow_denied",
    "*downstream_cx_active",
    "/vhost\\..*\\.route\\..*/",
    "/vhost.*.route.*/",
];

/// Reads `/stats/prometheus`.
pub(super) fn read(page: &str) -> ProxyStatistics {
    let mut statistics = ProxyStatistics::default();
    let mut metrics: BTreeMap<&str, usize> = BTreeMap::new();
    let mut labels: BTreeMap<&str, HashSet<u64>> = BTreeMap::new();
    for sample in prometheus::samples(page) {
        let is_part = sample.name.ends_with("_bucket") || sample.name.ends_with("_sum");
        statistics.total += usize::from(!is_part);
        if !sample.name.starts_with("istio_") {
            continue;
        }
        statistics.istio_series += 1;
        *metrics.entry(base(sample.name)).or_default() += 1;
        for (label, value) in sample.labels().filter(|(label, _)| *label != "le") {
            if labels.len() < MAX_LABELS || labels.contains_key(label) {
                let mut hash = DefaultHasher::new();
                value.hash(&mut hash);
                labels.entry(label).or_default().insert(hash.finish());
            }
        }
    }
    let metrics = metrics.into_iter().map(|(name, series)| MetricSeries { metric: name.to_owned(), series });
    statistics.metrics = metrics.collect();
    statistics.metrics.sort_by_key(|metric| std::cmp::Reverse(metric.series));
    statistics.metrics.truncate(NAMED);
    let labels = labels.into_iter().map(|(name, values)| LabelValues { label: name.to_owned(), values: values.len() });
    statistics.labels = labels.collect();
    statistics.labels.sort_by_key(|label| std::cmp::Reverse(label.values));
    statistics.labels.truncate(NAMED);
    statistics
}

/// The metric that a part of a histogram belongs to.
fn base(name: &str) -> &str {
    let ending = ["_bucket", "_sum", "_count"].into_iter().find_map(|ending| name.strip_suffix(ending));
    ending.unwrap_or(name)
}

/// The patterns that somebody added.
pub(super) fn added(patterns: &[String]) -> Vec<String> {
    patterns.iter().filter(|pattern| !OWN.contains(&pattern.as_str())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_counted_by_metric_and_label() {
        let page = "istio_requests_total{path=\"/a\",code=\"200\"} 1\nistio_requests_total{path=\"/b\",code=\"200\"} 1\n\
            istio_size_bucket{code=\"200\",le=\"1\"} 1\nistio_size_bucket{code=\"200\",le=\"+Inf\"} 1\n\
            istio_size_sum{code=\"200\"} 1\nistio_size_count{code=\"200\"} 1\nenvoy_server_live 1\n";
        let statistics = read(page);
        assert_eq!((statistics.total, statistics.istio_series), (4, 6));
        let size = MetricSeries { metric: "istio_size".to_owned(), series: 4 };
        assert_eq!(statistics.metrics[0], size);
        assert_eq!(statistics.labels[0], LabelValues { label: "path".to_owned(), values: 2 });
    }

    #[test]
    fn patterns_of_istio_are_left_out() {
        let patterns = ["server*", "cluster.outbound*", "/.*/"].map(str::to_owned);
        assert_eq!(added(&patterns), ["cluster.outbound*", "/.*/"]);
    }
}
