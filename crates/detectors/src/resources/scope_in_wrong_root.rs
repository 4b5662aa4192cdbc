//! Finds a `Sidecar` for the whole mesh that stands outside of the root namespace.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "res/sidecar-wrong-root",
        reads: &[Kind::Sidecar, Kind::Pod, Kind::ConfigMap],
        reports: &[&RES0004],
        by_default: true,
        run,
    },
};

static RES0004: Code = Code {
    id: "RES0004",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/networking/sidecar/",
    page: include_str!("pages/RES0004.md"),
};

/// The root namespace of an installation that sets none, which examples are written for.
const USUAL_ROOT: &str = "istio-system";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if mesh.is_root_namespace(USUAL_ROOT) || !mesh.proxied_workloads_in(USUAL_ROOT).is_empty() {
        return;
    }
    for sidecar in mesh.in_namespace(Kind::Sidecar, USUAL_ROOT) {
        if sidecar.spec().path(&["workloadSelector", "labels"]).is_empty() {
            messages.report(nobody_is_limited(mesh, sidecar));
        }
    }
}

fn nobody_is_limited<'m>(mesh: &Mesh, sidecar: &'m Object) -> Message<'m> {
    let root = &mesh.config().root_namespace;
    let text = format!(
        "It holds for namespace {USUAL_ROOT} alone, where no proxy runs: the root namespace of this mesh is {root}. No proxy is \
         limited by it."
    );
    let remedy = format!(
        "Apply it with `metadata.namespace: {root}`, and with {root}/* in place of {USUAL_ROOT}/* in its hosts, then: kubectl \
         delete sidecar {} -n {USUAL_ROOT}. Check first which calls between namespaces it would cut off.",
        sidecar.name()
    );
    Message::new(&RES0004, sidecar, text).at(Path::metadata().key("namespace")).remedy(remedy)
}
