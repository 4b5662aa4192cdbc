//! Finds pods of the mesh on nodes where no sidecar works: Windows and virtual ones.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Proxy, View, Workload};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "inject/unsupported-node",
        reads: &[
            Kind::Pod,
            Kind::Node,
            Kind::Namespace,
            Kind::Deployment,
            Kind::StatefulSet,
            Kind::DaemonSet,
            Kind::Job,
        ],
        reports: &[&INJ0102],
        by_default: true,
        run,
    },
};

static INJ0102: Code = Code {
    id: "INJ0102",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-about#limitations",
    page: include_str!("pages/INJ0102.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (workload, pods) in mesh.workloads() {
        let in_mesh = pods.into_iter().filter(|pod| is_in_mesh(mesh, pod));
        if let Some((pod, place)) = in_mesh.into_iter().find_map(|pod| Some((pod, unsupported_place(mesh, pod)?))) {
            messages.report(no_sidecar_works(workload, pod, &place));
        }
    }
}

fn is_in_mesh(mesh: &Mesh, pod: &Object) -> bool {
    // The injector leaves pods on the host's network alone.
    Proxy::of(pod).is_some() || !pod.spec().get("hostNetwork").truth() && mesh.is_in_mesh(Workload::of_pod(pod))
}

fn unsupported_place(mesh: &Mesh, pod: &Object) -> Option<String> {
    let spec = pod.spec();
    if let Some(what) = kind_of_node(spec.get("nodeSelector")) {
        return Some(format!("asks for {what}"));
    }
    if spec.path(&["os", "name"]).text() == "windows" {
        return Some("is of Windows".to_owned());
    }
    let node = mesh.find(Kind::Node, "", spec.get("nodeName").text())?;
    Some(format!("runs on node {}, {}", node.name(), kind_of_node(node.labels())?))
}

fn kind_of_node(labels: View<'_>) -> Option<&'static str> {
    if labels.get("kubernetes.io/os").text() == "windows" {
        Some("a Windows node")
    } else if labels.get("type").text() == "virtual-kubelet" {
        Some("a virtual node")
    } else {
        None
    }
}

fn no_sidecar_works<'m>(workload: &'m Object, pod: &Object, place: &str) -> Message<'m> {
    let text = format!("Pod {} is to have a sidecar and {place}: sidecars work on Linux nodes only.", pod.name());
    let remedy = format!(
        "Leave {} out of the mesh, with the label sidecar.istio.io/inject: \"false\" on its pod template, or let it \
         run on a Linux node pool.",
        workload.origin()
    );
    Message::new(&INJ0102, workload, text).remedy(remedy)
}
