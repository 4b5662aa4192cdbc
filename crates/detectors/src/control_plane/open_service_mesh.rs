//! Finds what is there of Open Service Mesh.

use crate::wording::some_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "cp/osm-present",
        reads: &[Kind::Deployment, Kind::Namespace, Kind::CustomResourceDefinition],
        reports: &[&CPL0101],
        by_default: true,
        run,
    },
};

static CPL0101: Code = Code {
    id: "CPL0101",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-about#limitations",
    page: include_str!("pages/CPL0101.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let controllers = mesh.each(Kind::Deployment).filter(|it| matches!(it.name(), "osm-controller" | "osm-injector"));
    let definitions = mesh.each(Kind::CustomResourceDefinition).filter(|it| it.name().ends_with(".openservicemesh.io"));
    let monitored = mesh.each(Kind::Namespace).filter(|it| it.label("openservicemesh.io/monitored-by").is_some());
    let found: Vec<&Object> = controllers.chain(definitions).chain(monitored).collect();
    if let Some(first) = found.first().copied() {
        messages.report(another_mesh_is_there(first, &found));
    }
}

fn another_mesh_is_there<'m>(first: &'m Object, found: &[&Object]) -> Message<'m> {
    let names: Vec<String> = found.iter().map(|object| object.origin()).collect();
    let is_running = first.kind() == Kind::Deployment;
    let what = if is_running { "Open Service Mesh runs" } else { "Something of Open Service Mesh is left" };
    let text = format!(
        "{what} in this cluster: {}. The Istio add-on cannot be enabled beside it, and two meshes redirect the same \
         traffic.",
        some_of(&names)
    );
    let remedy = "Where it is AKS's add-on: az aks disable-addons --addons open-service-mesh --resource-group <group> \
                  --name <cluster>. Then delete what is left of it (definitions, labels, webhooks).";
    Message::new(&CPL0101, first, text).remedy(remedy)
}
