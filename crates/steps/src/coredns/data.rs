//! What the step answers.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::super::pod_usage::ContainerUse;
use super::input::CorednsThresholds;
use envoy::footprint::DnsCluster;

/// CoreDNS, its load, and what the mesh adds to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CorednsData {
    pub thresholds: CorednsThresholds,
    pub pods: Vec<CorednsPod>,
    /// Of all replicas that were read together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<CorednsLoad>,
    pub configuration: CorednsConfiguration,
    pub mesh: MeshDns,
}

/// One replica.
#[derive(Debug, Serialize, ToSchema)]
pub struct CorednsPod {
    pub namespace: String,
    pub pod: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    pub ready: bool,
    pub restarts: u64,
    /// As the process tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(flatten)]
    pub used: ContainerUse,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<CorednsLoad>,
    /// Lines of its log with an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_lines: Option<u64>,
}

/// What a figure of the load covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadPeriod {
    /// Between two readings, so that it is the load of now.
    Window,
    /// From the start of the process, in one reading: a peak or a fault of now is averaged away.
    SinceStart,
}

/// Load and its answers. Shares are in percent.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CorednsLoad {
    pub period: LoadPeriod,
    /// How long that is; of the replica with the shortest, for all together.
    pub seconds: f64,
    pub requests: f64,
    pub requests_per_s: f64,
    /// Answers by code.
    pub responses: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servfail_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nxdomain_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_hit_percent: Option<f64>,
    /// Of the servers that CoreDNS forwards to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_p99_ms: Option<f64>,
    /// Requests refused because too many were being forwarded.
    pub rejects: f64,
    pub no_healthy_upstream: f64,
    pub failed_health_checks: f64,
    pub panics: f64,
    pub failed_reloads: f64,
    /// Answers that a `template` of the Corefile made up.
    pub template_matches: f64,
}

/// What CoreDNS is told.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct CorednsConfiguration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corefile: Option<String>,
    /// ConfigMap `coredns-custom`, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<BTreeMap<String, String>>,
    /// ConfigMap `coredns-autoscaler`, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaler: Option<BTreeMap<String, String>>,
    /// Replicas that the Deployment asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas_wanted: Option<i64>,
    pub replicas_ready: usize,
    /// Nodes that run ready replicas.
    pub nodes: usize,
    /// Longest time that an answer is kept, where the Corefile sets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_s: Option<u64>,
    /// Where names outside of the cluster are looked up.
    pub forwards_to: Vec<String>,
    /// Whether each query is logged, which costs CPU.
    pub logs_queries: bool,
    /// Whether a DNS cache runs on the nodes (DaemonSet `node-local-dns`), so that CoreDNS sees a part of the queries only.
    pub node_local_cache: bool,
}

/// Look-ups that Envoy makes by itself, whether anybody calls the host or not.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeshDns {
    /// Proxies that are counted.
    pub proxies: usize,
    /// `ServiceEntry`s that are resolved by DNS; those with the most queries first.
    pub entries: Vec<EntryQueries>,
    /// Look-ups that all proxies make in one round.
    pub look_ups: usize,
    /// TTL that good answers are taken to have.
    pub assumed_ttl_s: u32,
    /// With that TTL.
    pub queries_per_s: f64,
    /// With a TTL of 60 s.
    pub least_queries_per_s: f64,
    /// With a TTL of 5 s.
    pub most_queries_per_s: f64,
    /// In percent of what CoreDNS answers, where both are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_load: Option<f64>,
    pub refresh_rates: Vec<DnsRefreshRate>,
    /// What these figures stand on.
    pub note: &'static str,
    /// What some proxies resolve, as their configuration has it.
    pub asked: Vec<ProxyDns>,
}

/// One `ServiceEntry`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct EntryQueries {
    pub namespace: String,
    pub name: String,
    pub resolution: String,
    pub hosts: Vec<String>,
    /// Look-ups that one proxy makes for it in one round: hosts, times ports and subsets.
    pub look_ups: usize,
    /// Proxies that know it.
    pub proxies: usize,
    pub queries_per_s: f64,
    /// Proxies that were asked and have no address for some of its hosts.
    pub unresolved_in: usize,
    /// Proxies that were asked and have it.
    pub asked: usize,
}

/// `dnsRefreshRate` of a mesh configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DnsRefreshRate {
    pub revision: String,
    /// 60s where nothing sets it.
    pub value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_by: Option<String>,
}

/// What one proxy resolves.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ProxyDns {
    pub namespace: String,
    pub pod: String,
    pub clusters: Vec<DnsCluster>,
    /// Those without an address.
    pub unresolved: Vec<String>,
    /// Where the sidecar answers the application's look-ups (DNS capture).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<DnsCapture>,
}

/// Look-ups of the application, which the agent in the sidecar answers or passes on
/// (<https://istio.io/latest/docs/ops/configuration/traffic-management/dns-proxy/>).
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct DnsCapture {
    pub requests: f64,
    /// Passed on to the cluster's DNS.
    pub upstream_requests: f64,
    pub upstream_failures: f64,
}
