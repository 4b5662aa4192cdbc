//! The route configurations of a dump: which request goes to which cluster.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::config_dump::{ConfigDump, read, required};
use super::managed_by::Metadata;
use super::table::Table;
use super::{Error, json};

/// Which route configurations are wanted. An empty name means all.
#[derive(Debug, Clone, Default)]
pub struct RouteFilter {
    pub name: String,
}

/// One route configuration with its virtual hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RouteRow {
    /// A port for outbound traffic, `inbound|<port>||`, or `http.<port>`, `https.<port>.…` of a gateway; may be empty.
    pub name: String,
    pub virtual_hosts: Vec<VirtualHostRow>,
}

/// A set of domains that share their routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct VirtualHostRow {
    pub name: String,
    pub domains: Vec<String>,
    /// In the order in which Envoy tries them. Without any, every request is answered with 404.
    pub routes: Vec<RouteEntry>,
}

/// One route of a virtual host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RouteEntry {
    /// The path: `<prefix>*`, `PathPrefix:<prefix>`, `<exact>` or `regex <regex>`. Conditions on headers are left out.
    #[serde(rename = "match")]
    pub matches: String,
    /// Clusters that it sends to; none for a redirect or a direct response.
    pub clusters: Vec<String>,
    /// The `VirtualService` it was made from, `<name>.<namespace>`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub virtual_service: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RouteConfiguration {
    #[serde(deserialize_with = "json::or_default")]
    pub(super) name: String,
    #[serde(alias = "virtualHosts", deserialize_with = "json::or_default")]
    pub(super) virtual_hosts: Vec<VirtualHost>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct VirtualHost {
    #[serde(deserialize_with = "json::or_default")]
    pub(super) name: String,
    #[serde(deserialize_with = "json::or_default")]
    pub(super) domains: Vec<String>,
    #[serde(deserialize_with = "json::or_default")]
    pub(super) routes: Vec<Route>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Route {
    #[serde(rename = "match", deserialize_with = "json::or_default")]
    pub(super) matches: RouteMatch,
    #[serde(rename = "route")]
    pub(super) action: Option<RouteAction>,
    #[serde(deserialize_with = "json::or_default")]
    metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RouteMatch {
    pub(super) prefix: Option<String>,
    #[serde(alias = "pathSeparatedPrefix")]
    path_separated_prefix: Option<String>,
    path: Option<String>,
    #[serde(alias = "safeRegex")]
    safe_regex: Option<Regex>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Regex {
    #[serde(deserialize_with = "json::or_default")]
    regex: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RouteAction {
    pub(super) cluster: Option<String>,
    #[serde(alias = "weightedClusters")]
    weighted_clusters: Option<WeightedClusters>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WeightedClusters {
    #[serde(deserialize_with = "json::or_default")]
    clusters: Vec<WeightedCluster>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WeightedCluster {
    #[serde(deserialize_with = "json::or_default")]
    name: String,
}

impl RouteMatch {
    /// The path as the tables show it.
    pub(crate) fn text(&self) -> String {
        let mut parts: Vec<Cow<'_, str>> = Vec::new();
        if let Some(prefix) = self.prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            parts.push(format!("{prefix}*").into());
        }
        if let Some(prefix) = self.path_separated_prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
            parts.push(format!("PathPrefix:{prefix}").into());
        }
        if let Some(path) = self.path.as_deref().filter(|path| !path.is_empty()) {
            parts.push(path.into());
        }
        if let Some(regex) = &self.safe_regex {
            parts.push(format!("regex {}", regex.regex).into());
        }
        parts.join(" ")
    }
}

impl RouteAction {
    /// The clusters that are named. One that a request header chooses, or a plugin, is unknown here.
    pub(super) fn clusters(&self) -> impl Iterator<Item = &str> {
        let weighted = self.weighted_clusters.iter().flat_map(|weighted| &weighted.clusters);
        let named = self.cluster.as_deref().into_iter().chain(weighted.map(|cluster| cluster.name.as_str()));
        named.filter(|name| !name.is_empty())
    }
}

/// The route configurations of the name, in the dump's order.
pub fn rows(dump: &ConfigDump<'_>, filter: &RouteFilter) -> Result<Vec<RouteRow>, Error> {
    Ok(in_order(dump, filter)?.into_iter().map(|(configuration, _)| row(configuration)).collect())
}

/// The same, those named after a port first, as istioctl prints them as JSON and YAML.
pub(super) fn matching<'a>(
    dump: &ConfigDump<'a>,
    filter: &RouteFilter,
) -> Result<Vec<(RouteConfiguration, &'a RawValue)>, Error> {
    let mut found = in_order(dump, filter)?;
    // istioctl compares only names that are numbers, which orders the others by chance. Here they stay in place behind.
    found.sort_by_key(|(configuration, _)| configuration.name.parse::<i64>().map_or((true, 0), |port| (false, port)));
    Ok(found)
}

fn in_order<'a>(dump: &ConfigDump<'a>, filter: &RouteFilter) -> Result<Vec<(RouteConfiguration, &'a RawValue)>, Error> {
    let mut found = all(dump)?;
    if found.is_empty() {
        return Err(Error::Nothing("no routes found"));
    }
    found.retain(|(configuration, _)| filter.name.is_empty() || configuration.name == filter.name);
    Ok(found)
}

pub(super) fn all<'a>(dump: &ConfigDump<'a>) -> Result<Vec<(RouteConfiguration, &'a RawValue)>, Error> {
    let section = required(dump.routes.as_ref(), "Routes")?;
    let entries = section.dynamic_route_configs.iter().chain(&section.static_route_configs);
    let mut found = Vec::new();
    for resource in entries.filter_map(|entry| entry.resource) {
        found.push((read(resource, "a route configuration")?, resource));
    }
    Ok(found)
}

fn row(configuration: RouteConfiguration) -> RouteRow {
    let virtual_hosts = configuration.virtual_hosts.into_iter().map(|host| VirtualHostRow {
        name: host.name,
        domains: host.domains,
        routes: host.routes.iter().map(entry).collect(),
    });
    RouteRow { name: configuration.name, virtual_hosts: virtual_hosts.collect() }
}

fn entry(route: &Route) -> RouteEntry {
    RouteEntry {
        matches: route.matches.text(),
        clusters: route.action.iter().flat_map(RouteAction::clusters).map(str::to_owned).collect(),
        virtual_service: route.metadata.managed_by(),
    }
}

/// The table of `istioctl proxy-config route`.
pub fn text(rows: &[RouteRow]) -> String {
    text_with(rows, "")
}

/// The table, with a prefix that of `all`.
pub(super) fn text_with(rows: &[RouteRow], prefix: &str) -> String {
    let mut table = Table::with_header(5, &["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"]);
    for row in rows {
        for host in &row.virtual_hosts {
            let mut push = |matches: &str, virtual_service: &str| {
                let name = format!("{prefix}{}", row.name);
                let domains = domains_cell(&host.domains);
                table.push(vec![name, host.name.clone(), domains, matches.to_owned(), virtual_service.to_owned()]);
            };
            if host.routes.is_empty() {
                push("/*", "404");
            }
            for route in &host.routes {
                if route.clusters != ["PassthroughCluster"] {
                    push(&route.matches, &route.virtual_service);
                }
            }
        }
    }
    table.text()
}

/// The table of `istioctl proxy-config route --verbose=false`.
pub fn text_without_routes(rows: &[RouteRow]) -> String {
    let mut table = Table::with_header(5, &["NAME", "VIRTUAL HOSTS"]);
    for row in rows {
        table.push(vec![row.name.clone(), row.virtual_hosts.len().to_string()]);
    }
    table.text()
}

/// The domains of a virtual host in short: without ports and without names that are implied by a shorter one.
pub fn domains_cell(domains: &[String]) -> String {
    if let [only] = domains {
        return only.clone();
    }
    let all: BTreeSet<&str> = domains.iter().map(String::as_str).collect();
    let is_implied = |domain: &str| {
        let shorter = [".svc.cluster.local", ".svc"].into_iter().filter_map(|suffix| domain.strip_suffix(suffix));
        shorter.into_iter().any(|shorter| all.contains(shorter))
    };
    // A bare IPv6 address has colons too.
    let has_port = |domain: &str| {
        domain.contains(':') && !(domain.ends_with(']') && domain.bytes().filter(|byte| *byte == b':').count() > 2)
    };
    let shown: Vec<&str> =
        domains.iter().map(String::as_str).filter(|domain| !has_port(domain) && !is_implied(domain)).collect();
    match shown[..] {
        [first, second, _, ..] => format!("{first}, {second} + {} more...", shown.len() - 2),
        _ => shown.join(", "),
    }
}
