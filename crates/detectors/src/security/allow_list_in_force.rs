//! Finds workloads that take only what `ALLOW` policies list.

use std::collections::BTreeMap;

use crate::security::rules::{Action, action, is_dry_run};
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Workload, owner};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/authz-allow-exists",
        reads: &[Kind::AuthorizationPolicy, Kind::Pod, Kind::Namespace, Kind::ConfigMap],
        reports: &[&SEC0007],
        by_default: true,
        run,
    },
};

static SEC0007: Code = Code {
    id: "SEC0007",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/concepts/security/#implicit-enablement",
    page: include_str!("pages/SEC0007.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut limited: BTreeMap<&str, BTreeMap<&str, Vec<String>>> = BTreeMap::new();
    for pod in mesh.proxied_workloads() {
        let policies = mesh.policies(Kind::AuthorizationPolicy, Workload::of_pod(pod));
        let allowing = policies.iter().filter(|policy| {
            action(policy) == Action::Allow && !is_dry_run(policy) && !policy.spec().get("rules").is_empty()
        });
        let allowing: Vec<String> = allowing.map(Object::full_name).collect();
        if !allowing.is_empty() {
            limited.entry(pod.namespace()).or_default().insert(owner(pod).name, allowing);
        }
    }
    for (name, workloads) in limited {
        if let Some(namespace) = mesh.namespace(name) {
            messages.report(only_what_is_listed(namespace, &workloads));
        }
    }
}

fn only_what_is_listed<'m>(namespace: &'m Object, workloads: &BTreeMap<&str, Vec<String>>) -> Message<'m> {
    let lists: Vec<String> =
        workloads.iter().map(|(workload, policies)| format!("{workload} ({})", names(policies))).collect();
    let text = format!("Only callers that an ALLOW policy lists get through to {}; others get 403.", names(&lists));
    let remedy = "Nothing, if that is meant; a list that no token can match is SEC0025. A new caller, also a gateway or a scraper, has to be added to the policy first; \
                  the annotation istio.io/dry-run: \"true\" on a new policy shows in the proxy's log whom it would refuse.";
    Message::new(&SEC0007, namespace, text).remedy(remedy)
}
