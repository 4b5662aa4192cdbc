//! Finds policies that select the pods of a Gateway of the Gateway API, for which only `targetRefs` work.

use std::collections::{BTreeSet, HashMap};

use super::{Analyzer, Message, Messages};
use mesh::{GATEWAY_NAME, Kind, Mesh, Object, labels};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "k8sgateway.SelectorAnalyzer",
    reads: &[Kind::AuthorizationPolicy, Kind::RequestAuthentication, Kind::Telemetry, Kind::WasmPlugin, Kind::Pod],
    reports: &[&IST0166],
    by_default: true,
    run,
};

static IST0166: Code = Code {
    id: "IST0166",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/type/workload-selector/#PolicyTargetReference",
    page: include_str!("pages/IST0166.md"),
};

const POLICIES: [Kind; 4] = [Kind::AuthorizationPolicy, Kind::RequestAuthentication, Kind::Telemetry, Kind::WasmPlugin];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut pods: HashMap<&str, Vec<(&str, &Object)>> = HashMap::new();
    for pod in mesh.each(Kind::Pod) {
        if let Some(gateway) = pod.label(GATEWAY_NAME) {
            pods.entry(pod.namespace()).or_default().push((gateway, pod));
        }
    }
    for policy in POLICIES.into_iter().flat_map(|kind| mesh.each(kind)) {
        let spec = policy.spec();
        if !spec.get("selector").is_map() || spec.field("targetRef").is_set() {
            continue;
        }
        let selector = spec.path(&["selector", "matchLabels"]);
        let candidates = pods.get(policy.namespace()).into_iter().flatten();
        let selected = candidates.filter(|(_, pod)| labels::matches(selector, pod.labels()));
        let gateways: BTreeSet<&str> = selected.map(|(gateway, _)| *gateway).collect();
        for gateway in gateways {
            messages.report(selector_has_no_effect(policy, gateway));
        }
    }
}

fn selector_has_no_effect<'m>(policy: &'m Object, gateway: &str) -> Message<'m> {
    let text = format!("Ineffective selector on Kubernetes Gateway {gateway}. Use the TargetRef field instead.");
    Message::new(&IST0166, policy, text)
}
