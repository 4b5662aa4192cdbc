//! istiod's page `/debug/syncz`: its connected proxies, and for each type of configuration whether the proxy has taken
//! what was sent. Releases from 1.23 on tell it for every type that a proxy asked for; older ones for five, as pairs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

const TYPE_PREFIX: &str = "type.googleapis.com/";

/// The types that every Envoy of Istio asks for, in istioctl's order, and the names of their pairs.
pub(super) const CORE: [(&str, &str); 5] = [
    ("type.googleapis.com/envoy.config.cluster.v3.Cluster", "cluster"),
    ("type.googleapis.com/envoy.config.listener.v3.Listener", "listener"),
    ("type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", "endpoint"),
    ("type.googleapis.com/envoy.config.route.v3.RouteConfiguration", "route"),
    ("type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "extensionconfig"),
];

const PROXY_TYPES: [&str; 5] = ["sidecar", "router", "waypoint", "ztunnel", "agentgateway"];

/// Whether a proxy has what istiod sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SyncStatus {
    /// The proxy has acknowledged the last that was sent.
    Synced,
    /// Something was sent that the proxy has not acknowledged, or not yet.
    Stale,
    /// The proxy asked, and istiod had nothing to send.
    NotSent,
    /// The proxy refused what was sent, and works with what it had before.
    Error,
    /// The proxy does not ask for this type.
    Ignored,
}

/// One type of configuration of one proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TypeStatus {
    /// Short name: `CDS`, `LDS`, `EDS`, `RDS`, `SDS`, `ECDS`, `NDS` …
    #[serde(rename = "type")]
    pub name: String,
    pub type_url: String,
    pub status: SyncStatus,
    /// Nonce of the last push: the version of istiod's configuration, and a random part.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sent: String,
    /// Nonce that the proxy has acknowledged last.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub acked: String,
    /// When istiod sent it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sent: Option<Timestamp>,
    /// How long ago that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_s: Option<i64>,
    /// The proxy's words on why it refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A proxy that is connected to an istiod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) cluster: String,
    /// `<pod>.<namespace>`
    pub(super) proxy: String,
    pub(super) proxy_type: String,
    pub(super) version: String,
    pub(super) types: Vec<TypeStatus>,
}

impl Client {
    /// When istiod sent it something last.
    pub(super) fn last_sent(&self) -> Option<Timestamp> {
        self.types.iter().filter_map(|one| one.last_sent).max()
    }
}

/// Reads the page.
pub(super) fn clients(page: &[u8], now: Timestamp) -> Result<Vec<Client>, serde_json::Error> {
    let page: Option<Vec<Value>> = serde_json::from_slice(page)?;
    let page = page.unwrap_or_default();
    let has_resources = page.iter().any(|client| client["resources"].is_object());
    let text = |client: &Value, field: &str| client[field].as_str().unwrap_or_default().to_owned();
    let mut clients = Vec::with_capacity(page.len());
    for client in &page {
        let (cluster, proxy_type) = (text(client, "cluster_id"), text(client, "proxy_type"));
        // Whoever asks istiod for its own state, as istioctl does, is a client too.
        if cluster.is_empty() && !PROXY_TYPES.contains(&proxy_type.as_str()) {
            continue;
        }
        let types = if has_resources { watched(client, now) } else { pairs(client, &proxy_type) };
        let version = match text(client, "istio_version") {
            // Istio's word for a version that it has from the proxy's own build.
            version if version.is_empty() => match text(client, "proxy_version") {
                version if version.is_empty() => version,
                version => version + "*",
            },
            version => version,
        };
        clients.push(Client { cluster, proxy: text(client, "proxy"), proxy_type, version, types });
    }
    Ok(clients)
}

fn watched(client: &Value, now: Timestamp) -> Vec<TypeStatus> {
    let Some(resources) = client["resources"].as_object() else { return Vec::new() };
    let sorted: BTreeMap<&String, &Value> = resources.iter().collect();
    sorted
        .into_iter()
        .map(|(type_url, watched)| {
            let text = |field: &str| watched[field].as_str().unwrap_or_default().to_owned();
            let (sent, acked, error) = (text("sent"), text("acked"), text("lastError"));
            let status = match (error.as_str(), sent.as_str()) {
                (error, _) if !error.is_empty() => SyncStatus::Error,
                (_, "") => SyncStatus::NotSent,
                (_, sent) if sent == acked => SyncStatus::Synced,
                _ => SyncStatus::Stale,
            };
            // A type that nothing was sent for has the time zero of the year 1.
            let last_sent = text("sentTime").parse::<Timestamp>().ok().filter(|time| time.as_second() > 0);
            let age_s = last_sent.map(|time| now.as_second().saturating_sub(time.as_second()));
            let error = Some(error).filter(|error| !error.is_empty());
            let (name, type_url) = (short_name(type_url), type_url.clone());
            TypeStatus { name, type_url, status, sent, acked, last_sent, age_s, error }
        })
        .collect()
}

