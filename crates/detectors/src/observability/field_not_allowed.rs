//! Finds fields of Telemetries that the AKS add-on does not allow.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "obs/telemetry-blocked",
        reads: &[Kind::Telemetry],
        reports: &[&OBS0008],
        by_default: true,
        run,
    },
};

static OBS0008: Code = Code {
    id: "OBS0008",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-telemetry#telemetry-api-support-scope",
    page: include_str!("pages/OBS0008.md"),
};

/// The day on which the list was read.
const LIST_DATE: &str = "2026-08-21";
/// What a block of each kind may have; those of `tracing` may have anything.
const ALLOWED: [(&str, &[&str]); 2] =
    [("accessLogging", &["match", "disabled", "providers"]), ("metrics", &["overrides", "providers"])];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    for telemetry in mesh.each(Kind::Telemetry) {
        for (signal, allowed) in ALLOWED {
            for (block, index) in telemetry.spec().field(signal).items().zip(0..) {
                for (field, _) in block.entries().filter(|(field, _)| !allowed.contains(field)) {
                    let path = Path::spec().key(signal).index(index).key(field.to_owned());
                    messages.report(is_not_allowed(telemetry, signal, field).at(path));
                }
            }
        }
    }
}

fn is_not_allowed<'m>(telemetry: &'m Object, signal: &str, field: &str) -> Message<'m> {
    let text = format!(
        "{signal}.{field} is not among the fields that the add-on allows or supports in a Telemetry (list of \
         {LIST_DATE})."
    );
    let remedy = "Remove it. What it filters can be filtered where the logs and metrics are collected.";
    Message::new(&OBS0008, telemetry, text).remedy(remedy)
}
