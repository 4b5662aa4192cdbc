//! Finds applications that failed once because they started before their sidecar was ready.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::wording::restart;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, OWN_SETTINGS, Object, Proxy, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "inject/race-app-first",
        reads: &[Kind::Pod, Kind::ConfigMap, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job],
        reports: &[&INJ0112],
        by_default: true,
        run,
    },
};

static INJ0112: Code = Code {
    id: "INJ0112",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/common-problems/injection/#pod-or-containers-start-with-network-issues-if-istio-proxy-is-not-ready",
    page: include_str!("pages/INJ0112.md"),
};

const HOLD: &str = "holdApplicationUntilProxyStarts";

/// An application that starts this long after its sidecar's container has most likely found it not ready.
const TOGETHER: SignedDuration = SignedDuration::from_secs(10);
/// One that fails later has another reason.
const SOON: SignedDuration = SignedDuration::from_secs(30);

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (workload, pods) in mesh.workloads() {
        let proxies = pods.into_iter().filter_map(Proxy::of);
        let mut unordered = proxies.filter(|proxy| !proxy.is_native && proxy.is_sidecar() && !is_held(mesh, proxy));
        if let Some((pod, container)) = unordered.find_map(|proxy| Some((proxy.pod, early_container(&proxy)?))) {
            messages.report(application_was_first(mesh, workload, pod, container));
        }
    }
}

/// Whether the application waits for the sidecar. The pod itself says how it was made.
fn is_held(mesh: &Mesh, proxy: &Proxy<'_>) -> bool {
    let handed_over = proxy.settings().and_then(|text| serde_json::from_str::<Value>(text).ok());
    match handed_over {
        Some(settings) => settings.get(HOLD).and_then(Value::as_bool) == Some(true),
        None => mesh.config_of_proxy(proxy).setting(&["defaultConfig", HOLD]).value.truth(),
    }
}

/// A container whose first run began with the sidecar and failed soon.
fn early_container<'m>(proxy: &Proxy<'m>) -> Option<&'m str> {
    let statuses = || proxy.pod.status().get("containerStatuses").items();
    let own = statuses().find(|status| status.get("name").text() == "istio-proxy")?;
    let sidecar_began = time(own.path(&["state", "running", "startedAt"]))?;
    if own.get("restartCount").integer() > 0 {
        return None;
    }
    let early = statuses().find(|status| {
        let end = status.path(&["lastState", "terminated"]);
        let (Some(began), Some(ended)) = (time(end.get("startedAt")), time(end.get("finishedAt"))) else {
            return false;
        };
        end.get("exitCode").integer() != 0
            && began.duration_since(sidecar_began) < TOGETHER
            && ended.duration_since(began) < SOON
            && ended > sidecar_began
    })?;
    Some(early.get("name").text())
}

fn time(view: View<'_>) -> Option<Timestamp> {
    view.text().parse().ok()
}

fn application_was_first<'m>(mesh: &Mesh, workload: &'m Object, pod: &Object, container: &str) -> Message<'m> {
    let text = format!(
        "Container {container} of pod {} started together with its sidecar, failed within {} s and was restarted: it \
         most likely found no network. It does not wait for the sidecar ({HOLD} is not set).",
        pod.name(),
        SOON.as_secs(),
    );
    let place = if mesh.is_aks() {
        "defaultConfig of the shared ConfigMap (istio-shared-configmap-<revision>)"
    } else {
        "meshConfig.defaultConfig"
    };
    let remedy = format!(
        "Set {HOLD}: true in {place}, or for this workload with the annotation {OWN_SETTINGS}: '{{\"{HOLD}\": \
         true}}' on its pod template. Then: {}",
        restart(workload)
    );
    Message::new(&INJ0112, workload, text).remedy(remedy)
}
