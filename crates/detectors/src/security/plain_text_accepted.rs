//! Finds namespaces whose workloads take plain text besides mutual TLS.

use std::collections::BTreeMap;

use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, MutualTls, Object, Workload, is_gateway, owner};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/permissive",
        reads: &[Kind::PeerAuthentication, Kind::Pod, Kind::Namespace],
        reports: &[&SEC0005],
        by_default: true,
        run,
    },
};

static SEC0005: Code = Code {
    id: "SEC0005",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/tasks/security/authentication/mtls-migration/",
    page: include_str!("pages/SEC0005.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut open: BTreeMap<&str, (Vec<&str>, Option<&Object>)> = BTreeMap::new();
    // A gateway is there for clients outside of the mesh.
    for pod in mesh.proxied_workloads().into_iter().filter(|pod| !is_gateway(pod)) {
        let decision = mesh.mutual_tls(Workload::of_pod(pod), None);
        if decision.mode == MutualTls::Permissive {
            let (workloads, policy) = open.entry(pod.namespace()).or_default();
            workloads.push(owner(pod).name);
            *policy = policy.or(decision.policy);
        }
    }
    for (name, (mut workloads, policy)) in open {
        workloads.sort_unstable();
        workloads.dedup();
        if let Some(namespace) = mesh.namespace(name) {
            messages.report(plain_text_is_accepted(namespace, &workloads, policy));
        }
    }
}

fn plain_text_is_accepted<'m>(namespace: &'m Object, workloads: &[&str], policy: Option<&Object>) -> Message<'m> {
    let why = policy.map_or_else(
        || "no PeerAuthentication says otherwise".to_owned(),
        |policy| format!("{} says PERMISSIVE", policy.origin()),
    );
    let text = format!("{} also take plain text: {why}.", names(workloads));
    let name = namespace.name();
    let remedy = format!(
        "When every client has a proxy, apply: {{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: \
         {{name: default, namespace: {name}}}, spec: {{mtls: {{mode: STRICT}}}}}}"
    );
    Message::new(&SEC0005, namespace, text).remedy(remedy)
}
