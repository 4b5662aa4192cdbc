//! The endpoints of clusters, of which there are two views: what hosts Envoy has at this moment (`/clusters`, the command
//! `endpoint`), and what assignments istiod sent (`config_dump?include_eds`, the command `eds`).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::address::Address;
use super::cluster_name::ClusterName;
use super::clusters_page::{ClusterStatus, HostLocality};
use super::config_dump::{ConfigDump, read};
use super::table::Table;
use super::{Error, json};

/// Which endpoints are wanted. Empty text means that it does not matter.
#[derive(Debug, Clone, Default)]
pub struct EndpointFilter {
    pub address: String,
    pub port: Option<u16>,
    pub cluster: String,
    /// Health that istiod gave: `healthy`, `unhealthy`, `draining` …
    pub status: String,
}

/// One host of one cluster, as Envoy has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct EndpointRow {
    pub address: String,
    /// 0 where the address has none.
    pub port: u32,
    pub cluster: String,
    /// Health that istiod gave.
    pub status: String,
    /// Whether outlier detection has ejected it.
    pub failed_outlier_check: bool,
    /// Whether an active health check of Envoy failed, which istioctl does not show.
    pub failed_active_health_check: bool,
}

/// One endpoint of an assignment that istiod sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct EdsRow {
    /// `<address>:<port>`, the main address first.
    pub addresses: Vec<String>,
    pub status: String,
    /// `region/zone/subzone`, as far as known.
    pub locality: String,
    pub cluster: String,
}

impl EndpointFilter {
    fn matches(&self, addresses: &[String], port: u32, cluster: &str, status: &str) -> bool {
        let agrees = |wanted: &str, is: &str| wanted.is_empty() || is.to_lowercase() == wanted.to_lowercase();
        (self.address.is_empty() || addresses.iter().any(|address| agrees(&self.address, address)))
            && self.port.is_none_or(|wanted| u32::from(wanted) == port)
            && agrees(&self.cluster, cluster)
            && agrees(&self.status, status)
    }
}

/// A page `/clusters` whose clusters are also kept as they were written.
pub struct EndpointPage<'a> {
    clusters: Vec<(ClusterStatus, &'a RawValue)>,
}

impl<'a> EndpointPage<'a> {
    pub fn parse(page: &'a [u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Page<'a> {
            #[serde(borrow, default, alias = "clusterStatuses", deserialize_with = "json::or_default")]
            cluster_statuses: Vec<&'a RawValue>,
        }

        let page: Page<'a> = json::page(page, "the clusters page")?;
        let mut clusters = Vec::with_capacity(page.cluster_statuses.len());
        for raw in page.cluster_statuses {
            clusters.push((read(raw, "a cluster's status")?, raw));
        }
        Ok(Self { clusters })
    }

    /// The hosts that match, ordered by address (as text), port and cluster.
    pub fn rows(&self, filter: &EndpointFilter) -> Vec<EndpointRow> {
        let mut rows = Vec::new();
        for (cluster, _) in &self.clusters {
            for host in &cluster.hosts {
                let row = EndpointRow {
                    address: host.address.address.clone(),
                    port: host.address.port,
                    cluster: cluster.name.clone(),
                    status: host.health.eds_health_status.clone(),
                    failed_outlier_check: host.health.failed_outlier_check,
                    failed_active_health_check: host.health.failed_active_health_check,
                };
                if filter.matches(std::slice::from_ref(&row.address), row.port, &row.cluster, &row.status) {
                    rows.push(row);
                }
            }
        }
        rows.sort();
        rows
    }

    /// The clusters with a host that matches, whole.
    pub(super) fn matching(&self, filter: &EndpointFilter) -> Vec<&'a RawValue> {
        let matches = |cluster: &ClusterStatus| {
            cluster.hosts.iter().any(|host| {
                let address = std::slice::from_ref(&host.address.address);
                filter.matches(address, host.address.port, &cluster.name, &host.health.eds_health_status)
            })
        };
        self.clusters.iter().filter(|(cluster, _)| matches(cluster)).map(|(_, raw)| *raw).collect()
    }
}

/// The table of `istioctl proxy-config endpoint`.
pub fn text(rows: &[EndpointRow]) -> String {
    let mut table = Table::with_header(5, &["ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER"]);
    for row in rows {
        let endpoint = if row.port == 0 { row.address.clone() } else { format!("{}:{}", row.address, row.port) };
        let outlier = if row.failed_outlier_check { "FAILED" } else { "OK" };
        table.push(vec![endpoint, row.status.clone(), outlier.to_owned(), row.cluster.clone()]);
    }
    table.text()
}

