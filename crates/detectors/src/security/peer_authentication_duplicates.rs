//! Finds `PeerAuthentication`s that an older one of the same scope keeps out of force.

use std::collections::BTreeMap;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Policies, REVISION, Workload};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/peerauth-duplicates",
        reads: &[Kind::PeerAuthentication, Kind::Pod],
        reports: &[&SEC0001],
        by_default: true,
        run,
    },
};

static SEC0001: Code = Code {
    id: "SEC0001",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/concepts/security/#peer-authentication",
    page: include_str!("pages/SEC0001.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    // Of each policy without effect, the one that takes its place.
    let mut hidden: BTreeMap<(&str, &str), (&Object, &Object)> = BTreeMap::new();
    let mut note = |list: &[&'m Object]| {
        for (index, policy) in list.iter().enumerate() {
            if let Some(older) = list[..index].iter().find(|older| share_a_revision(older, policy)) {
                hidden.entry((policy.namespace(), policy.name())).or_insert((policy, older));
            }
        }
    };
    let mut by_namespace: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for policy in mesh.each(Kind::PeerAuthentication) {
        by_namespace.entry(policy.namespace()).or_default().push(policy);
    }
    for policies in by_namespace.values_mut().filter(|policies| policies.len() > 1) {
        policies.retain(|policy| policy.spec().path(&["selector", "matchLabels"]).is_empty());
        Policies::sort_by_age(policies);
        note(policies);
    }
    for pod in mesh.proxied_workloads() {
        if by_namespace.contains_key(pod.namespace()) {
            note(&mesh.policies(Kind::PeerAuthentication, Workload::of_pod(pod)).selecting);
        }
    }
    for (policy, older) in hidden.into_values() {
        messages.report(older_one_is_in_force(policy, older));
    }
}

/// Each revision reads only objects that are labelled for it, or for none.
fn share_a_revision(a: &Object, b: &Object) -> bool {
    match (a.label(REVISION), b.label(REVISION)) {
        (Some(a), Some(b)) => a == b,
        (None, _) | (_, None) => true,
    }
}

fn older_one_is_in_force<'m>(policy: &'m Object, older: &Object) -> Message<'m> {
    let selector = policy.spec().path(&["selector", "matchLabels"]);
    let scope = if selector.is_empty() {
        format!("all of namespace {}", policy.namespace())
    } else {
        "the same pods".to_owned()
    };
    let text = format!(
        "It has no effect: {} is for {scope} too and is older, and of several the oldest wins.",
        older.origin()
    );
    let remedy = format!(
        "Move what is still wanted into PeerAuthentication {}, then: kubectl delete peerauthentication {} -n {}",
        older.full_name(),
        policy.name(),
        policy.namespace()
    );
    Message::new(&SEC0001, policy, text).remedy(remedy)
}
