//! What `istioctl proxy-status -o json` and `-o yaml` print: one document for each istiod, the answer of its xDS debug
//! interface (<https://github.com/envoyproxy/envoy/blob/main/api/envoy/service/status/v3/csds.proto>).
//!
//! The page has all of it but the nonce of that answer, the version of istiod's present configuration (`versionInfo`; the
//! nonces of the proxies name the version that each got last), and istiod's Go version.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    syncz::{SyncStatus, TypeStatus},
    view::{IstiodReplica, ProxyStatus, ProxyStatusData},
};
use report::yaml;

/// How the documents are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentFormat {
    Json,
    Yaml,
}

/// One document for each replica that answered.
pub(crate) fn text(data: &ProxyStatusData, format: DocumentFormat) -> String {
    let answered = data.istiods.iter().filter(|replica| replica.proxies.is_some());
    answered.map(|replica| written(&document(replica, &data.proxies), format)).collect()
}

/// One document as text.
pub fn written(document: &Value, format: DocumentFormat) -> String {
    let is_empty = document.as_object().is_some_and(Map::is_empty);
    match format {
        // As Go's printer of messages writes an empty one.
        DocumentFormat::Json if is_empty => "{\n\n}\n".to_owned(),
        DocumentFormat::Json => {
            let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
            let mut text = Vec::new();
            let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
            serde::Serialize::serialize(document, &mut serializer).expect("a value can be written to memory");
            text.push(b'\n');
            String::from_utf8(text).expect("serde_json writes UTF-8")
        }
        DocumentFormat::Yaml => yaml::to_string(document) + "\n",
    }
}

fn document(replica: &IstiodReplica, proxies: &[ProxyStatus]) -> Value {
    let own: Vec<_> = proxies.iter().filter(|proxy| proxy.istiod == replica.pod).collect();
    let mut document = Map::new();
    // An empty list is not written in protobuf's JSON.
    if !own.is_empty() {
        document.insert("resources".to_owned(), own.iter().map(|proxy| client_config(proxy)).collect());
    }
    document.insert("typeUrl".to_owned(), "istio.io/debug/syncz".into());
    let identifier = json!({"Component": "istiod", "ID": replica.pod, "Info": build(replica)});
    document.insert("controlPlane".to_owned(), json!({"identifier": identifier.to_string()}));
    Value::Object(document)
}

/// `<version>-<source revision>-<state of the source>`, as `/version` tells it.
fn build(replica: &IstiodReplica) -> Value {
    let text = replica.version.as_deref().unwrap_or_default();
    let mut parts = text.rsplitn(3, '-');
    let (status, revision, version) = match (parts.next(), parts.next(), parts.next()) {
        (Some(status), Some(revision), Some(version)) => (status, revision, version),
        _ => ("", "", text),
    };
    json!({"version": version, "revision": revision, "golang_version": "", "status": status, "tag": version})
}

fn client_config(proxy: &ProxyStatus) -> Value {
    let types = proxy.types.iter().filter(|one| one.status != SyncStatus::Ignored);
    json!({
        "@type": "type.googleapis.com/envoy.service.status.v3.ClientConfig",
        "node": {
            "id": proxy.proxy,
            "metadata": {
                "CLUSTER_ID": proxy.cluster, "ISTIO_VERSION": proxy.version, "NAMESPACE": proxy.namespace
            }
        },
        "genericXdsConfigs": types.map(generic_config).collect::<Vec<_>>()
    })
}

fn generic_config(one: &TypeStatus) -> Value {
    let mut config = Map::new();
    config.insert("typeUrl".to_owned(), one.type_url.as_ref().into());
    let time = one.last_sent.map(time);
    if let Some(time) = &time {
        config.insert("lastUpdated".to_owned(), time.clone().into());
    }
    config.insert("configStatus".to_owned(), serde_json::to_value(one.status).expect("a status is text"));
    if let Some(error) = &one.error {
        let mut state = Map::new();
        state.extend(time.map(|time| ("lastUpdateAttempt".to_owned(), time.into())));
        state.insert("details".to_owned(), error.clone().into());
        config.insert("errorState".to_owned(), Value::Object(state));
    }
    Value::Object(config)
}

/// A time as protobuf's JSON writes it: with no, 3, 6 or 9 digits after the second
/// (<https://protobuf.dev/programming-guides/json/>).
fn time(time: Timestamp) -> String {
    let digits = match time.subsec_nanosecond() {
        0 => 0,
        nanos if nanos % 1_000_000 == 0 => 3,
        nanos if nanos % 1000 == 0 => 6,
        _ => 9,
    };
    format!("{time:.digits$}")
}
