//! Finds sidecars that were started with other settings than the mesh configuration has now.

use serde_json::Value;

use crate::wording::{restart, some_of};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, schema};
use mesh::{Kind, Mesh, MeshConfig, Object, Proxy, Tree, View, yaml};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "inject/outdated-settings",
        reads: &[
            Kind::Pod,
            Kind::ConfigMap,
            Kind::ProxyConfig,
            Kind::Namespace,
            Kind::Deployment,
            Kind::StatefulSet,
            Kind::DaemonSet,
            Kind::Job,
        ],
        reports: &[&INJ0111],
        by_default: true,
        run,
    },
};

static INJ0111: Code = Code {
    id: "INJ0111",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig",
    page: include_str!("pages/INJ0111.md"),
};

/// Settings that a proxy reads when it starts, with the default that is not handed over.
const SCALARS: [(&str, &str); 4] = [
    ("concurrency", ""),
    ("holdApplicationUntilProxyStarts", "false"),
    ("drainDuration", "45s"),
    ("terminationDrainDuration", "5s"),
];

/// Of these it counts only whether they are set: their inner defaults are many.
const MESSAGES: [&str; 3] = ["tracing", "proxyStatsMatcher", "gatewayTopology"];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (workload, pods) in mesh.workloads() {
        // A ProxyConfig changes settings beside the mesh configuration.
        let is_overlaid = |place: &str| mesh.in_namespace(Kind::ProxyConfig, place).next().is_some();
        if pods.is_empty() || is_overlaid(workload.namespace()) {
            continue;
        }
        let found = pods.into_iter().filter_map(Proxy::of).find_map(|proxy| {
            let config = mesh.config_of_proxy(&proxy);
            let differences =
                if is_overlaid(&config.root_namespace) { Vec::new() } else { differences(&proxy, config)? };
            (!differences.is_empty()).then_some((proxy.pod, differences))
        });
        if let Some((pod, differences)) = found {
            messages.report(settings_are_outdated(workload, pod, &differences));
        }
    }
}

/// What the proxy has and what a new one would get, where these differ.
fn differences(proxy: &Proxy<'_>, config: &MeshConfig) -> Option<Vec<String>> {
    // Without a configuration that was read there is nothing to compare with.
    if config.layers.is_empty() {
        return None;
    }
    let has: Value = serde_json::from_str(proxy.settings()?).ok()?;
    let own = yaml::first_document(proxy.own_settings().unwrap_or_default()).ok()?;
    let own = own.as_ref().map_or(View::MISSING, Tree::root);
    let wants = |field: &str| {
        if own.field(field).is_set() { own.field(field) } else { config.setting(&["defaultConfig", field]).value }
    };
    let mut found = Vec::new();
    for (field, default) in SCALARS {
        let wanted = Some(wants(field).written()).filter(|text| !text.is_empty()).unwrap_or(default);
        let had = written(has.get(field)).unwrap_or_else(|| default.to_owned());
        if wanted != had && schema::milliseconds(wanted) != schema::milliseconds(&had).or(Some(-1)) {
            found.push(difference(field, &had, wanted));
        }
    }
    for field in MESSAGES {
        let (wanted, had) = (wants(field).is_set(), has.get(field).is_some_and(|value| !value.is_null()));
        if wanted != had {
            found.push(difference(field, if had { "some" } else { "" }, if wanted { "some" } else { "" }));
        }
    }
    for (key, value) in &config.proxy_metadata {
        let had = written(has.get("proxyMetadata").and_then(|metadata| metadata.get(key))).unwrap_or_default();
        if had != *value && !own.field("proxyMetadata").get(key).is_set() {
            found.push(difference(&format!("proxyMetadata.{key}"), &had, value));
        }
    }
    Some(found)
}

fn written(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn difference(field: &str, had: &str, wanted: &str) -> String {
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    format!("{field}: {} instead of {}", or_none(had), or_none(wanted))
}

fn settings_are_outdated<'m>(workload: &'m Object, pod: &Object, differences: &[String]) -> Message<'m> {
    let text = format!(
        "The proxy of pod {} was started with other settings than defaultConfig has now: {}. A proxy reads them at \
         injection only.",
        pod.name(),
        some_of(differences)
    );
    let remedy = format!("Make the pods anew: {}", restart(workload));
    Message::new(&INJ0111, workload, text).remedy(remedy)
}
