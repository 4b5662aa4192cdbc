//! Finds pods that the CNI plug-in's repair has marked as broken.

use crate::wording::some_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "cni/repair",
        reads: &[Kind::Pod, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job],
        reports: &[&CNI0005],
        by_default: true,
        run,
    },
};

static CNI0005: Code = Code {
    id: "CNI0005",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/setup/additional-setup/cni/#race-condition--mitigation",
    page: include_str!("pages/CNI0005.md"),
};

/// The label that the repair puts on pods which started before the plug-in was there. Where it deletes pods instead,
/// only its log tells.
const BROKEN: &str = "cni.istio.io/uninitialized";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (workload, pods) in mesh.workloads() {
        let broken: Vec<&Object> = pods.into_iter().filter(|pod| pod.label(BROKEN).is_some()).collect();
        if let Some(first) = broken.first() {
            let names: Vec<&str> = broken.iter().map(|pod| pod.name()).collect();
            messages.report(pods_started_too_early(workload, &names, first.spec().get("nodeName").text()));
        }
    }
}

fn pods_started_too_early<'m>(workload: &'m Object, pods: &[&str], node: &str) -> Message<'m> {
    let place = if node.is_empty() { String::new() } else { format!(" on node {node}") };
    let text = format!(
        "Pods started{place} before the CNI plug-in was there, and are marked {BROKEN}: {}. Their traffic is not redirected.",
        some_of(pods)
    );
    let remedy = format!(
        "Delete them, so that they are made anew: kubectl delete pod -n {} -l {BROKEN}. If it goes on, look at the log \
         of the plug-in's pod on that node.",
        workload.namespace()
    );
    Message::new(&CNI0005, workload, text).remedy(remedy)
}
