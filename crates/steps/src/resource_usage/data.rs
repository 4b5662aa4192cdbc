//! What the step answers.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::super::pod_usage::ContainerUse;
use super::input::ResourceThresholds;
use report::Owner;

/// Use, size and scope of proxies and istiod.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResourceUsageData {
    /// Whether the metrics API (`metrics.k8s.io`) told the use of containers. Otherwise memory is what Envoy and istiod say
    /// of themselves, and the CPU of proxies is unknown.
    pub metrics_api: bool,
    pub thresholds: ResourceThresholds,
    pub istiods: Vec<IstiodUse>,
    /// The proxies that were asked, and those that stand out by their use; those with the most memory first.
    pub proxies: Vec<ProxyUse>,
    /// What a `Sidecar` would leave out, for each namespace with sidecars that were asked.
    pub namespaces: Vec<NamespaceScope>,
    /// What the guide's mesh-wide `Sidecar` would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mesh_wide: Option<MeshWideScope>,
    /// What `discoverySelectors` would leave out.
    pub discovery_selectors: DiscoveryScope,
}

/// A replica of istiod.
#[derive(Debug, Serialize, ToSchema)]
pub struct IstiodUse {
    pub namespace: String,
    pub pod: String,
    pub revision: String,
    #[serde(flatten)]
    pub used: ContainerUse,
    /// How the last run ended, where it ran out of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_memory: Option<String>,
    /// Proxies that are connected to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxies: Option<u64>,
    /// Services that it knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<u64>,
}

/// A proxy.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProxyUse {
    pub namespace: String,
    pub pod: String,
    pub workload: Owner,
    pub revision: String,
    pub is_gateway: bool,
    /// Running proxies of the workload, this one included.
    pub replicas: usize,
    /// Whether its Envoy was asked.
    pub asked: bool,
    #[serde(flatten)]
    pub used: ContainerUse,
    /// How the last run ended, where it ran out of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_memory: Option<String>,
    /// How long Envoy runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_s: Option<u64>,
    pub workers: ProxyWorkers,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<ProxySize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<ProxyStatistics>,
}

/// Worker threads of a proxy
/// (<https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig-concurrency>).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProxyWorkers {
    /// As Envoy runs them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<u64>,
    /// `concurrency`, where it is set; 0 means all cores of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configured: Option<u64>,
    /// What sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configured_by: Option<String>,
    /// The CPU limit, or the request without one, rounded up: what an unset `concurrency` means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_cpu: Option<u64>,
}

/// How much configuration a proxy holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProxySize {
    /// Of `/config_dump`.
    pub dump_bytes: usize,
    pub clusters: usize,
    /// Clusters that lead to services.
    pub outbound_clusters: usize,
    /// Outbound clusters that have had traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_clusters: Option<usize>,
    pub listeners: usize,
    /// Route configurations.
    pub routes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<usize>,
}

/// How many statistics a proxy keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProxyStatistics {
    /// A histogram counts as one.
    pub total: usize,
    /// Series of Istio's own metrics as Prometheus stores them, each bucket of a histogram by itself.
    pub istio_series: usize,
    /// Istio's metrics with the most series.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricSeries>,
    /// Labels of Istio's metrics with the most values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<LabelValues>,
    /// Patterns of what is kept, beyond Istio's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub included: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MetricSeries {
    pub metric: String,
    pub series: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LabelValues {
    pub label: String,
    pub values: usize,
}

/// The proxies of a namespace, what they hold, and what they call.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamespaceScope {
    pub namespace: String,
    /// The `Sidecar`s in force for the proxies that were asked, `<namespace>/<name>`.
    pub sidecars: Vec<String>,
    pub proxies_asked: usize,
    /// How long the proxy that was started last has been counting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_s: Option<u64>,
    /// Outbound clusters of the proxy with the most.
    pub outbound_clusters: usize,
    /// The same by the namespace of the service.
    pub clusters_by_namespace: BTreeMap<String, usize>,
    /// What its sidecars have called, by Envoy's counters and the access logs.
    pub called: Vec<CalledHost>,
    /// A `Sidecar` that leaves only what is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<SidecarProposal>,
    /// Why none is proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_proposal_because: Option<String>,
}

/// A host that has been called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CalledHost {
    pub host: String,
    /// The namespace of its service; absent where no proxy that was asked knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub ports: Vec<u64>,
    pub requests: u64,
    pub connections: u64,
    /// Lines of the access logs.
    pub log_lines: u64,
    /// Workloads that called it.
    pub callers: Vec<String>,
}

/// A `Sidecar` and what it would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct SidecarProposal {
    pub manifest: String,
    /// Outbound clusters that would be left.
    pub clusters_left: usize,
    /// Hosts that have been called and would not be known any more.
    pub cuts_off: Vec<CalledHost>,
    /// Hosts that are listed for another reason than traffic.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listed_for_routes: Vec<String>,
}

/// A `Sidecar` in the root namespace, which holds for every namespace that has none of its own.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeshWideScope {
    pub root_namespace: String,
    /// The one that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub present: Option<String>,
    pub manifest: String,
    pub namespaces: Vec<MeshWideNamespace>,
}

/// What it would do in one namespace.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeshWideNamespace {
    pub namespace: String,
    pub outbound_clusters: usize,
    pub clusters_left: usize,
    pub cuts_off: Vec<CalledHost>,
}

/// Which namespaces istiod watches, and which of them the mesh does not need.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct DiscoveryScope {
    /// The mesh configurations that have `discoverySelectors`.
    pub set_by: Vec<String>,
    pub namespaces: usize,
    /// Namespaces without proxies, without Istio's objects, and that nobody calls.
    pub not_needed: Vec<UnneededNamespace>,
    /// Outbound clusters of the largest proxy that lead there.
    pub clusters: usize,
    /// For the mesh configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// The ConfigMaps (key `mesh`) that it belongs into, one for each revision.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub apply_to: Vec<String>,
    /// Hosts that have been called and would not be known any more.
    pub cuts_off: Vec<CalledHost>,
    /// Why nothing is proposed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_proposal_because: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct UnneededNamespace {
    pub namespace: String,
    pub services: usize,
}
