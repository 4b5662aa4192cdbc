//! Finds workloads that override settings of the mesh by annotation.

use super::fields;
use crate::wording::{restart, some_of, template_of};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, MeshConfig, OWN_SETTINGS, Object, Proxy, View, yaml};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/annotation-override",
        reads: &[
            Kind::Pod,
            Kind::StatefulSet,
            Kind::DaemonSet,
            Kind::Job,
            Kind::Namespace,
            Kind::ConfigMap,
            Kind::Deployment,
            Kind::MutatingWebhookConfiguration,
        ],
        reports: &[&CFG0017],
        by_default: true,
        run,
    },
};

static CFG0017: Code = Code {
    id: "CFG0017",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/annotations/#ProxyConfig",
    page: include_str!("pages/CFG0017.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (workload, pods) in mesh.workloads() {
        let found = pods.into_iter().filter_map(Proxy::of).find_map(|proxy| {
            let own = yaml::first_document(proxy.own_settings()?).ok()??;
            let overrides = overrides(own.root(), mesh.config_of_proxy(&proxy));
            (!overrides.is_empty()).then_some(overrides)
        });
        if let Some(overrides) = found {
            messages.report(mesh_wide_values_do_not_hold(workload, &overrides));
        }
    }
}

/// The settings that the mesh configuration has too, with another value.
fn overrides(own: View<'_>, config: &MeshConfig) -> Vec<String> {
    let mut found = Vec::new();
    for (field, value) in own.entries() {
        if fields::camel(field) == "proxyMetadata" {
            for (key, value) in value.entries() {
                let of_mesh = config.setting(&["defaultConfig", "proxyMetadata", key]).value;
                found.extend(difference(&format!("proxyMetadata.{key}"), value, of_mesh));
            }
        } else {
            found.extend(difference(field, value, config.setting(&["defaultConfig", field]).value));
        }
    }
    found
}

fn difference(field: &str, own: View<'_>, of_mesh: View<'_>) -> Option<String> {
    let (own, of_mesh) = (own.to_json(), of_mesh.is_set().then(|| of_mesh.to_json())?);
    (own != of_mesh).then(|| format!("{field}: {own} instead of {of_mesh}"))
}

fn mesh_wide_values_do_not_hold<'m>(workload: &'m Object, overrides: &[String]) -> Message<'m> {
    let text = format!("The annotation {OWN_SETTINGS} overrides the mesh configuration: {}.", some_of(overrides));
    let remedy = format!(
        "Where the value of the mesh is to hold, remove the key from the annotation on {}; \
         then: {}",
        template_of(workload),
        restart(workload)
    );
    Message::new(&CFG0017, workload, text).remedy(remedy)
}
