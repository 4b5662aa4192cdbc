//! Finds Telemetries that select nothing, and Telemetries that select the same pods.

use super::selector_conflicts::{names, pairs, selected_pods};
use super::shared::IST0101;
use super::{Analyzer, Message, Messages, Path, quoted};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "telemetry.SelectorAnalyzer",
    reads: &[Kind::Telemetry, Kind::Pod, Kind::Deployment],
    reports: &[&IST0101, &IST0159],
    by_default: true,
    run,
};

static IST0159: Code = Code {
    id: "IST0159",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/telemetry/#Telemetry",
    page: include_str!("pages/IST0159.md"),
};

const SELECTOR: (&str, &str) = ("selector", "matchLabels");

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let with_selector: Vec<&Object> =
        mesh.each(Kind::Telemetry).filter(|telemetry| !pairs(telemetry, SELECTOR).is_empty()).collect();
    for (pod, telemetries) in selected_pods(mesh, &with_selector, SELECTOR, messages) {
        if messages.is_full() {
            return;
        }
        if telemetries.len() > 1 {
            let names = names(&telemetries);
            for telemetry in telemetries {
                messages.report(select_the_same_pod(telemetry, &names, pod));
            }
        }
    }
}

fn select_the_same_pod<'m>(telemetry: &'m Object, telemetries: &str, pod: &Object) -> Message<'m> {
    let (namespace, pod) = (quoted(pod.namespace()), quoted(pod.name()));
    let text = format!(
        "The Telemetries {telemetries} in namespace {namespace} select the same workload pod {pod}, which can lead to \
         undefined behavior."
    );
    Message::new(&IST0159, telemetry, text).at(Path::name())
}
