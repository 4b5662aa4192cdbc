//! Finds pods of Jobs whose work is done while their sidecar keeps them running.

use crate::wording::some_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Proxy, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "inject/job-never-ends",
        reads: &[Kind::Pod, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job],
        reports: &[&INJ0106],
        by_default: true,
        run,
    },
};

static INJ0106: Code = Code {
    id: "INJ0106",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-native-sidecar",
    page: include_str!("pages/INJ0106.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (workload, pods) in mesh.workloads() {
        let held: Vec<&str> = pods.iter().filter(|pod| is_held_by_its_sidecar(pod)).map(|pod| pod.name()).collect();
        if !held.is_empty() {
            messages.report(sidecar_runs_on(workload, &held));
        }
    }
}

/// A native sidecar ends with the containers that it serves; a regular container does not.
fn is_held_by_its_sidecar(pod: &Object) -> bool {
    let mut owners = pod.metadata().get("ownerReferences").items();
    let is_of_job = owners.any(|owner| owner.get("kind").text() == "Job");
    if !is_of_job || Proxy::of(pod).is_none_or(|proxy| proxy.is_native) {
        return false;
    }
    let statuses = || pod.status().get("containerStatuses").items();
    let is_proxy = |status: &View<'_>| status.get("name").text() == "istio-proxy";
    let mut proxies = statuses().filter(is_proxy);
    let mut others = statuses().filter(|status| !is_proxy(status)).peekable();
    others.peek().is_some()
        && others.all(|status| status.path(&["state", "terminated"]).is_set())
        && proxies.any(|status| status.path(&["state", "running"]).is_set())
}

fn sidecar_runs_on<'m>(workload: &'m Object, pods: &[&str]) -> Message<'m> {
    let text = format!(
        "The work in {} is done, but istio-proxy runs on as a regular container, so that the Job never completes.",
        some_of(pods)
    );
    let remedy = format!(
        "Let the Job's command end with `curl -fsS -X POST http://localhost:15020/quitquitquit`, or put the label \
         sidecar.istio.io/inject: \"false\" on its pod template if it needs no mesh; native sidecars end by \
         themselves. This run is ended by: kubectl delete {} {} -n {}",
        workload.kind().name().to_lowercase(),
        workload.name(),
        workload.namespace(),
    );
    Message::new(&INJ0106, workload, text).remedy(remedy)
}
