//! Finds Telemetries that switch metrics off for the whole mesh.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "obs/metrics-disabled",
        reads: &[Kind::Telemetry, Kind::ConfigMap],
        reports: &[&OBS0013],
        by_default: true,
        run,
    },
};

static OBS0013: Code = Code {
    id: "OBS0013",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/telemetry/#MetricsOverrides",
    page: include_str!("pages/OBS0013.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let telemetries = mesh.each(Kind::Telemetry).filter(|telemetry| mesh.is_root_namespace(telemetry.namespace()));
    for telemetry in telemetries.filter(|telemetry| telemetry.spec().get("selector").is_empty()) {
        for (block, i) in telemetry.spec().get("metrics").items().zip(0..) {
            for (over, j) in block.get("overrides").items().zip(0..) {
                if over.get("disabled").truth() {
                    let path = Path::spec().key("metrics").index(i).key("overrides").index(j).key("disabled");
                    messages.report(is_switched_off(telemetry, over).at(path));
                }
            }
        }
    }
}

fn is_switched_off<'m>(telemetry: &'m Object, over: View<'_>) -> Message<'m> {
    let (metric, custom) = (over.path(&["match", "metric"]).text(), over.path(&["match", "customMetric"]).text());
    let what = match (metric, custom) {
        ("" | "ALL_METRICS", "") => "all metrics",
        ("", custom) => custom,
        (metric, _) => metric,
    };
    let side = match over.path(&["match", "mode"]).text() {
        "CLIENT" => " of clients",
        "SERVER" => " of servers",
        _ => "",
    };
    let text = format!("Switches off {what}{side} for the whole mesh: dashboards that need them stay empty.");
    Message::new(&OBS0013, telemetry, text).remedy("Remove the override, if the metrics are wanted again.")
}
