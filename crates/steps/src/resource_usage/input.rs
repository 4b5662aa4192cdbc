//! Which proxies are asked, and from where on a figure is reported. The thresholds are choices of ours, so each can be set.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::{Invalid, input::check};

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ResourceUsageInput {
    /// Namespaces of the proxies; repeatable. Default: all.
    #[param(max_items = 100)]
    pub namespace: Vec<String>,
    /// Look in all namespaces; the default when none is named.
    pub all_namespaces: bool,
    /// Only istiod and proxies of this revision, or of the revision that this tag points to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub revision: Option<String>,
    /// How many proxies of each workload are asked for their pages (default 1: replicas have the same configuration).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 20)]
    pub per_workload: Option<u32>,
    /// How many proxies are asked in all (default 50).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub max_proxies: Option<u32>,
    /// Seconds for all proxies together (default 30), within the time that the service gives to a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 300)]
    pub deadline_s: Option<u32>,
    /// Last lines of each proxy's log that are searched for access-log lines (default 1000; 0 reads no log).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(maximum = 10_000)]
    pub log_lines: Option<u32>,
    /// Report memory from this percentage of the limit on (default 80).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 100)]
    pub memory_percent: Option<u32>,
    /// Report proxies from this many MiB of memory on, whatever their limit is (default 300).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1_000_000)]
    pub memory_mib: Option<u32>,
    /// Report CPU from this percentage of the limit on (default 80).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 100)]
    pub cpu_percent: Option<u32>,
    /// Report proxies with more clusters (default 1000).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(maximum = 1_000_000)]
    pub clusters: Option<u32>,
    /// Report proxies with more listeners (default 500).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(maximum = 1_000_000)]
    pub listeners: Option<u32>,
    /// Report proxies with more endpoints (default 10,000).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(maximum = 10_000_000)]
    pub endpoints: Option<u32>,
    /// Report proxies whose configuration dump is larger than this many MiB (default 10).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(maximum = 1000)]
    pub dump_mib: Option<u32>,
    /// Report proxies that keep more statistics (default 5000).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(maximum = 10_000_000)]
    pub stats: Option<u32>,
    /// Report proxies with more series of Istio's metrics (default 10,000).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(maximum = 10_000_000)]
    pub series: Option<u32>,
    /// Report labels of Istio's metrics with more values in one proxy (default 500).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(maximum = 10_000_000)]
    pub label_values: Option<u32>,
    /// Report proxies with more worker threads, whatever their CPU limit is (default 8).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub workers: Option<u32>,
    /// Report a namespace whose proxies a Sidecar would rid of this many clusters (default 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1_000_000)]
    pub saved_clusters: Option<u32>,
}

/// The thresholds in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ResourceThresholds {
    pub memory_percent: u64,
    pub memory_mib: u64,
    pub cpu_percent: u64,
    pub clusters: usize,
    pub listeners: usize,
    pub endpoints: usize,
    pub dump_mib: usize,
    pub stats: usize,
    pub series: usize,
    pub label_values: usize,
    pub workers: u64,
    pub saved_clusters: usize,
}

impl ResourceUsageInput {
    pub(super) fn check(&self) -> Vec<Invalid> {
        let mut invalid = check::place(&self.namespace, self.all_namespaces);
        invalid.extend(check::name("revision", self.revision.as_deref()));
        for (field, value, least, most) in [
            ("per_workload", self.per_workload, 1, 20),
            ("max_proxies", self.max_proxies, 1, 500),
            ("deadline_s", self.deadline_s, 1, 300),
            ("log_lines", self.log_lines, 0, 10_000),
            ("memory_percent", self.memory_percent, 1, 100),
            ("memory_mib", self.memory_mib, 1, 1_000_000),
            ("cpu_percent", self.cpu_percent, 1, 100),
            ("clusters", self.clusters, 0, 1_000_000),
            ("listeners", self.listeners, 0, 1_000_000),
            ("endpoints", self.endpoints, 0, 10_000_000),
            ("dump_mib", self.dump_mib, 0, 1000),
            ("stats", self.stats, 0, 10_000_000),
            ("series", self.series, 0, 10_000_000),
            ("label_values", self.label_values, 0, 10_000_000),
            ("workers", self.workers, 1, 1000),
            ("saved_clusters", self.saved_clusters, 1, 1_000_000),
        ] {
            invalid.extend(check::range(field, value, least, most));
        }
        invalid
    }

    pub(super) fn thresholds(&self) -> ResourceThresholds {
        let count = |value: Option<u32>, default: u32| value.unwrap_or(default) as usize;
        ResourceThresholds {
            memory_percent: self.memory_percent.unwrap_or(80).into(),
            memory_mib: self.memory_mib.unwrap_or(300).into(),
            cpu_percent: self.cpu_percent.unwrap_or(80).into(),
            clusters: count(self.clusters, 1000),
            listeners: count(self.listeners, 500),
            endpoints: count(self.endpoints, 10_000),
            dump_mib: count(self.dump_mib, 10),
            stats: count(self.stats, 5000),
            series: count(self.series, 10_000),
            label_values: count(self.label_values, 500),
            workers: self.workers.unwrap_or(8).into(),
            saved_clusters: count(self.saved_clusters, 100),
        }
    }

    /// Whether every proxy of the mesh is looked at, so that something can be said about the mesh as a whole.
    pub(super) fn is_whole_mesh(&self) -> bool {
        self.namespace.is_empty() && self.revision.is_none()
    }
}
