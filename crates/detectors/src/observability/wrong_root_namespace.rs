//! Finds Telemetries that were meant for the whole mesh, and are in a namespace that is not its root.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, Workload};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "obs/telemetry-wrong-root",
        reads: &[Kind::Telemetry, Kind::Pod, Kind::ConfigMap],
        reports: &[&OBS0010],
        by_default: true,
        run,
    },
};

static OBS0010: Code = Code {
    id: "OBS0010",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-telemetry",
    page: include_str!("pages/OBS0010.md"),
};

/// The root namespace in Istio's own examples.
const USUAL: &str = "istio-system";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    // A namespace with proxies may have Telemetries of its own.
    let has_proxies = || mesh.in_namespace(Kind::Pod, USUAL).any(|pod| Workload::of_pod(pod).has_proxy());
    if mesh.is_root_namespace(USUAL) || has_proxies() {
        return;
    }
    for telemetry in mesh.in_namespace(Kind::Telemetry, USUAL) {
        messages.report(holds_for_nobody(telemetry, &mesh.config().root_namespace));
    }
}

fn holds_for_nobody<'m>(telemetry: &'m Object, root: &str) -> Message<'m> {
    let text = format!(
        "Is in namespace {USUAL}, but the root namespace of this mesh is {root}, and no pod of {USUAL} has a proxy: it \
         holds for nobody."
    );
    let remedy = format!("Move it to namespace {root}.");
    Message::new(&OBS0010, telemetry, text).at(Path::metadata().key("namespace")).remedy(remedy)
}