/// The five pairs of releases before 1.23, which do not tell what a proxy asked for.
fn pairs(client: &Value, proxy_type: &str) -> Vec<TypeStatus> {
    let pair = |(type_url, field): (&str, &str)| {
        let nonce = |what: &str| client[format!("{field}_{what}")].as_str().unwrap_or_default().to_owned();
        let (sent, acked) = (nonce("sent"), nonce("acked"));
        let status = match sent.as_str() {
            _ if proxy_type == "ztunnel" => SyncStatus::Ignored,
            "" => SyncStatus::NotSent,
            sent if sent == acked => SyncStatus::Synced,
            _ => SyncStatus::Stale,
        };
        let (name, type_url) = (short_name(type_url), type_url.to_owned());
        TypeStatus { name, type_url, status, sent, acked, last_sent: None, age_s: None, error: None }
    };
    let mut types: Vec<_> = CORE.into_iter().map(pair).collect();
    types.sort_by(|a, b| a.type_url.cmp(&b.type_url));
    types
}

/// Istio's short name of a type, or the type itself.
pub(super) fn short_name(type_url: &str) -> String {
    let name = match type_url.strip_prefix(TYPE_PREFIX).unwrap_or(type_url) {
        "envoy.config.cluster.v3.Cluster" => "CDS",
        "envoy.config.listener.v3.Listener" => "LDS",
        "envoy.config.route.v3.RouteConfiguration" => "RDS",
        "envoy.config.endpoint.v3.ClusterLoadAssignment" => "EDS",
        "envoy.extensions.transport_sockets.tls.v3.Secret" => "SDS",
        "istio.networking.nds.v1.NameTable" => "NDS",
        "istio.mesh.v1alpha1.ProxyConfig" => "PCDS",
        "envoy.config.core.v3.TypedExtensionConfig" => "ECDS",
        "istio.workload.Address" => "WDS",
        "istio.security.Authorization" => "WADS",
        _ => type_url,
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn statuses(page: &Value) -> Vec<(String, Vec<(String, SyncStatus)>)> {
        let clients = clients(page.to_string().as_bytes(), Timestamp::UNIX_EPOCH).expect("page");
        let types = |client: Client| client.types.into_iter().map(|one| (one.name, one.status)).collect();
        clients.into_iter().map(|client| (client.proxy.clone(), types(client))).collect()
    }

    #[test]
    fn every_type_that_a_proxy_asked_for_has_its_status() {
        let resource = |name: &str| format!("type.googleapis.com/{name}");
        let page = json!([{"cluster_id": "c", "proxy": "a.b", "resources": {
            resource("envoy.config.listener.v3.Listener"): {"sent": "2", "acked": "1", "lastError": "no"},
            resource("envoy.config.cluster.v3.Cluster"): {"sent": "2", "acked": "2"},
            resource("envoy.config.route.v3.RouteConfiguration"): {"sentTime": "0001-01-01T00:00:00Z"},
            resource("envoy.config.endpoint.v3.ClusterLoadAssignment"): {"sent": "2", "acked": "1"},
        }}, {"proxy": "istioctl"}]);
        let expected = [
            ("CDS", SyncStatus::Synced),
            ("EDS", SyncStatus::Stale),
            ("LDS", SyncStatus::Error),
            ("RDS", SyncStatus::NotSent),
        ];
        let expected = expected.map(|(name, status)| (name.to_owned(), status)).to_vec();
        assert_eq!(statuses(&page), [("a.b".to_owned(), expected)]);
    }

    #[test]
    fn hostile_pages_are_errors_or_empty() {
        for page in ["", "{}", "7", "[", "\"a\""] {
            assert!(clients(page.as_bytes(), Timestamp::UNIX_EPOCH).is_err(), "{page}");
        }
        assert_eq!(statuses(&json!(null)), []);
        let odd = json!([null, 7, [], {"cluster_id": 7, "proxy_type": "router", "proxy": null, "resources": {"x": null, "y": {"sent": 7}}}]);
        let expected = vec![("x".to_owned(), SyncStatus::NotSent), ("y".to_owned(), SyncStatus::NotSent)];
        assert_eq!(statuses(&odd), [(String::new(), expected)]);
    }
}
