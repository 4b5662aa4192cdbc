//! What the page `/clusters` says is wrong: clusters without hosts, hosts that get no requests, connections that fail.
//! Facts only; how bad they are is for the caller to say.
//!
//! See <https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier> and
//! <https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#response-flags>.

use serde::Serialize;
use utoipa::ToSchema;

use super::clusters_page::{ClusterStatus, Clusters, EnvoyHost, HostHealth};

/// One thing that is wrong with a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClusterTrouble {
    pub cluster: String,
    pub kind: ClusterTroubleKind,
    /// The hosts concerned; none if the cluster has none.
    pub hosts: Vec<TroubledHost>,
    /// How many hosts the cluster has, well or not.
    pub hosts_total: usize,
}

/// In what way a cluster is in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClusterTroubleKind {
    /// istiod sent no endpoint, so requests get 503 with the flag UH.
    NoHosts,
    /// Outlier detection has ejected hosts.
    Ejected,
    /// Hosts failed health checks, or istiod called them unhealthy or draining.
    Unhealthy,
    /// Connections to hosts could not be opened (flag UF).
    ConnectFailures,
    /// Hosts took requests and answered 5xx, or broke off.
    RequestErrors,
}

/// A host in trouble, with the numbers since it was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TroubledHost {
    pub address: String,
    /// Why Envoy holds it for unhealthy; empty if it does not.
    pub health_flags: Vec<&'static str>,
    pub cx_total: u64,
    pub cx_connect_fail: u64,
    pub rq_total: u64,
    pub rq_error: u64,
    pub rq_timeout: u64,
}

impl ClusterTrouble {
    /// Whether no host of the cluster is left out, so that nothing gets through.
    pub fn is_total(&self) -> bool {
        let all_concerned = self.hosts.len() == self.hosts_total;
        all_concerned
            && match self.kind {
                ClusterTroubleKind::NoHosts | ClusterTroubleKind::Ejected | ClusterTroubleKind::Unhealthy => true,
                ClusterTroubleKind::ConnectFailures => {
                    self.hosts.iter().all(|host| host.cx_connect_fail == host.cx_total)
                }
                ClusterTroubleKind::RequestErrors => self.hosts.iter().all(|host| host.rq_error >= host.rq_total),
            }
    }
}

/// Clusters of the proxy itself. Their streams are closed and opened again all the time, which counts as an error.
/// The last three are where istiod sends traffic of no service: they never have hosts, or only those just called.
const INTERNAL: [&str; 8] = [
    "prometheus_stats",
    "agent",
    "sds-grpc",
    "xds-grpc",
    "zipkin",
    "BlackHoleCluster",
    "PassthroughCluster",
    "InboundPassthroughCluster",
];

/// A kind of trouble, and which hosts it concerns.
type Rule = (ClusterTroubleKind, fn(&EnvoyHost) -> bool);

/// What is wrong with the clusters, in the order of the page.
pub fn interpret(clusters: &Clusters) -> Vec<ClusterTrouble> {
    let mut troubles = Vec::new();
    for cluster in &clusters.clusters {
        if !is_internal(&cluster.name) {
            interpret_cluster(cluster, &mut troubles);
        }
    }
    troubles
}

/// Whether the cluster is the proxy's own and stands for no service.
pub fn is_internal(cluster: &str) -> bool {
    INTERNAL.contains(&cluster)
}

fn interpret_cluster(cluster: &ClusterStatus, troubles: &mut Vec<ClusterTrouble>) {
    // Only EDS has its hosts from istiod. A cluster of type ORIGINAL_DST has those that were called lately, maybe none.
    if cluster.hosts.is_empty() {
        if cluster.eds_service_name.is_some() {
            troubles.push(trouble(cluster, ClusterTroubleKind::NoHosts, |_| false));
        }
        return;
    }
    let rules: [Rule; 4] = [
        (ClusterTroubleKind::Ejected, |host| host.health.failed_outlier_check),
        (ClusterTroubleKind::Unhealthy, |host| !host.health.failed_outlier_check && !host.health.is_healthy()),
        (ClusterTroubleKind::ConnectFailures, |host| host.stats.cx_connect_fail > 0),
        // A request that got no connection is an error too, but none of the host's.
        (ClusterTroubleKind::RequestErrors, |host| host.stats.rq_error > 0 && host.stats.rq_total > 0),
    ];
    for (kind, concerns) in rules {
        if cluster.hosts.iter().any(concerns) {
            troubles.push(trouble(cluster, kind, concerns));
        }
    }
}

