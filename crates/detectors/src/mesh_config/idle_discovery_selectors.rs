//! Finds `discoverySelectors` that select every namespace.

use super::maps;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/discovery-selectors-all",
        reads: &[Kind::Namespace, Kind::ConfigMap, Kind::Deployment, Kind::MutatingWebhookConfiguration],
        reports: &[&CFG0016],
        by_default: true,
        run,
    },
};

static CFG0016: Code = Code {
    id: "CFG0016",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/ops/configuration/mesh/configuration-scoping/#discoveryselectors",
    page: include_str!("pages/CFG0016.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (control_plane, config) in maps::configs(mesh) {
        let selectors = config.setting(&["discoverySelectors"]);
        let map = selectors.from.and_then(|from| mesh.find(Kind::ConfigMap, mesh.istio_namespace(), from));
        let Some(map) = map.filter(|_| !selectors.value.is_empty()) else { continue };
        let asks_nothing = selectors
            .value
            .items()
            .any(|selector| selector.get("matchLabels").is_empty() && selector.get("matchExpressions").is_empty());
        let mut namespaces = mesh.each(Kind::Namespace);
        if asks_nothing || namespaces.len() > 0 && namespaces.all(|namespace| config.discovers(namespace)) {
            messages.report(selectors_select_all(map, control_plane.revision, asks_nothing));
        }
    }
}

fn selectors_select_all<'m>(map: &'m Object, revision: &str, asks_nothing: bool) -> Message<'m> {
    let why = if asks_nothing { "one of them is empty" } else { "every namespace has the labels" };
    let text = format!("discoverySelectors of revision {revision} select every namespace ({why}): nothing is saved.");
    let remedy = format!(
        "Select by a label that only namespaces of the mesh have, or remove discoverySelectors from ConfigMap {}.",
        map.full_name()
    );
    Message::new(&CFG0016, map, text).at(Path::data("mesh")).remedy(remedy)
}
