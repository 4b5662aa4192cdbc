//! Finds DNS that one lost pod or node would take away.

use std::collections::BTreeSet;

use super::coredns::CoreDns;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "dns/coredns-few",
        reads: &[Kind::Pod, Kind::Deployment, Kind::Node],
        reports: &[&DNS0001],
        by_default: true,
        run,
    },
};

static DNS0001: Code = Code {
    id: "DNS0001",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/coredns-autoscale",
    page: include_str!("pages/DNS0001.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(dns) = CoreDns::of(mesh) else { return };
    let ready = dns.ready();
    // Without a single one it has failed, which is said elsewhere.
    if let [only] = ready[..] {
        messages.report(one_pod_answers(mesh, dns.object, only, dns.pods.len()));
        return;
    }
    let nodes: BTreeSet<&str> = ready.iter().map(|pod| pod.spec().field("nodeName").text()).collect();
    let node = nodes.first().copied().filter(|node| nodes.len() == 1 && !node.is_empty());
    if let Some(node) = node
        && mesh.each(Kind::Node).len() > 1
    {
        messages.report(one_node_answers(dns.object, node, ready.len()));
    }
}

fn one_pod_answers<'m>(mesh: &Mesh, object: &'m Object, pod: &Object, of: usize) -> Message<'m> {
    let text = format!(
        "Only {} of {of} pods of CoreDNS is ready: when it goes, no name resolves, in the mesh and outside.",
        pod.name()
    );
    let remedy = if mesh.is_aks() {
        "Raise the numbers of replicas in the key `ladder` of ConfigMap coredns-autoscaler: kubectl edit configmap \
         coredns-autoscaler -n kube-system"
    } else {
        "kubectl scale deployment coredns -n kube-system --replicas=2"
    };
    Message::new(&DNS0001, object, text).remedy(remedy)
}

fn one_node_answers<'m>(object: &'m Object, node: &str, pods: usize) -> Message<'m> {
    let text =
        format!("All {pods} ready pods of CoreDNS are on node {node}: a drain of it leaves the cluster without DNS.");
    let remedy = "kubectl rollout restart deployment coredns -n kube-system, when another node has room: the scheduler spreads \
                  the new pods.";
    Message::new(&DNS0001, object, text).remedy(remedy)
}
