//! Whether an application may start before its proxy, by pod and by workload.

use serde::Serialize;
use utoipa::ToSchema;

use crate::target::PROXY;
use mesh::{Mesh, OWN_SETTINGS, Object, View, Workload, yaml};

/// The field of `ProxyConfig`
/// (<https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig>).
const HOLD: &str = "holdApplicationUntilProxyStarts";
/// Exits later than this after the start are no trouble of the start.
const EARLY_EXIT_S: i64 = 30;
/// How long a proxy needs at least, from its start until it takes traffic.
const PROXY_START_S: i64 = 10;

/// What keeps an application from starting before its proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// Nothing: containers start side by side.
    None,
    /// `holdApplicationUntilProxyStarts`: the proxy comes first, and its `postStart` waits until it is ready.
    Held,
    /// The proxy is an init container that runs on; Kubernetes starts the application after it
    /// (<https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/>).
    NativeSidecar,
}

/// A container that ended at once, before its proxy can have been ready.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EarlyExit {
    pub pod: String,
    pub container: String,
    pub exit_code: i64,
    /// Seconds from its start to its end.
    pub ran_s: i64,
    /// Seconds from the start of the proxy to that of the container; below zero where the container was first.
    pub after_proxy_s: i64,
    pub restarts: i64,
    /// A line of its previous log that speaks of a connection that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// The setting in force, and who made it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HoldSetting {
    pub hold: bool,
    /// The annotation, the `ConfigMap`, or `default`.
    pub set_by: String,
}

/// What the pods of a workload have now.
pub(super) fn protection(pod: &Object) -> Option<Protection> {
    let spec = pod.spec();
    let named = |containers: &str| spec.get(containers).items().find(|it| it.get("name").text() == PROXY);
    if named("initContainers").is_some_and(|proxy| proxy.get("restartPolicy").text() == "Always") {
        return Some(Protection::NativeSidecar);
    }
    let proxy = named("containers")?;
    let command = proxy.path(&["lifecycle", "postStart", "exec", "command"]);
    let waits = command.texts().any(|word| word == "wait" || word.contains("pilot-agent wait"));
    Some(if waits { Protection::Held } else { Protection::None })
}

/// Whether a pod of this workload would be held back if it were created now.
pub(super) fn setting(mesh: &Mesh, workload: Workload<'_>) -> HoldSetting {
    let annotation = workload.annotations.get(OWN_SETTINGS).text();
    if let Ok(Some(config)) = yaml::first_document(annotation)
        && config.root().field(HOLD).is_set()
    {
        return HoldSetting { hold: config.root().field(HOLD).truth(), set_by: format!("annotation {OWN_SETTINGS}") };
    }
    let setting = mesh.config_of(workload.namespace).setting(&["defaultConfig", HOLD]);
    HoldSetting { hold: setting.value.truth(), set_by: setting.from.unwrap_or("default").to_owned() }
}

/// The containers that ended at once, before the proxy can have been ready.
pub(super) fn early_exits(pod: &Object) -> Vec<EarlyExit> {
    let statuses = || pod.status().get("containerStatuses").items();
    let Some(proxy) = statuses().find(|status| status.get("name").text() == PROXY) else { return Vec::new() };
    let Some(proxy_started) = first_start(proxy) else { return Vec::new() };
    let others = statuses().filter(|status| status.get("name").text() != PROXY);
    others.filter_map(|status| early_exit(pod, status, proxy_started)).collect()
}

fn early_exit(pod: &Object, status: View<'_>, proxy_started: jiff::Timestamp) -> Option<EarlyExit> {
    let last = status.path(&["lastState", "terminated"]);
    let (started, finished) = (time(last.get("startedAt"))?, time(last.get("finishedAt"))?);
    let ran_s = seconds_between(started, finished);
    let after_proxy_s = seconds_between(proxy_started, started);
    let exit_code = last.get("exitCode").integer();
    let is_early = exit_code != 0 && ran_s <= EARLY_EXIT_S && after_proxy_s <= PROXY_START_S;
    is_early.then(|| EarlyExit {
        pod: pod.name().to_owned(),
        container: status.get("name").text().to_owned(),
        exit_code,
        ran_s,
        after_proxy_s,
        restarts: status.get("restartCount").integer(),
        log: None,
    })
}

/// When a container that never restarted was started; a later run says nothing about the start of the pod.
fn first_start(status: View<'_>) -> Option<jiff::Timestamp> {
    if status.get("restartCount").integer() > 0 {
        return None;
    }
    time(status.path(&["state", "running", "startedAt"]))
}

fn time(view: View<'_>) -> Option<jiff::Timestamp> {
    view.text().parse().ok()
}

fn seconds_between(from: jiff::Timestamp, to: jiff::Timestamp) -> i64 {
    to.as_second() - from.as_second()
}

/// A line that says that the network did not work.
pub(super) fn is_about_connections(line: &str) -> bool {
    const WORDS: [&str; 8] = [
        "connection refused",
        "econnrefused",
        "connection reset",
        "econnreset",
        "network is unreachable",
        "no such host",
        "name resolution",
        "eai_again",
    ];
    let line = line.to_ascii_lowercase();
    WORDS.iter().any(|word| line.contains(word))
}
