//! Finds proxies that trace every other request or more.

use std::collections::BTreeSet;

use super::proxy_settings::own;
use crate::{Certainty, Detector, layers};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, OWN_SETTINGS, Object, owner};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "res/tracing-sampling",
        reads: &[Kind::Telemetry, Kind::ConfigMap, Kind::Pod],
        reports: &[&RES0009],
        by_default: true,
        run,
    },
};

static RES0009: Code = Code {
    id: "RES0009",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/tasks/observability/distributed-tracing/telemetry-api/",
    page: include_str!("pages/RES0009.md"),
};

/// From this percentage on it is worth a word.
const HIGH: f64 = 50.0;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for telemetry in mesh.each(Kind::Telemetry) {
        for (tracing, index) in telemetry.spec().get("tracing").items().zip(0..) {
            let percentage = tracing.field("randomSamplingPercentage").number();
            if percentage >= HIGH && !tracing.field("disableSpanReporting").truth() {
                let path = Path::spec().key("tracing").index(index).key("randomSamplingPercentage");
                messages.report(telemetry_samples_most(telemetry, percentage, path));
            }
        }
    }
    let mut seen = BTreeSet::new();
    for (revision, config) in layers::configs(mesh) {
        let setting = config.setting(&["defaultConfig", "tracing"]);
        let percentage = setting.value.get("sampling").number();
        if percentage >= HIGH && seen.insert(setting.from) {
            let text = text("defaultConfig.tracing.sampling", percentage);
            let remedy = format!("Set it to 1, the usual value, in {}.", layers::to_edit(mesh, revision));
            messages.report(layers::about(mesh, &RES0009, &setting, text).remedy(remedy));
        }
    }
    for pod in mesh.proxied_workloads().into_iter().filter(|pod| pod.annotation(OWN_SETTINGS).is_some()) {
        let percentage = own(pod).root().path(&["tracing", "sampling"]).number();
        if percentage >= HIGH {
            messages.report(workload_samples_most(pod, percentage));
        }
    }
}

fn text(what: &str, percentage: f64) -> String {
    format!(
        "{what} is {percentage} %: that share of requests is traced, which costs CPU at both ends and traffic to the collector."
    )
}

fn telemetry_samples_most(telemetry: &Object, percentage: f64, path: Path) -> Message<'_> {
    let remedy = format!("Set randomSamplingPercentage to 1, the usual value, in Telemetry {}.", telemetry.full_name());
    Message::new(&RES0009, telemetry, text("randomSamplingPercentage", percentage)).at(path).remedy(remedy)
}

fn workload_samples_most(pod: &Object, percentage: f64) -> Message<'_> {
    let owner = owner(pod);
    let text = text(&format!("Sampling of {} {}", owner.kind, owner.name), percentage);
    let remedy =
        format!("Remove tracing.sampling from the annotation {OWN_SETTINGS} of its pod template, or set it to 1.");
    Message::new(&RES0009, pod, text).at(Path::metadata().key("annotations").key(OWN_SETTINGS)).remedy(remedy)
}
