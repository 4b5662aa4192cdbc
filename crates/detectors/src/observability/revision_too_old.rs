//! Finds Telemetries that the add-on's revision is too old for.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, add_on_version};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "obs/telemetry-old-revision",
        reads: &[Kind::Telemetry, Kind::Deployment],
        reports: &[&OBS0009],
        by_default: true,
        run,
    },
};

static OBS0009: Code = Code {
    id: "OBS0009",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-telemetry",
    page: include_str!("pages/OBS0009.md"),
};

/// The first revision with which the add-on supports Telemetries.
const FIRST: &str = "asm-1-22";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let newest = mesh.newest_revision().filter(|_| mesh.is_aks());
    let Some((newest, version)) = newest.and_then(|newest| Some((newest, add_on_version(newest)?))) else { return };
    if Some(version) < add_on_version(FIRST) {
        for telemetry in mesh.each(Kind::Telemetry) {
            messages.report(is_not_supported(telemetry, newest));
        }
    }
}

fn is_not_supported<'m>(telemetry: &'m Object, newest: &str) -> Message<'m> {
    let text = format!("The add-on supports Telemetries from {FIRST} on, and the newest revision here is {newest}.");
    let remedy = format!(
        "Upgrade the mesh to {FIRST} or later, or set up logs and traces in ConfigMap istio-shared-configmap-{newest}."
    );
    Message::new(&OBS0009, telemetry, text).remedy(remedy)
}
