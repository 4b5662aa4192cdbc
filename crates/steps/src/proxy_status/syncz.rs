//! istiod's page `/debug/syncz`: its connected proxies, and for each type of configuration whether the proxy has taken
//! what was sent. Releases from 1.23 on tell it for every type that a proxy asked for; older ones for five, as pairs.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Lenient, ListedClient, Text, WatchedType};

/// The types that every Envoy of Istio asks for, in istioctl's order, which is that of the pairs too.
pub(super) const CORE: [&str; 5] = [
    "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "type.googleapis.com/envoy.config.listener.v3.Listener",
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
];

/// Istio's short names.
const SHORT_NAMES: [(&str, &str); 10] = [
    (CORE[0], "CDS"),
    (CORE[1], "LDS"),
    (CORE[2], "EDS"),
    (CORE[3], "RDS"),
    (CORE[4], "ECDS"),
    ("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", "SDS"),
    ("type.googleapis.com/istio.networking.nds.v1.NameTable", "NDS"),
    ("type.googleapis.com/istio.mesh.v1alpha1.ProxyConfig", "PCDS"),
    ("type.googleapis.com/istio.workload.Address", "WDS"),
    ("type.googleapis.com/istio.security.Authorization", "WADS"),
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
    #[schema(value_type = String)]
    pub name: Cow<'static, str>,
    #[schema(value_type = String)]
    pub type_url: Cow<'static, str>,
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
        last_sent(&self.types)
    }
}

/// When istiod sent something of these types last.
pub(super) fn last_sent(types: &[TypeStatus]) -> Option<Timestamp> {
    types.iter().filter_map(|one| one.last_sent).max()
}

/// Reads the page.
pub(super) fn clients(page: &[u8], now: Timestamp) -> Result<Vec<Client>, serde_json::Error> {
    let page: Option<Vec<Lenient<ListedClient<'_>>>> = serde_json::from_slice(page)?;
    let page: Vec<_> = page.into_iter().flatten().filter_map(|client| client.0).collect();
    let has_resources = page.iter().any(|client| client.resources.0.is_some());
    let mut clients = Vec::with_capacity(page.len());
    for client in page {
        // Whoever asks istiod for its own state, as istioctl does, is a client too.
        if client.cluster_id.is_empty() && !PROXY_TYPES.contains(&&*client.proxy_type) {
            continue;
        }
        // A star is Istio's word for a version that it has from the proxy's own build.
        let version = match (&*client.istio_version, &*client.proxy_version) {
            ("", "") => String::new(),
            ("", version) => format!("{version}*"),
            (version, _) => version.to_owned(),
        };
        let types = if has_resources {
            let resources = client.resources.0.unwrap_or_default();
            resources.into_iter().map(|(type_url, one)| watched(&type_url, &one.0.unwrap_or_default(), now)).collect()
        } else {
            pairs(&client)
        };
        let [cluster, proxy, proxy_type] =
            [&client.cluster_id, &client.proxy, &client.proxy_type].map(|text: &Text<'_>| text.to_string());
        clients.push(Client { cluster, proxy, proxy_type, version, types });
    }
    Ok(clients)
}

fn watched(type_url: &str, one: &WatchedType<'_>, now: Timestamp) -> TypeStatus {
    let status = match (&*one.last_error, &*one.sent) {
        (error, _) if !error.is_empty() => SyncStatus::Error,
        (_, "") => SyncStatus::NotSent,
        (_, sent) if *sent == *one.acked => SyncStatus::Synced,
        _ => SyncStatus::Stale,
    };
    // A type that nothing was sent for has the time zero of the year 1.
    let last_sent = one.sent_time.parse::<Timestamp>().ok().filter(|time| time.as_second() > 0);
    TypeStatus {
        status,
        last_sent,
        age_s: last_sent.map(|time| now.as_second().saturating_sub(time.as_second())),
        error: (!one.last_error.is_empty()).then(|| one.last_error.to_string()),
        ..named(type_url, &one.sent, &one.acked)
    }
}

/// The five pairs of releases before 1.23, which do not tell what a proxy asked for.
fn pairs(client: &ListedClient<'_>) -> Vec<TypeStatus> {
    let pair = |(type_url, (sent, acked)): (&str, (&str, &str))| {
        let status = match sent {
            _ if *client.proxy_type == *"ztunnel" => SyncStatus::Ignored,
            "" => SyncStatus::NotSent,
            sent if sent == acked => SyncStatus::Synced,
            _ => SyncStatus::Stale,
        };
        TypeStatus { status, ..named(type_url, sent, acked) }
    };
    let mut types: Vec<_> = CORE.into_iter().zip(client.pairs()).map(pair).collect();
    types.sort_by(|a, b| a.type_url.cmp(&b.type_url));
    types
}

/// A type with its nonces.
fn named(type_url: &str, sent: &str, acked: &str) -> TypeStatus {
    let known = SHORT_NAMES.into_iter().find(|(known, _)| *known == type_url);
    let (name, type_url) = match known {
        Some((type_url, name)) => (Cow::Borrowed(name), Cow::Borrowed(type_url)),
        None => (Cow::Owned(type_url.to_owned()), Cow::Owned(type_url.to_owned())),
    };
    let (sent, acked) = (sent.to_owned(), acked.to_owned());
    TypeStatus { name, type_url, status: SyncStatus::Ignored, sent, acked, last_sent: None, age_s: None, error: None }
}

/// Istio's short name of a type, or the type itself.
pub(super) fn short_name(type_url: &str) -> &str {
    SHORT_NAMES.into_iter().find(|(known, _)| *known == type_url).map_or(type_url, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn statuses(page: &Value) -> Vec<(String, Vec<(String, SyncStatus)>)> {
        let clients = clients(page.to_string().as_bytes(), Timestamp::UNIX_EPOCH).expect("page");
        let types = |client: Client| client.types.into_iter().map(|one| (one.name.into_owned(), one.status)).collect();
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
