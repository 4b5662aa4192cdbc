//! Finds meshes in which every request of every proxy is logged.

use std::collections::BTreeSet;

use crate::{Certainty, Detector, layers};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "res/access-log-cost",
        reads: &[Kind::Telemetry, Kind::ConfigMap],
        reports: &[&RES0008],
        by_default: true,
        run,
    },
};

static RES0008: Code = Code {
    id: "RES0008",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/tasks/observability/logs/access-log/",
    page: include_str!("pages/RES0008.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let of_mesh = mesh.each(Kind::Telemetry).filter(|telemetry| {
        mesh.is_root_namespace(telemetry.namespace())
            && telemetry.spec().get("selector").is_empty()
            && telemetry.spec().field("accessLogging").is_list()
    });
    let of_mesh: Vec<&Object> = of_mesh.collect();
    for telemetry in &of_mesh {
        if telemetry.spec().field("accessLogging").items().any(logs_everything) {
            messages.report(telemetry_logs_everything(telemetry));
        }
    }
    // Where a Telemetry decides for the mesh, the file is only what it falls back to.
    if !of_mesh.is_empty() {
        return;
    }
    let mut seen = BTreeSet::new();
    for (_, config) in layers::configs(mesh) {
        let setting = config.setting(&["accessLogFile"]);
        if !setting.value.is_empty() && seen.insert(setting.from) {
            let text = format!("accessLogFile is {}: {COST}", setting.value.text());
            messages.report(layers::about(mesh, &RES0008, &setting, text).remedy(REMEDY));
        }
    }
}

fn logs_everything(logging: View<'_>) -> bool {
    !logging.get("disabled").truth() && !logging.get("filter").is_set() && !logging.get("match").is_set()
}

const COST: &str = "every request is logged at both ends, which costs CPU, and space where the logs are kept.";
const REMEDY: &str = "Nothing, if that is wanted. To log failures only, set in a Telemetry of the root namespace: accessLogging: \
                      [{providers: [{name: envoy}], filter: {expression: \"response.code >= 400\"}}] (on AKS outside of the \
                      add-on's support: try with --dry-run=server first).";

fn telemetry_logs_everything(telemetry: &Object) -> Message<'_> {
    let text = format!("It turns access logs on for the whole mesh without a filter: {COST}");
    Message::new(&RES0008, telemetry, text).at(Path::spec().key("accessLogging")).remedy(REMEDY)
}
