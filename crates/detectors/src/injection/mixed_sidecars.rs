//! Finds workloads and Services of whose pods some have a sidecar and some have none.

use std::collections::HashSet;

use crate::wording::{restart, some_of};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Proxy};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "inject/mixed-workload",
        reads: &[Kind::Pod, Kind::Service, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job],
        reports: &[&INJ0100],
        by_default: true,
        run,
    },
};

static INJ0100: Code = Code {
    id: "INJ0100",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/common-problems/injection/",
    page: include_str!("pages/INJ0100.md"),
};

/// The running pods that requests may come to.
struct Mix<'m> {
    running: usize,
    without: Vec<&'m Object>,
}

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut mixed: HashSet<*const Object> = HashSet::new();
    for (workload, pods) in mesh.workloads() {
        if let Some(mix) = mix_of(&pods) {
            mixed.insert(workload);
            messages.report(replicas_differ(workload, &mix));
        }
    }
    for service in mesh.each(Kind::Service) {
        let pods = mesh.pods_of_service(service);
        let Some(mix) = mix_of(&pods) else { continue };
        // A workload whose own pods differ was named above.
        if !pods.iter().any(|pod| mixed.contains(&std::ptr::from_ref(mesh.workload_of(pod)))) {
            messages.report(workloads_differ(service, &mix));
        }
    }
}

fn mix_of<'m>(pods: &[&'m Object]) -> Option<Mix<'m>> {
    let is_running = |pod: &&&Object| {
        pod.status().get("phase").text() == "Running" && !pod.metadata().get("deletionTimestamp").is_set()
    };
    let running: Vec<&Object> = pods.iter().filter(is_running).copied().collect();
    let without: Vec<&Object> = running.iter().filter(|pod| Proxy::of(pod).is_none()).copied().collect();
    (!without.is_empty() && without.len() < running.len()).then_some(Mix { running: running.len(), without })
}

fn text(mix: &Mix<'_>) -> String {
    let names: Vec<&str> = mix.without.iter().map(|pod| pod.name()).collect();
    format!(
        "{} of {} running pods have no sidecar: {}. What holds for the others (mutual TLS, policies, telemetry) does \
         not hold for {}.",
        mix.without.len(),
        mix.running,
        some_of(&names),
        if names.len() == 1 { "it" } else { "them" },
    )
}

fn replicas_differ<'m>(workload: &'m Object, mix: &Mix<'_>) -> Message<'m> {
    let remedy = format!("Make all pods anew, so that they are equal: {}.", restart(workload));
    Message::new(&INJ0100, workload, text(mix)).remedy(remedy)
}

fn workloads_differ<'m>(service: &'m Object, mix: &Mix<'_>) -> Message<'m> {
    let remedy = format!(
        "Bring the workloads behind Service {} all into the mesh or leave all of them out; a pod template with the \
         label sidecar.istio.io/inject=\"false\" is the usual reason.",
        service.full_name()
    );
    Message::new(&INJ0100, service, text(mix)).remedy(remedy)
}
