//! Finds metrics with tags that have a value for each request.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer { name: "res/cardinality", reads: &[Kind::Telemetry], reports: &[&RES0012], by_default: true, run },
};

static RES0012: Code = Code {
    id: "RES0012",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/tasks/observability/metrics/customize-metrics/",
    page: include_str!("pages/RES0012.md"),
};

/// Attributes of requests that clients choose, or that differ for each request
/// (<https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes>).
const UNBOUNDED: [&str; 9] = [
    "request.path",
    "request.url_path",
    "request.query",
    "request.id",
    "request.headers",
    "request.useragent",
    "request.referer",
    "request.time",
    "source.port",
];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for telemetry in mesh.each(Kind::Telemetry) {
        for (metrics, i) in telemetry.spec().get("metrics").items().zip(0..) {
            for (change, j) in metrics.get("overrides").items().zip(0..) {
                for (tag, settings) in change.field("tagOverrides").entries() {
                    let value = settings.get("value").text();
                    if !is_bounded(value) && settings.get("operation").text() != "REMOVE" {
                        let path = Path::spec().key("metrics").index(i).key("overrides").index(j);
                        let path = path.key("tagOverrides").key(tag.to_owned());
                        messages.report(tag_has_no_bound(telemetry, tag, value, path));
                    }
                }
            }
        }
    }
}

/// Whether an expression reads nothing unbounded, or makes a few values of it: a comparison or a choice.
fn is_bounded(expression: &str) -> bool {
    let is_choice = ["==", "!=", "?", "startsWith(", "endsWith(", "contains(", "matches(", " in "];
    !UNBOUNDED.iter().any(|attribute| expression.contains(attribute))
        || is_choice.iter().any(|it| expression.contains(it))
}

fn tag_has_no_bound<'m>(telemetry: &'m Object, tag: &str, value: &str, path: Path) -> Message<'m> {
    let text = format!(
        "The tag {tag} takes its value from {value}, which clients choose: each new value is another time series in every proxy \
         that sees it, and in Prometheus."
    );
    let remedy = format!(
        "Remove the tag ({tag}: {{operation: REMOVE}}), or make a few values of it, as in: {value}.startsWith(\"/api\") ? \"api\" : \
         \"other\""
    );
    Message::new(&RES0012, telemetry, text).at(path).remedy(remedy)
}
