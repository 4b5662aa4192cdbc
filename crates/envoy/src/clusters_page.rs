//! The admin page `/clusters`: the hosts of each cluster as Envoy sees them at this moment, in JSON or as text.
//!
//! See <https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--clusters> and
//! <https://www.envoyproxy.io/docs/envoy/latest/api-v3/admin/v3/clusters.proto>.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::address::Address;
use super::{Error, clusters_text, json};

/// The page as a whole.
#[derive(Debug, Clone, PartialEq, Default, Serialize, ToSchema)]
#[schema(as = EnvoyClusters)]
pub struct Clusters {
    pub clusters: Vec<ClusterStatus>,
}

/// One cluster with its hosts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClusterStatus {
    #[serde(deserialize_with = "json::or_default")]
    pub name: String,
    /// Whether istiod sent it; otherwise it stands in the bootstrap.
    #[serde(alias = "addedViaApi", deserialize_with = "json::or_default")]
    pub added_via_api: bool,
    /// The name under which its endpoints are asked for. Only clusters of type EDS have one.
    #[serde(alias = "edsServiceName", skip_serializing_if = "Option::is_none")]
    pub eds_service_name: Option<String>,
    #[serde(alias = "observabilityName", deserialize_with = "json::or_default")]
    pub observability_name: String,
    #[serde(rename(deserialize = "host_statuses"), alias = "hostStatuses", deserialize_with = "json::or_default")]
    pub hosts: Vec<EnvoyHost>,
    #[serde(alias = "circuitBreakers", deserialize_with = "json::or_default")]
    pub circuit_breakers: CircuitBreakers,
    /// Hosts whose success rate falls below are ejected; absent while there are too few requests or hosts to compute it.
    #[serde(
        alias = "successRateEjectionThreshold",
        deserialize_with = "percent",
        skip_serializing_if = "Option::is_none"
    )]
    pub success_rate_ejection_threshold: Option<f64>,
}

/// One host of a cluster.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct EnvoyHost {
    #[serde(deserialize_with = "json::or_default")]
    pub address: HostAddress,
    /// The name it was resolved from; empty for hosts that EDS gave by address.
    #[serde(deserialize_with = "json::or_default", skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    #[serde(rename(deserialize = "health_status"), alias = "healthStatus")]
    pub health: HostHealth,
    #[serde(deserialize_with = "stats")]
    pub stats: HostStats,
    #[serde(deserialize_with = "json::number")]
    pub weight: u64,
    #[serde(deserialize_with = "json::number")]
    pub priority: u64,
    #[serde(deserialize_with = "json::or_default")]
    pub locality: HostLocality,
    /// Percentage of good answers in the last interval of outlier detection, if there were enough to compute it.
    #[serde(alias = "successRate", deserialize_with = "percent", skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
}

/// Where a host is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(from = "Address")]
pub struct HostAddress {
    /// An IP address, `unix://<path>`, `envoy://<listener>/<endpoint>` or `unknown`.
    pub address: String,
    /// 0 where the address has no port.
    pub port: u32,
}

/// What speaks against sending requests to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "Envoy's independent health flags")]
pub struct HostHealth {
    #[serde(alias = "failedActiveHealthCheck", deserialize_with = "json::or_default")]
    pub failed_active_health_check: bool,
    #[serde(alias = "failedOutlierCheck", deserialize_with = "json::or_default")]
    pub failed_outlier_check: bool,
    #[serde(alias = "failedActiveDegradedCheck", deserialize_with = "json::or_default")]
    pub failed_active_degraded_check: bool,
    #[serde(alias = "pendingDynamicRemoval", deserialize_with = "json::or_default")]
    pub pending_dynamic_removal: bool,
    #[serde(alias = "pendingActiveHc", deserialize_with = "json::or_default")]
    pub pending_active_hc: bool,
    #[serde(alias = "excludedViaImmediateHcFail", deserialize_with = "json::or_default")]
    pub excluded_via_immediate_hc_fail: bool,
    #[serde(alias = "activeHcTimeout", deserialize_with = "json::or_default")]
    pub active_hc_timeout: bool,
    /// `HEALTHY`, `UNHEALTHY`, `DRAINING`, `TIMEOUT`, `DEGRADED` or `UNKNOWN`: what istiod said.
    #[serde(default = "unknown_health", alias = "edsHealthStatus")]
    pub eds_health_status: String,
}

/// Counters of a host since it was added to its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct HostStats {
    pub cx_active: u64,
    pub cx_connect_fail: u64,
    pub cx_total: u64,
    pub rq_active: u64,
    pub rq_error: u64,
    pub rq_pending_active: u64,
    pub rq_success: u64,
    pub rq_timeout: u64,
    pub rq_total: u64,
}

