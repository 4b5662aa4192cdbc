//! Finds control planes and proxies that were told to log for debugging.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, View, Workload};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "obs/istiod-log-level",
        reads: &[Kind::Deployment],
        reports: &[&OBS0012],
        by_default: true,
        run,
    },
};

static OBS0012: Code = Code {
    id: "OBS0012",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/ops/diagnostic-tools/component-logging/",
    page: include_str!("pages/OBS0012.md"),
};

/// The annotations by which pods choose levels for their proxy
/// (<https://istio.io/latest/docs/reference/config/annotations/>).
const ANNOTATIONS: [&str; 3] =
    ["sidecar.istio.io/logLevel", "sidecar.istio.io/componentLogLevel", "sidecar.istio.io/agentLogLevel"];
const ARGUMENT: &str = "--log_output_level";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for istiod in mesh.istiods().map(|found| found.deployment) {
        let level = Workload::of_deployment(istiod).containers().find_map(level_of);
        if let Some(level) = level.filter(|level| is_for_debugging(level)) {
            messages.report(logs_much(istiod, ARGUMENT, level));
        }
    }
    for deployment in mesh.each(Kind::Deployment) {
        let annotations = Workload::of_deployment(deployment).annotations;
        for key in ANNOTATIONS {
            let level = annotations.get(key).text();
            if is_for_debugging(level) {
                messages.report(logs_much(deployment, key, level));
            }
        }
    }
}

/// What a container is started with, written as one argument or as two.
fn level_of(container: View<'_>) -> Option<&str> {
    let mut arguments = container.get("args").texts();
    arguments.find_map(|argument| argument.strip_prefix(ARGUMENT)).and_then(|rest| match rest.strip_prefix('=') {
        Some(level) => Some(level),
        None => arguments.next(),
    })
}

/// Levels may be given for each component: `default:info,ads:debug`.
fn is_for_debugging(level: &str) -> bool {
    level.split(',').any(|part| matches!(part.rsplit(':').next(), Some("debug" | "trace")))
}

fn logs_much<'m>(deployment: &'m Object, setting: &str, level: &str) -> Message<'m> {
    let text = format!("{setting} is {level}: its logs are large, and cost time and storage.");
    let remedy = format!("When the search is over, take {setting} back to its default.");
    Message::new(&OBS0012, deployment, text).remedy(remedy)
}
