//! Finds pods that ought to be in the ambient mesh and whose traffic nobody redirects.

use std::collections::BTreeMap;

use crate::wording::some_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{DATAPLANE_MODE, Kind, Mesh, Object, is_ambient_pod, is_ready, restart};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "cni/ambient-redirection",
        reads: &[Kind::Pod, Kind::Namespace, Kind::DaemonSet],
        reports: &[&AMB0003],
        by_default: true,
        run,
    },
};

static AMB0003: Code = Code {
    id: "AMB0003",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ambient/usage/troubleshoot-ztunnel/",
    page: include_str!("pages/AMB0003.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut missed: BTreeMap<&str, Vec<&'m Object>> = BTreeMap::new();
    for pod in mesh.each(Kind::Pod).filter(|pod| is_ready(pod)) {
        if mesh.is_ambient(pod) && !is_ambient_pod(pod) {
            missed.entry(pod.namespace()).or_default().push(pod);
        }
    }
    for pods in missed.values() {
        messages.report(traffic_is_not_redirected(mesh, pods));
    }
}

fn traffic_is_not_redirected<'m>(mesh: &'m Mesh, pods: &[&'m Object]) -> Message<'m> {
    let names: Vec<&str> = pods.iter().map(|pod| pod.name()).collect();
    let text = format!(
        "{} of namespace {} ought to be in the ambient mesh (label {DATAPLANE_MODE}=ambient), but their traffic is not redirected \
         to ztunnel: they send and take plain text, and policies do not hold for them.",
        some_of(&names),
        pods[0].namespace()
    );
    let node = pods[0].spec().get("nodeName").text();
    let agents: Vec<String> = mesh.cni_agents().map(Object::full_name).collect();
    let remedy = if agents.is_empty() {
        format!(
            "No node agent of Istio's CNI is here, without which nothing is redirected: istioctl install --set profile=ambient, \
             then {}",
            restart(pods[0])
        )
    } else {
        let on_node = if node.is_empty() { String::new() } else { format!(" --field-selector spec.nodeName={node}") };
        format!(
            "See whether the node agents ({}) and ztunnel run on the pods' nodes: kubectl get pods -n {}{on_node}. Then make the \
             pods anew: {}",
            agents.join(", "),
            mesh.istio_namespace(),
            restart(pods[0])
        )
    };
    Message::new(&AMB0003, pods[0], text).remedy(remedy)
}
