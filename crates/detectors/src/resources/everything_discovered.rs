//! Finds control planes that watch many namespaces outside of the mesh.

use crate::{Certainty, Detector, layers};
use analyzers::{Analyzer, Message, Messages};
use mesh::{INJECTION, Kind, Mesh, Object, REVISION};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "res/discovery-selectors-absent",
        reads: &[Kind::Namespace, Kind::ConfigMap],
        reports: &[&RES0011],
        by_default: true,
        run,
    },
};

static RES0011: Code = Code {
    id: "RES0011",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/ops/configuration/mesh/configuration-scoping/#discoveryselectors",
    page: include_str!("pages/RES0011.md"),
};

/// So many namespaces outside of the mesh, and at least half of all, are worth a word.
const MANY: usize = 20;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let all = mesh.each(Kind::Namespace).len();
    let outside = mesh.each(Kind::Namespace).filter(|namespace| !is_labelled(namespace)).count();
    let configs = layers::configs(mesh);
    let unlimited = configs.iter().find(|(_, config)| config.setting(&["discoverySelectors"]).value.is_empty());
    if let Some((revision, _)) = unlimited
        && outside >= MANY
        && 2 * outside >= all
    {
        messages.report(all_are_watched(mesh, revision, outside, all));
    }
}

fn is_labelled(namespace: &Object) -> bool {
    namespace.label(INJECTION) == Some("enabled") || namespace.label(REVISION).is_some_and(|label| !label.is_empty())
}

fn all_are_watched<'m>(mesh: &'m Mesh, revision: &str, outside: usize, all: usize) -> Message<'m> {
    let text = format!(
        "{outside} of {all} namespaces are not in the mesh, and istiod watches them all the same: without discoverySelectors their \
         Services and pods cost memory, there and in every proxy."
    );
    let remedy = format!(
        "Set discoverySelectors in {} to the namespaces of the mesh, {} included. Try it outside of production: what they leave out \
         is hidden from the mesh, also as a destination.",
        layers::to_edit(mesh, revision),
        mesh.istio_namespace()
    );
    match mesh.namespace(mesh.istio_namespace()) {
        Some(namespace) => Message::new(&RES0011, namespace, text).remedy(remedy),
        None => Message::without_object(&RES0011, text).remedy(remedy),
    }
}
