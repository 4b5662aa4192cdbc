//! Finds parts of the static egress gateway itself that are not well.

use std::collections::BTreeSet;

use super::static_gateways::CONFIGURATION;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, is_finished, is_ready};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "egress/controllers",
        reads: &[Kind::StaticGatewayConfiguration, Kind::Pod],
        reports: &[&EGR0009],
        by_default: true,
        run,
    },
};

static EGR0009: Code = Code {
    id: "EGR0009",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-egress-gateway",
    page: include_str!("pages/EGR0009.md"),
};

/// How the names of its pods begin, and those of the part that sets up pods on each node.
const PARTS: &str = "kube-egress-gateway-";
const NODE_PART: &str = "kube-egress-gateway-cni-manager-";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if mesh.each(Kind::StaticGatewayConfiguration).next().is_none() {
        return;
    }
    let parts: Vec<&Object> = mesh
        .in_namespace(Kind::Pod, "kube-system")
        .filter(|pod| pod.name().starts_with(PARTS) && !is_finished(pod))
        .collect();
    for part in parts.iter().filter(|part| !is_ready(part)) {
        messages.report(part_is_not_ready(part));
    }
    let equipped: BTreeSet<&str> = parts
        .iter()
        .filter(|part| part.name().starts_with(NODE_PART))
        .map(|part| part.spec().field("nodeName").text())
        .collect();
    for pod in mesh.each(Kind::Pod).filter(|pod| pod.annotation(CONFIGURATION).is_some() && !is_ready(pod)) {
        let node = pod.spec().field("nodeName").text();
        if !node.is_empty() && !is_finished(pod) && !equipped.contains(node) {
            messages.report(node_is_not_equipped(pod, node));
        }
    }
}

fn part_is_not_ready(part: &Object) -> Message<'_> {
    let node = part.spec().field("nodeName").text();
    let text = format!(
        "It is a part of the static egress gateway and not ready (node {node}): pods that use a gateway stay in \
         ContainerCreating, or lose their way out."
    );
    let remedy = format!(
        "See why: `kubectl describe pod {} -n kube-system` and `kubectl logs {} -n kube-system`. When it is ready, delete \
         the pods that are stuck.",
        part.name(),
        part.name()
    );
    Message::new(&EGR0009, part, text).at(Path::name()).remedy(remedy)
}

fn node_is_not_equipped<'m>(pod: &'m Object, node: &str) -> Message<'m> {
    let text = format!(
        "It uses a static egress gateway, but node {node} has no {NODE_PART}… pod, which sets up its network: it stays in \
         ContainerCreating."
    );
    let remedy = format!(
        "See why the node has none: `kubectl get daemonset -n kube-system` and `kubectl describe node {node}` (taints). Then \
         delete the pod."
    );
    Message::new(&EGR0009, pod, text).remedy(remedy)
}