fn trouble(cluster: &ClusterStatus, kind: ClusterTroubleKind, concerns: impl Fn(&EnvoyHost) -> bool) -> ClusterTrouble {
    ClusterTrouble {
        cluster: cluster.name.clone(),
        kind,
        hosts: cluster.hosts.iter().filter(|host| concerns(host)).map(troubled).collect(),
        hosts_total: cluster.hosts.len(),
    }
}

fn troubled(host: &EnvoyHost) -> TroubledHost {
    TroubledHost {
        address: host.address.text(),
        health_flags: health_flags(&host.health),
        cx_total: host.stats.cx_total,
        cx_connect_fail: host.stats.cx_connect_fail,
        rq_total: host.stats.rq_total,
        rq_error: host.stats.rq_error,
        rq_timeout: host.stats.rq_timeout,
    }
}

fn health_flags(health: &HostHealth) -> Vec<&'static str> {
    let flags = [
        (health.failed_active_health_check, "failed_active_hc"),
        (health.failed_outlier_check, "failed_outlier_check"),
        (health.eds_health_status == "UNHEALTHY", "failed_eds_health"),
        (health.eds_health_status == "TIMEOUT", "eds_timeout"),
        (health.eds_health_status == "DRAINING", "eds_status_draining"),
        (health.pending_active_hc, "pending_active_hc"),
        (health.excluded_via_immediate_hc_fail, "excluded_via_immediate_hc_fail"),
        (health.active_hc_timeout, "active_hc_timeout"),
        (health.pending_dynamic_removal, "pending_dynamic_removal"),
    ];
    flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_clusters_and_original_dst_without_hosts_are_well() {
        let page = br#"{"cluster_statuses":[
            {"name":"xds-grpc","host_statuses":[{"stats":[{"name":"rq_error","value":"3"},{"name":"rq_total","value":"4"}]}]},
            {"name":"inbound|8080||","added_via_api":true},
            {"name":"BlackHoleCluster","added_via_api":true}]}"#;
        assert_eq!(interpret(&Clusters::parse(page).expect("page")), []);
    }

    #[test]
    fn eds_cluster_without_hosts_is_in_trouble() {
        let page = br#"{"clusterStatuses":[{"name":"outbound|80||a","edsServiceName":"outbound|80||a"}]}"#;
        let troubles = interpret(&Clusters::parse(page).expect("page"));
        assert_eq!(troubles.len(), 1);
        assert_eq!(troubles[0].kind, ClusterTroubleKind::NoHosts);
        assert!(troubles[0].is_total());
    }

    #[test]
    fn text_page_with_ipv6_hosts() {
        let page = b"outbound|80||a::observability_name::outbound|80||a;\n\
            outbound|80||a::[fd00::5]:8080::cx_connect_fail::2\n\
            outbound|80||a::[fd00::5]:8080::cx_total::5\n\
            outbound|80||a::[fd00::5]:8080::hostname::fd00::5\n\
            outbound|80||a::[fd00::5]:8080::health_flags::/failed_active_hc\n";
        let clusters = Clusters::parse(page).expect("page");
        let host = &clusters.clusters[0].hosts[0];
        assert_eq!((host.address.address.as_str(), host.address.port), ("fd00::5", 8080));
        assert_eq!(host.hostname, "fd00::5");
        let troubles = interpret(&clusters);
        assert_eq!(troubles[0].kind, ClusterTroubleKind::Unhealthy);
        assert_eq!(troubles[1].kind, ClusterTroubleKind::ConnectFailures);
        assert_eq!(troubles[1].hosts[0].cx_connect_fail, 2);
    }

    #[test]
    fn page_that_is_something_else_is_an_error() {
        for page in [&b"{\"cluster_statuses\": 5}"[..], b"not found", b"{"] {
            assert!(Clusters::parse(page).is_err(), "{}", String::from_utf8_lossy(page));
        }
    }
}