/// What istiod sent for one cluster.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LoadAssignment {
    #[serde(alias = "clusterName", deserialize_with = "json::or_default")]
    pub(super) cluster_name: String,
    #[serde(deserialize_with = "json::or_default")]
    endpoints: Vec<LocalityEndpoints>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LocalityEndpoints {
    #[serde(deserialize_with = "json::or_default")]
    locality: HostLocality,
    #[serde(alias = "lbEndpoints", deserialize_with = "json::or_default")]
    lb_endpoints: Vec<LbEndpoint>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LbEndpoint {
    #[serde(deserialize_with = "json::or_default")]
    endpoint: Endpoint,
    #[serde(alias = "healthStatus", deserialize_with = "json::or_default")]
    health_status: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Endpoint {
    #[serde(deserialize_with = "json::or_default")]
    address: Address,
    #[serde(alias = "additionalAddresses", deserialize_with = "json::or_default")]
    additional_addresses: Vec<AdditionalAddress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AdditionalAddress {
    #[serde(deserialize_with = "json::or_default")]
    address: Address,
}

impl LbEndpoint {
    fn addresses(&self) -> Vec<String> {
        let additional = self.endpoint.additional_addresses.iter().map(|additional| &additional.address);
        std::iter::once(&self.endpoint.address).chain(additional).map(address_text).collect()
    }

    fn port(&self) -> u32 {
        self.endpoint.address.socket_address.as_ref().map_or(0, |socket| socket.port_value)
    }

    fn status(&self) -> &str {
        if self.health_status.is_empty() { "UNKNOWN" } else { &self.health_status }
    }

    fn matches(&self, filter: &EndpointFilter, cluster: &str) -> bool {
        filter.matches(&self.addresses(), self.port(), cluster, self.status())
    }
}

impl LoadAssignment {
    /// How many endpoints may take requests, and how many there are.
    pub(super) fn healthy_of(&self) -> (usize, usize) {
        let endpoints = self.endpoints.iter().flat_map(|locality| &locality.lb_endpoints);
        let usable = |endpoint: &&LbEndpoint| !matches!(endpoint.status(), "UNHEALTHY" | "DRAINING" | "TIMEOUT");
        (endpoints.clone().filter(usable).count(), endpoints.count())
    }
}

fn address_text(address: &Address) -> String {
    match (&address.socket_address, &address.pipe, &address.envoy_internal_address) {
        (Some(socket), _, _) => format!("{}:{}", socket.address, socket.port_value),
        (None, Some(pipe), _) => pipe.path.clone(),
        (None, None, Some(internal)) => internal.text(),
        (None, None, None) => "unknown".to_owned(),
    }
}

fn locality_text(locality: &HostLocality) -> String {
    let parts = [&locality.region, &locality.zone, &locality.sub_zone];
    parts.map(String::as_str).into_iter().take_while(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

/// The assignments of the dump, ordered as istioctl lists them. A dump without the section has none.
pub(super) fn assignments<'a>(dump: &ConfigDump<'a>) -> Result<Vec<(LoadAssignment, &'a RawValue)>, Error> {
    let Some(section) = &dump.endpoints else { return Ok(Vec::new()) };
    let entries = section.dynamic_endpoint_configs.iter().chain(&section.static_endpoint_configs);
    let mut found = Vec::new();
    for resource in entries.filter_map(|entry| entry.resource) {
        found.push((read::<LoadAssignment>(resource, "a load assignment")?, resource));
    }
    found.sort_by_cached_key(|(assignment, _)| ClusterName::parse(&assignment.cluster_name));
    Ok(found)
}

/// The endpoints that match, ordered by cluster.
pub fn eds_rows(dump: &ConfigDump<'_>, filter: &EndpointFilter) -> Result<Vec<EdsRow>, Error> {
    let mut rows = Vec::new();
    for (assignment, _) in assignments(dump)? {
        for group in &assignment.endpoints {
            for endpoint in &group.lb_endpoints {
                if endpoint.matches(filter, &assignment.cluster_name) {
                    rows.push(EdsRow {
                        addresses: endpoint.addresses(),
                        status: endpoint.status().to_owned(),
                        locality: locality_text(&group.locality),
                        cluster: assignment.cluster_name.clone(),
                    });
                }
            }
        }
    }
    Ok(rows)
}

/// An assignment as it was written, and for each endpoint of each locality whether it matches.
pub(super) struct Matching<'a> {
    pub(super) raw: &'a RawValue,
    pub(super) matches: Vec<Vec<bool>>,
}

/// The assignments that have an endpoint which matches.
pub(super) fn matching<'a>(dump: &ConfigDump<'a>, filter: &EndpointFilter) -> Result<Vec<Matching<'a>>, Error> {
    let mut found = Vec::new();
    for (assignment, raw) in assignments(dump)? {
        let is_wanted = |endpoint: &LbEndpoint| endpoint.matches(filter, &assignment.cluster_name);
        let groups = assignment.endpoints.iter();
        let matches: Vec<Vec<bool>> = groups.map(|group| group.lb_endpoints.iter().map(is_wanted).collect()).collect();
        if matches.iter().flatten().any(|matches| *matches) {
            found.push(Matching { raw, matches });
        }
    }
    Ok(found)
}

/// The table of `istioctl proxy-config eds`, and with a prefix that of `all`.
pub(super) fn eds_text_with(rows: &[EdsRow], prefix: &str) -> String {
    let mut table = Table::with_header(5, &["NAME", "STATUS", "LOCALITY", "CLUSTER"]);
    for row in rows {
        let name = format!("{prefix}{}", row.addresses.join(","));
        table.push(vec![name, row.status.clone(), row.locality.clone(), row.cluster.clone()]);
    }
    table.text()
}

/// The table of `istioctl proxy-config eds`.
pub fn eds_text(rows: &[EdsRow]) -> String {
    eds_text_with(rows, "")
}
