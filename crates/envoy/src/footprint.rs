//! How much configuration a proxy has, and for which services: what a `Sidecar` would make less of.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cluster_name::ClusterName;
use super::config_dump::{ConfigDump, read};
use super::managed_by::Metadata;
use super::{Error, clusters, json};

/// The size of a dump and what it is made of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Footprint {
    pub bytes: usize,
    pub clusters: usize,
    pub listeners: usize,
    /// Route configurations.
    pub routes: usize,
    /// Shared, since the proxies of a namespace mostly know the same ones.
    pub services: Arc<Services>,
    pub dns: Vec<DnsCluster>,
    /// The patterns of the statistics that Envoy keeps; empty where it keeps all.
    pub stats_inclusion: Vec<String>,
}

/// The services that have clusters in a proxy, by host.
pub type Services = BTreeMap<String, ServiceClusters>;

/// The outbound clusters of one service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceClusters {
    /// Where istiod has the service from.
    pub namespace: String,
    pub clusters: usize,
}

/// A cluster whose hosts Envoy looks up in DNS by itself
/// (<https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/service_discovery#strict-dns>).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct DnsCluster {
    pub name: String,
    /// `STRICT_DNS` or `LOGICAL_DNS`.
    #[serde(rename = "type")]
    pub discovery_type: String,
    /// Time between look-ups, such as `60s`; with `respects_ttl` only after those that failed.
    pub refresh_rate: String,
    /// Whether a good answer is looked up again when its TTL is over.
    pub respects_ttl: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cluster {
    #[serde(deserialize_with = "json::or_default")]
    name: String,
    #[serde(rename = "type", deserialize_with = "json::or_default")]
    discovery_type: String,
    #[serde(deserialize_with = "json::or_default")]
    metadata: Metadata,
    #[serde(flatten)]
    dns: DnsSettings,
    #[serde(rename = "cluster_type", alias = "clusterType", deserialize_with = "json::or_default")]
    extension: Extension,
}

/// They stand in the cluster itself, or in the extension that newer releases use
/// (<https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/clusters/dns/v3/dns_cluster.proto>).
#[derive(Default, Deserialize)]
#[serde(default)]
struct DnsSettings {
    #[serde(alias = "dnsRefreshRate", deserialize_with = "json::or_default")]
    dns_refresh_rate: String,
    #[serde(alias = "respectDnsTtl", deserialize_with = "json::or_default")]
    respect_dns_ttl: bool,
    #[serde(alias = "allAddressesInSingleEndpoint", deserialize_with = "json::or_default")]
    all_addresses_in_single_endpoint: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Extension {
    #[serde(deserialize_with = "json::or_default")]
    name: String,
    #[serde(alias = "typedConfig", deserialize_with = "json::or_default")]
    typed_config: DnsSettings,
}

impl Footprint {
    /// Reads a page of `/config_dump`.
    pub fn read(page: &[u8]) -> Result<Self, Error> {
        let dump = ConfigDump::parse(page)?;
        let mut footprint = Self { bytes: page.len(), stats_inclusion: stats_inclusion(&dump)?, ..Self::default() };
        for section in dump.summary().sections {
            let count = section.fixed + section.active;
            match section.name {
                "clusters" => footprint.clusters = count,
                "listeners" => footprint.listeners = count,
                "routes" => footprint.routes = count,
                _ => {}
            }
        }
        let mut services = Services::new();
        for (_, resource) in clusters::in_use(&dump)? {
            let cluster: Cluster = read(resource, "a cluster")?;
            let parts = ClusterName::parse(&cluster.name);
            if parts.direction == "outbound" {
                let new = || ServiceClusters { namespace: cluster.metadata.service_namespace(), clusters: 0 };
                services.entry(parts.fqdn).or_insert_with(new).clusters += 1;
            }
            footprint.dns.extend(cluster.dns());
        }
        footprint.services = Arc::new(services);
        Ok(footprint)
    }

