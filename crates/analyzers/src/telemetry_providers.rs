//! Finds Telemetries that turn on access logs without saying where to.

use super::{Analyzer, Message, Messages, quoted};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "telemetry.ProviderAnalyzer",
    reads: &[Kind::Telemetry, Kind::MeshConfig],
    reports: &[&IST0157],
    by_default: true,
    run,
};

static IST0157: Code = Code {
    id: "IST0157",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/telemetry/#AccessLogging",
    page: include_str!("pages/IST0157.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for telemetry in mesh.each(Kind::Telemetry) {
        if mesh.config_of(telemetry.namespace()).has_default_access_logging {
            continue;
        }
        for logging in telemetry.spec().field("accessLogging").items() {
            if !logging.get("disabled").truth() && logging.get("providers").is_empty() {
                messages.report(has_no_provider(telemetry));
            }
        }
    }
}

fn has_no_provider(telemetry: &Object) -> Message<'_> {
    let (name, namespace) = (telemetry.name(), quoted(telemetry.namespace()));
    let text = format!("The Telemetry {name} in namespace {namespace} with empty providers will be ignored.");
    Message::new(&IST0157, telemetry, text)
}
