//! A filter chain of a listener in words: which connections it takes, and where they go.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json;
use super::routes::{RouteConfiguration, VirtualHost};

const HTTP: &str = "envoy.filters.network.http_connection_manager";
const TCP: &str = "envoy.filters.network.tcp_proxy";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FilterChain<'a> {
    #[serde(alias = "filterChainMatch", deserialize_with = "json::or_default")]
    filter_chain_match: FilterChainMatch,
    #[serde(borrow, deserialize_with = "json::or_default")]
    pub(super) filters: Vec<Filter<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FilterChainMatch {
    #[serde(alias = "serverNames", deserialize_with = "json::or_default")]
    server_names: Vec<String>,
    #[serde(alias = "transportProtocol", deserialize_with = "json::or_default")]
    transport_protocol: String,
    #[serde(alias = "applicationProtocols", deserialize_with = "json::or_default")]
    application_protocols: Vec<String>,
    #[serde(alias = "prefixRanges", deserialize_with = "json::or_default")]
    prefix_ranges: Vec<PrefixRange>,
    #[serde(alias = "destinationPort", deserialize_with = "json::port")]
    destination_port: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PrefixRange {
    #[serde(alias = "addressPrefix", deserialize_with = "json::or_default")]
    address_prefix: String,
    #[serde(alias = "prefixLen", deserialize_with = "json::number")]
    prefix_len: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filter<'a> {
    #[serde(deserialize_with = "json::or_default")]
    name: String,
    #[serde(borrow, alias = "typedConfig")]
    typed_config: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConnectionManager {
    rds: Option<Rds>,
    #[serde(alias = "routeConfig")]
    route_config: Option<RouteConfiguration>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Rds {
    #[serde(alias = "routeConfigName", deserialize_with = "json::or_default")]
    route_config_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TcpProxy {
    #[serde(deserialize_with = "json::or_default")]
    cluster: String,
}

/// The lists of application protocols that istiod writes into filter chains, and what each means.
const PROTOCOL_LISTS: [(&str, &[&str]); 4] = [
    ("HTTP TLS", &["http/1.0", "http/1.1", "h2c", "istio-http/1.0", "istio-http/1.1", "istio-h2"]),
    ("Istio HTTP Plain", &["istio", "istio-http/1.0", "istio-http/1.1", "istio-h2"]),
    ("TCP TLS", &["istio-peer-exchange", "istio"]),
    ("HTTP", &["http/1.0", "http/1.1", "h2c"]),
];

impl Filter<'_> {
    pub(super) fn is_http(&self) -> bool {
        self.name == HTTP
    }

    /// A proxy to the black hole only refuses connections, so it does not count.
    pub(super) fn is_tcp(&self) -> bool {
        self.name == TCP && !self.typed_config.is_some_and(|config| config.get().contains("BlackHoleCluster"))
    }

    /// The cluster that a TCP proxy sends to.
    pub(super) fn tcp_cluster(&self) -> Option<String> {
        let config = self.typed_config.filter(|_| self.name == TCP)?;
        let proxy: TcpProxy = serde_json::from_str(config.get()).ok()?;
        Some(proxy.cluster).filter(|cluster| !cluster.is_empty())
    }

    fn destination(&self) -> Option<String> {
        if self.is_http() {
            return Some(self.http_destination());
        }
        self.is_tcp().then(|| cluster_text(&self.tcp_cluster().unwrap_or_default()))
    }

    fn http_destination(&self) -> String {
        let manager = self.typed_config.and_then(|config| serde_json::from_str(config.get()).ok());
        let ConnectionManager { rds, route_config } = manager.unwrap_or_default();
        match (route_config, rds) {
            (Some(config), _) => match sends_all_to(&config) {
                Some(cluster) => cluster_text(cluster),
                None => format!("Inline Route: {}", inline_text(&config)),
            },
            (None, Some(rds)) => format!("Route: {}", rds.route_config_name),
            (None, None) => "HTTP".to_owned(),
        }
    }
}

/// The cluster, if every request goes to the same.
fn sends_all_to(config: &RouteConfiguration) -> Option<&str> {
    let [host] = &config.virtual_hosts[..] else { return None };
    let [route] = &host.routes[..] else { return None };
    let is_all = host.domains == ["*"] && route.matches.prefix.as_deref() == Some("/");
    let cluster = route.action.as_ref()?.cluster.as_deref()?;
    (is_all && !cluster.is_empty()).then_some(cluster)
}

fn inline_text(config: &RouteConfiguration) -> String {
    config.virtual_hosts.iter().map(host_text).collect::<Vec<_>>().join("; ")
}

fn host_text(host: &VirtualHost) -> String {
    let matches = host.routes.iter().map(|route| route.matches.text()).collect::<Vec<_>>().join(", ");
    if host.domains.is_empty() || host.domains == ["*"] {
        return matches;
    }
    format!("{} {matches}", host.domains.join("/"))
}

fn cluster_text(cluster: &str) -> String {
    if cluster.contains("Cluster") { cluster.to_owned() } else { format!("Cluster: {cluster}") }
}

impl FilterChain<'_> {
    /// Where the connections go: the first filter that says so decides.
    pub(super) fn destination(&self) -> String {
        let decided = self.filters.iter().find_map(Filter::destination);
        decided.unwrap_or_else(|| "Non-HTTP/Non-TCP".to_owned())
    }

    /// Which connections it takes. Suffixes and sources are not shown.
    pub(super) fn match_text(&self) -> String {
        let wanted = &self.filter_chain_match;
        let mut parts = Vec::new();
        if !wanted.server_names.is_empty() {
            parts.push(format!("SNI: {}", wanted.server_names.join(",")));
        }
        if !wanted.transport_protocol.is_empty() {
            parts.push(format!("Trans: {}", wanted.transport_protocol));
        }
        if !wanted.application_protocols.is_empty() {
            let known = PROTOCOL_LISTS.iter().find(|(_, list)| wanted.application_protocols == *list);
            let text = known.map_or_else(|| wanted.application_protocols.join(","), |(name, _)| (*name).to_owned());
            parts.push(format!("App: {text}"));
        }
        let port = wanted.destination_port;
        if !wanted.prefix_ranges.is_empty() {
            let ranges = wanted.prefix_ranges.iter();
            let ranges: Vec<_> = ranges.map(|range| format!("{}/{}", range.address_prefix, range.prefix_len)).collect();
            let port = if port == 0 { String::new() } else { format!(":{port}") };
            parts.push(format!("Addr: {}{port}", ranges.join(",")));
        } else if port != 0 {
            parts.push(format!("Addr: *:{port}"));
        }
        if parts.is_empty() { "ALL".to_owned() } else { parts.join("; ") }
    }
}