/// Where a host runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct HostLocality {
    #[serde(deserialize_with = "json::or_default", skip_serializing_if = "String::is_empty")]
    pub region: String,
    #[serde(deserialize_with = "json::or_default", skip_serializing_if = "String::is_empty")]
    pub zone: String,
    #[serde(alias = "subZone", deserialize_with = "json::or_default", skip_serializing_if = "String::is_empty")]
    pub sub_zone: String,
}

/// The limits of a cluster, one entry for each routing priority.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CircuitBreakers {
    #[serde(deserialize_with = "json::or_default")]
    pub thresholds: Vec<CircuitBreakerThresholds>,
}

/// Limits of one routing priority.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CircuitBreakerThresholds {
    /// `DEFAULT` or `HIGH`.
    #[serde(default = "default_priority")]
    pub priority: String,
    #[serde(alias = "maxConnections", deserialize_with = "json::number")]
    pub max_connections: u64,
    #[serde(alias = "maxPendingRequests", deserialize_with = "json::number")]
    pub max_pending_requests: u64,
    #[serde(alias = "maxRequests", deserialize_with = "json::number")]
    pub max_requests: u64,
    #[serde(alias = "maxRetries", deserialize_with = "json::number")]
    pub max_retries: u64,
}

impl Clusters {
    /// Reads either form of the page.
    pub fn parse(page: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Page {
            #[serde(default, alias = "clusterStatuses", deserialize_with = "json::or_default")]
            cluster_statuses: Vec<ClusterStatus>,
        }

        if page.trim_ascii_start().first() != Some(&b'{') {
            return clusters_text::parse(&String::from_utf8_lossy(page));
        }
        let page: Page = json::page(page, "the clusters page")?;
        Ok(Self { clusters: page.cluster_statuses })
    }

    pub fn find(&self, name: &str) -> Option<&ClusterStatus> {
        self.clusters.iter().find(|cluster| cluster.name == name)
    }
}

impl HostHealth {
    /// Whether Envoy sends requests to the host, as long as enough hosts of the cluster are so.
    pub fn is_healthy(&self) -> bool {
        !(self.failed_active_health_check
            || self.failed_outlier_check
            || self.pending_active_hc
            || self.excluded_via_immediate_hc_fail
            || matches!(self.eds_health_status.as_str(), "UNHEALTHY" | "TIMEOUT" | "DRAINING"))
    }
}

impl Default for HostHealth {
    fn default() -> Self {
        Self {
            failed_active_health_check: false,
            failed_outlier_check: false,
            failed_active_degraded_check: false,
            pending_dynamic_removal: false,
            pending_active_hc: false,
            excluded_via_immediate_hc_fail: false,
            active_hc_timeout: false,
            eds_health_status: unknown_health(),
        }
    }
}

impl HostAddress {
    /// Address and port as they are written together; the address alone where there is no port.
    pub fn text(&self) -> String {
        match self.port {
            0 => self.address.clone(),
            port if self.address.contains(':') => format!("[{}]:{port}", self.address),
            port => format!("{}:{port}", self.address),
        }
    }
}

impl From<Address> for HostAddress {
    fn from(address: Address) -> Self {
        if let Some(socket) = address.socket_address {
            return Self { address: socket.address, port: socket.port_value };
        }
        let text = match (address.pipe, address.envoy_internal_address) {
            (Some(pipe), _) => format!("unix://{}", pipe.path),
            (None, Some(internal)) => internal.text(),
            (None, None) => "unknown".to_owned(),
        };
        Self { address: text, port: 0 }
    }
}

impl HostStats {
    pub(super) fn set(&mut self, name: &str, value: u64) -> bool {
        let counter = match name {
            "cx_active" => &mut self.cx_active,
            "cx_connect_fail" => &mut self.cx_connect_fail,
            "cx_total" => &mut self.cx_total,
            "rq_active" => &mut self.rq_active,
            "rq_error" => &mut self.rq_error,
            "rq_pending_active" => &mut self.rq_pending_active,
            "rq_success" => &mut self.rq_success,
            "rq_timeout" => &mut self.rq_timeout,
            "rq_total" => &mut self.rq_total,
            _ => return false,
        };
        *counter = value;
        true
    }
}

fn stats<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<HostStats, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Metric {
        #[serde(deserialize_with = "json::or_default")]
        name: String,
        #[serde(deserialize_with = "json::number")]
        value: u64,
    }

    let metrics: Vec<Metric> = json::or_default(deserializer)?;
    let mut stats = HostStats::default();
    for metric in metrics {
        stats.set(&metric.name, metric.value);
    }
    Ok(stats)
}

fn percent<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Percent {
        value: Option<f64>,
    }

    // An empty percentage is 0 %: protobuf's JSON leaves the default out.
    let percent: Option<Percent> = Deserialize::deserialize(deserializer)?;
    Ok(percent.map(|percent| percent.value.unwrap_or_default()))
}

fn unknown_health() -> String {
    "UNKNOWN".to_owned()
}

fn default_priority() -> String {
    "DEFAULT".to_owned()
}