    /// How many clusters lead out of the pod.
    pub fn outbound(&self) -> usize {
        self.services.values().map(|service| service.clusters).sum()
    }
}

impl Cluster {
    fn dns(self) -> Option<DnsCluster> {
        let (discovery_type, dns) = match (self.discovery_type.as_str(), self.extension.name.as_str()) {
            ("STRICT_DNS" | "LOGICAL_DNS", _) => (self.discovery_type, self.dns),
            (_, "envoy.cluster.dns" | "envoy.clusters.dns") => {
                let dns = self.extension.typed_config;
                let kind = if dns.all_addresses_in_single_endpoint { "LOGICAL_DNS" } else { "STRICT_DNS" };
                (kind.to_owned(), dns)
            }
            _ => return None,
        };
        let (refresh_rate, respects_ttl) = (dns.dns_refresh_rate, dns.respect_dns_ttl);
        Some(DnsCluster { name: self.name, discovery_type, refresh_rate, respects_ttl })
    }
}

/// The statistics that Envoy keeps, as its bootstrap has them
/// (<https://istio.io/latest/docs/ops/configuration/telemetry/envoy-stats/>).
fn stats_inclusion(dump: &ConfigDump<'_>) -> Result<Vec<String>, Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Bootstrap {
        #[serde(alias = "statsConfig", deserialize_with = "json::or_default")]
        stats_config: StatsConfig,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct StatsConfig {
        #[serde(alias = "statsMatcher", deserialize_with = "json::or_default")]
        stats_matcher: StatsMatcher,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct StatsMatcher {
        #[serde(alias = "inclusionList", deserialize_with = "json::or_default")]
        inclusion_list: Patterns,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Patterns {
        #[serde(deserialize_with = "json::or_default")]
        patterns: Vec<Pattern>,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Pattern {
        exact: Option<String>,
        prefix: Option<String>,
        suffix: Option<String>,
        contains: Option<String>,
        #[serde(alias = "safeRegex", deserialize_with = "json::or_default")]
        safe_regex: Regex,
    }

    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Regex {
        regex: Option<String>,
    }

    let Some(bootstrap) = dump.bootstrap.as_ref().and_then(|section| section.bootstrap) else { return Ok(Vec::new()) };
    let bootstrap: Bootstrap = read(bootstrap, "the bootstrap")?;
    let written = |pattern: Pattern| {
        let Pattern { exact, prefix, suffix, contains, safe_regex } = pattern;
        let prefix = prefix.map(|text| format!("{text}*"));
        let suffix = suffix.map(|text| format!("*{text}"));
        let contains = contains.map(|text| format!("*{text}*"));
        let regex = safe_regex.regex.map(|text| format!("/{text}/"));
        exact.or(prefix).or(suffix).or(contains).or(regex)
    };
    Ok(bootstrap.stats_config.stats_matcher.inclusion_list.patterns.into_iter().filter_map(written).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn clusters_are_counted_by_service() {
        let service = |name: &str, namespace: &str| {
            let istio = json!({"services": [{"host": "x", "name": "x", "namespace": namespace}]});
            json!({"cluster": {"name": name, "type": "EDS", "metadata": {"filter_metadata": {"istio": istio}}}})
        };
        let by_name = json!({"cluster": {"name": "outbound|443||api.example.com", "type": "STRICT_DNS",
            "dns_refresh_rate": "60s", "respect_dns_ttl": true}});
        let extension = json!({"cluster": {"name": "outbound|443||b.example.com", "cluster_type": {
            "name": "envoy.cluster.dns",
            "typed_config": {"dns_refresh_rate": "5s", "all_addresses_in_single_endpoint": true}}}});
        let patterns = json!([{"prefix": "cluster"}, {"safe_regex": {"regex": ".*"}}, {"suffix": "x"}]);
        let page = json!({"configs": [
            {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": {
                "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": patterns}}}}},
            {"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", "dynamic_active_clusters": [
                service("outbound|80||cart.shop.svc.cluster.local", "shop"),
                service("outbound|80|v1|cart.shop.svc.cluster.local", "shop"),
                service("inbound|8080||", "shop"), by_name, extension]}
        ]});
        let footprint = Footprint::read(page.to_string().as_bytes()).unwrap();
        assert_eq!((footprint.clusters, footprint.outbound(), footprint.services.len()), (5, 4, 3));
        let cart = &footprint.services["cart.shop.svc.cluster.local"];
        assert_eq!((cart.namespace.as_str(), cart.clusters), ("shop", 2));
        assert_eq!(footprint.stats_inclusion, ["cluster*", "/.*/", "*x"]);
        let dns: Vec<_> = footprint.dns.iter().map(|one| (one.discovery_type.as_str(), one.respects_ttl)).collect();
        assert_eq!(dns, [("STRICT_DNS", true), ("LOGICAL_DNS", false)]);
    }

    #[test]
    fn other_pages_are_refused() {
        assert!(Footprint::read(b"not recorded").is_err());
        assert!(Footprint::read(b"{\"configs\": []}").is_err());
    }
}
