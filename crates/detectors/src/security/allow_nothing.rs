//! Finds `AuthorizationPolicy`s that allow nothing, so that everything is denied.

use crate::security::rules::{Action, action, is_dry_run};
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, Workload, one_of_each, owner};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/authz-deny-all",
        reads: &[Kind::AuthorizationPolicy, Kind::Pod, Kind::ConfigMap],
        reports: &[&SEC0006],
        by_default: true,
        run,
    },
};

static SEC0006: Code = Code {
    id: "SEC0006",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/concepts/security/#allow-nothing-deny-all-and-allow-all-policy",
    page: include_str!("pages/SEC0006.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for policy in mesh.each(Kind::AuthorizationPolicy).filter(|policy| allows_nothing(policy)) {
        let pods = one_of_each(mesh.pods_under(policy));
        if pods.is_empty() {
            continue;
        }
        let closed: Vec<String> = pods.iter().filter(|pod| !is_opened(mesh, pod)).map(|pod| place(pod)).collect();
        messages.report(if closed.is_empty() { denies_the_rest(policy) } else { denies_everything(policy, &closed) });
    }
}

fn allows_nothing(policy: &Object) -> bool {
    action(policy) == Action::Allow && !is_dry_run(policy) && policy.spec().get("rules").is_empty()
}

/// Whether another policy allows something.
fn is_opened(mesh: &Mesh, pod: &Object) -> bool {
    let policies = mesh.policies(Kind::AuthorizationPolicy, Workload::of_pod(pod));
    policies.iter().any(|other| action(other) == Action::Allow && !other.spec().get("rules").is_empty())
}

fn place(pod: &Object) -> String {
    format!("{}/{}", pod.namespace(), owner(pod).name)
}

fn denies_everything<'m>(policy: &'m Object, closed: &[String]) -> Message<'m> {
    let text = format!(
        "It allows nothing, and no other policy allows anything for {}: every request there is answered with 403 \
         \"RBAC: access denied\".",
        names(closed)
    );
    let remedy = format!(
        "Add an AuthorizationPolicy with action ALLOW for each wanted caller of these workloads, gateways included, or: \
         kubectl delete authorizationpolicy {} -n {}",
        policy.name(),
        policy.namespace()
    );
    Message::new(&SEC0006, policy, text).at(Path::spec()).remedy(remedy)
}

/// The usual way to deny by default.
fn denies_the_rest(policy: &Object) -> Message<'_> {
    let text = "It allows nothing by itself: its workloads take only what other policies allow.";
    let remedy = "Nothing, if denying by default is meant. Each new caller needs a policy that allows it.";
    Message::new(&SEC0006, policy, text).severity(Severity::Info).at(Path::spec()).remedy(remedy)
}
