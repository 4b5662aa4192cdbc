//! What the step answers: proxies, replicas of istiod, and those proxies that none of them knows.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::syncz::TypeStatus;
use envoy::comparison::ProxyDiff;

/// The proxies of the mesh and whether they have what istiod sent them.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ProxyStatusData {
    pub proxies: Vec<ProxyStatus>,
    /// Running proxies that are in the list of no istiod.
    pub unconnected: Vec<UnconnectedProxy>,
    /// The replicas of istiod, those that did not answer too.
    pub istiods: Vec<IstiodReplica>,
    /// How many proxies there are of each version.
    pub versions: BTreeMap<String, usize>,
    /// What istiod would send to the one proxy that was asked for, against what it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<ProxyDiff>,
}

/// A proxy that is connected to istiod.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProxyStatus {
    /// `<pod>.<namespace>`
    pub proxy: String,
    pub namespace: String,
    pub pod: String,
    pub cluster: String,
    /// `sidecar`, `router` (a gateway), `waypoint`, `ztunnel` …
    #[serde(skip_serializing_if = "String::is_empty")]
    pub proxy_type: String,
    /// The replica that it is connected to.
    pub istiod: String,
    /// Revision of that replica.
    pub revision: String,
    pub version: String,
    pub types: Vec<TypeStatus>,
    /// Other replicas that list it too: connections that have not timed out yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_in: Vec<String>,
}

/// A running proxy without istiod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnconnectedProxy {
    pub namespace: String,
    pub pod: String,
    /// The revision that injected it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub revision: String,
    /// Since when the proxy runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Timestamp>,
}

/// A replica of istiod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct IstiodReplica {
    pub namespace: String,
    pub pod: String,
    pub revision: String,
    /// As the replica tells it: version, source revision and state of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How many proxies it has; absent where it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxies: Option<usize>,
    /// Why it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The pod and the namespace of `<pod>.<namespace>`; only the pod's name may have dots.
pub(super) fn place(proxy: &str) -> (&str, &str) {
    proxy.rsplit_once('.').unwrap_or((proxy, ""))
}
