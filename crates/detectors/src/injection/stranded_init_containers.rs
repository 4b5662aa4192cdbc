//! Finds init containers that wait for a network which only the sidecar behind them could give.

use jiff::{SignedDuration, Timestamp};

use crate::wording::template_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Proxy, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "inject/init-needs-network",
        reads: &[Kind::Pod, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job],
        reports: &[&INJ0113],
        by_default: true,
        run,
    },
};

static INJ0113: Code = Code {
    id: "INJ0113",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/setup/additional-setup/cni/#compatibility-with-application-init-containers",
    page: include_str!("pages/INJ0113.md"),
};

/// An init container may well work for a while.
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);
/// The traffic of the proxy's own user is never redirected.
const PROXY_USER: i64 = 1337;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (workload, pods) in mesh.workloads() {
        let found = pods.into_iter().find_map(|pod| Some((pod, stranded(mesh, pod)?)));
        if let Some((pod, container)) = found {
            messages.report(init_container_is_stranded(workload, pod, container));
        }
    }
}

fn stranded<'m>(mesh: &Mesh, pod: &'m Object) -> Option<&'m str> {
    if pod.status().get("phase").text() != "Pending" || Proxy::of(pod).is_none() {
        return None;
    }
    let init: Vec<View<'m>> = pod.spec().get("initContainers").items().collect();
    let is_named = |container: &View<'_>, name: &str| container.get("name").text() == name;
    // A CNI plug-in redirects before the first container; istio-init when it has run.
    let by_plugin = init.iter().any(|container| is_named(container, "istio-validation"));
    let redirected_after = init.iter().position(|container| is_named(container, "istio-init"));
    let proxy_at = init.iter().position(|container| is_named(container, "istio-proxy"));
    let own = init.iter().enumerate().filter(|(_, container)| !container.get("name").text().starts_with("istio-"));
    let mut cut_off = own.filter(|(index, container)| {
        let is_redirected = by_plugin || redirected_after.is_some_and(|at| at < *index);
        let has_proxy = proxy_at.is_some_and(|at| at < *index);
        let user = container.path(&["securityContext", "runAsUser"]).integer();
        is_redirected && !has_proxy && user != PROXY_USER
    });
    let statuses = || pod.status().get("initContainerStatuses").items();
    cut_off.find_map(|(_, container)| {
        let name = container.get("name").text();
        let status = statuses().find(|status| status.get("name").text() == name)?;
        is_in_trouble(status, mesh.taken_at()).then_some(name)
    })
}

fn is_in_trouble(status: View<'_>, now: Timestamp) -> bool {
    let state = status.get("state");
    let since = state.path(&["running", "startedAt"]).text().parse::<Timestamp>();
    since.is_ok_and(|since| now.duration_since(since) > PATIENCE)
        || state.path(&["waiting", "reason"]).text() == "CrashLoopBackOff"
        || state.path(&["terminated", "exitCode"]).integer() != 0
}

fn init_container_is_stranded<'m>(workload: &'m Object, pod: &Object, container: &str) -> Message<'m> {
    let text = format!(
        "Init container {container} of pod {} does not get done: all traffic of the pod goes to a sidecar that starts \
         only after it, so that it most likely waits for a network.",
        pod.name()
    );
    let remedy = format!(
        "Use native sidecars, which start before it; or let {container} run as user {PROXY_USER}; or exclude what it \
         connects to with traffic.sidecar.istio.io/excludeOutboundPorts (or …/excludeOutboundIPRanges) on {}.",
        template_of(workload)
    );
    Message::new(&INJ0113, workload, text).remedy(remedy)
}
