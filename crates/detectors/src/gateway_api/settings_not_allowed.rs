//! Finds settings for Gateways that the add-on does not allow.

use super::add_on::{ADD_ON, Allowed};
use super::settings::{is_for_istio, setting};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/configmap-field",
        reads: &[Kind::ConfigMap, Kind::KubernetesGateway, Kind::GatewayClass],
        reports: &[&GWA0008],
        by_default: true,
        run,
    },
};

static GWA0008: Code = Code {
    id: "GWA0008",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-gateway-api#configmap-customizations",
    page: include_str!("pages/GWA0008.md"),
};

/// The fewest replicas that the add-on allows.
const FEWEST: i64 = 2;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    for map in mesh.each(Kind::ConfigMap).filter(|map| is_for_istio(mesh, map)) {
        for (key, text) in map.root().get("data").entries() {
            if !ADD_ON.has_setting(key) {
                messages.report(is_not_allowed(map, key, key));
                continue;
            }
            let Ok(tree) = setting(text.text()) else { continue };
            let mut fields = Vec::new();
            collect(tree.root(), key, "", &mut fields);
            for field in fields {
                messages.report(is_not_allowed(map, key, &format!("{key}: {field}")));
            }
            let replicas = tree.root().get("spec").get("minReplicas").integer_if_any();
            if let Some(replicas) = replicas.filter(|replicas| *replicas < FEWEST) {
                messages.report(has_few_replicas(map, key, replicas));
            }
        }
    }
}

/// The fields that are not allowed; of several within each other the outermost.
fn collect(view: View<'_>, setting: &str, path: &str, fields: &mut Vec<String>) {
    for item in view.items() {
        collect(item, setting, path, fields);
    }
    for (name, value) in view.entries() {
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match ADD_ON.allows(setting, &path) {
            Allowed::Yes => {}
            Allowed::InPart => collect(value, setting, &path, fields),
            Allowed::No if matches!(path.as_str(), "apiVersion" | "kind") => {}
            Allowed::No => fields.push(path),
        }
    }
}

fn path_of(key: &str) -> Path {
    Path::data(key.to_owned())
}

fn is_not_allowed<'m>(map: &'m Object, key: &str, what: &str) -> Message<'m> {
    let text = format!(
        "Sets {what}, which the add-on does not allow for Gateways (list of {}): the change is refused or has no \
         effect.",
        ADD_ON.as_of
    );
    Message::new(&GWA0008, map, text).at(path_of(key)).remedy("Remove the field.")
}

fn has_few_replicas<'m>(map: &'m Object, key: &str, replicas: i64) -> Message<'m> {
    let text =
        format!("Sets spec.minReplicas of the autoscaler to {replicas}; the add-on allows no fewer than {FEWEST}.");
    Message::new(&GWA0008, map, text).at(path_of(key)).remedy(format!("Set it to {FEWEST} or more."))
}
