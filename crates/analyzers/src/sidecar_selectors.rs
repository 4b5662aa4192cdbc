//! Finds Sidecars that select nothing, and Sidecars that claim the same pods or the same namespace.

use std::collections::{BTreeMap, HashSet};

use super::selector_conflicts::{names, pairs, selected_pods};
use super::shared::IST0101;
use super::{Analyzer, Message, Messages, Path, quoted};
use mesh::{Kind, Mesh, Object, is_ambient_pod};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "sidecar.SelectorAnalyzer",
    reads: &[Kind::Sidecar, Kind::Pod, Kind::Namespace, Kind::Deployment],
    reports: &[&IST0101, &IST0110, &IST0111, &IST0167],
    by_default: true,
    run,
};

static IST0110: Code = Code {
    id: "IST0110",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0110/",
    page: include_str!("pages/IST0110.md"),
};

static IST0111: Code = Code {
    id: "IST0111",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0111/",
    page: include_str!("pages/IST0111.md"),
};

static IST0167: Code = Code {
    id: "IST0167",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ambient/usage/verify-mtls-enabled/",
    page: include_str!("pages/IST0167.md"),
};

const SELECTOR: (&str, &str) = ("workloadSelector", "labels");

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let (of_namespaces, of_workloads): (Vec<&Object>, Vec<&Object>) =
        mesh.each(Kind::Sidecar).partition(|sidecar| pairs(sidecar, SELECTOR).is_empty());
    let mut without_impact: HashSet<(&str, &str)> = HashSet::new();
    for (pod, sidecars) in selected_pods(mesh, &of_workloads, SELECTOR, messages) {
        if messages.is_full() {
            return;
        }
        if is_ambient_pod(pod) {
            for sidecar in sidecars {
                if without_impact.insert((sidecar.namespace(), sidecar.name())) {
                    let reason = "selected workload is in ambient mode, the policy has no impact";
                    messages.report(has_no_impact(sidecar, reason));
                }
            }
        } else if sidecars.len() > 1 {
            let names = names(&sidecars);
            for sidecar in sidecars {
                messages.report(select_the_same_pod(sidecar, &names, pod));
            }
        }
    }
    let mut by_namespace: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for sidecar in of_namespaces {
        by_namespace.entry(sidecar.namespace()).or_default().push(sidecar);
    }
    for (namespace, sidecars) in by_namespace {
        if mesh.is_ambient_namespace(namespace) {
            for sidecar in sidecars {
                messages.report(has_no_impact(sidecar, "namespace is in ambient mode, the policy has no impact"));
            }
        } else if sidecars.len() > 1 {
            let names = names(&sidecars);
            for sidecar in sidecars {
                messages.report(hold_for_the_same_namespace(sidecar, &names));
            }
        }
    }
}

fn select_the_same_pod<'m>(sidecar: &'m Object, sidecars: &str, pod: &Object) -> Message<'m> {
    let (namespace, pod) = (quoted(pod.namespace()), quoted(pod.name()));
    let text = format!(
        "The Sidecars {sidecars} in namespace {namespace} select the same workload pod {pod}, which can lead to \
         undefined behavior."
    );
    Message::new(&IST0110, sidecar, text).at(Path::name())
}

fn hold_for_the_same_namespace<'m>(sidecar: &'m Object, sidecars: &str) -> Message<'m> {
    let namespace = quoted(sidecar.namespace());
    let text = format!(
        "The Sidecars {sidecars} in namespace {namespace} have no workload selector, which can lead to undefined \
         behavior."
    );
    Message::new(&IST0111, sidecar, text)
}

fn has_no_impact<'m>(sidecar: &'m Object, reason: &str) -> Message<'m> {
    Message::new(&IST0167, sidecar, format!("The policy has no impact: {reason}."))
}
