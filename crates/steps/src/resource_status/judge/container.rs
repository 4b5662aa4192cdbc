//! The containers of a pod and what their states say.

use jiff::Timestamp;
use serde_json::Value;

use super::super::{
    codes,
    events::ObjectEvent,
    family::{Family, LogTail},
    object::{Object, ago, list, shortened, text},
};
use report::{Code, Evidence, Finding, Severity};

/// A container that has restarted this often, the last time within the hour, is reported though it runs.
const MANY_RESTARTS: i64 = 3;
const RECENTLY_S: i64 = 3600;
/// How long a container may run before it has to be ready.
const START_S: i64 = 120;
/// How long an init container may run.
const INIT_S: i64 = 300;
/// Lines of the log that a finding quotes.
const QUOTED_LINES: usize = 5;

/// A container of a pod with its status.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Container<'a> {
    pub(crate) name: &'a str,
    /// Runs before the others and must end.
    pub(crate) is_init: bool,
    status: &'a Value,
}

/// How a run of a container ended.
#[derive(Debug, Clone, Copy)]
struct End<'a> {
    reason: &'a str,
    exit_code: Option<i64>,
    message: &'a str,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
}

/// The containers that have a status. A native sidecar is an init container that runs on, and counts as a container
/// (<https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/>).
pub(crate) fn containers(pod: &Object) -> Vec<Container<'_>> {
    let runs_on = |name: &str| {
        let specs = pod.list("/spec/initContainers").iter();
        specs.filter(|spec| text(spec, "/name") == name).any(|spec| text(spec, "/restartPolicy") == "Always")
    };
    let init = list(&pod.value, "/status/initContainerStatuses").iter().map(|status| (true, status));
    let others = list(&pod.value, "/status/containerStatuses").iter().map(|status| (false, status));
    init.chain(others)
        .map(|(init, status)| {
            let name = text(status, "/name");
            Container { name, is_init: init && !runs_on(name), status }
        })
        .collect()
}

impl<'a> Container<'a> {
    pub(crate) fn restarts(&self) -> i64 {
        self.status.get("restartCount").and_then(Value::as_i64).unwrap_or(0)
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.status.get("ready").and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn waits_for(&self) -> &'a str {
        text(self.status, "/state/waiting/reason")
    }

    fn running_since(&self) -> Option<Timestamp> {
        text(self.status, "/state/running/startedAt").parse().ok()
    }

    fn runs(&self) -> bool {
        self.status.pointer("/state/running").is_some_and(Value::is_object)
    }

    fn last_end(&self) -> Option<End<'a>> {
        End::of(self.status.pointer("/lastState/terminated")?)
    }

    fn present_end(&self) -> Option<End<'a>> {
        End::of(self.status.pointer("/state/terminated")?)
    }

    /// How the last run ended, for lists of pods: `OOMKilled (exit code 137)`.
    pub(crate) fn last_end_text(&self) -> Option<String> {
        self.last_end().map(|end| end.text())
    }

    /// When the last run ended.
    pub(crate) fn last_ended_at(&self) -> Option<&'a str> {
        Some(text(self.status, "/lastState/terminated/finishedAt")).filter(|time| !time.is_empty())
    }

    /// Whether it fails in a way that its log may explain.
    pub(super) fn fails(&self) -> bool {
        let failed = |end: End| end.exit_code != Some(0);
        self.waits_for() == "CrashLoopBackOff"
            || self.present_end().is_some_and(failed)
            || (!self.is_ready() && self.last_end().is_some_and(failed))
    }
}

impl<'a> End<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        value.is_object().then(|| Self {
            reason: text(value, "/reason"),
            exit_code: value.get("exitCode").and_then(Value::as_i64),
            message: text(value, "/message"),
            started: text(value, "/startedAt").parse().ok(),
            finished: text(value, "/finishedAt").parse().ok(),
        })
    }

    fn text(&self) -> String {
        let reason = if self.reason.is_empty() { "end" } else { self.reason };
        match self.exit_code {
            Some(code) => format!("{reason} (exit code {code}{})", meaning(code)),
            None => reason.to_owned(),
        }
    }

    fn evidence(&self) -> Evidence {
        let mut text = self.text();
        if let (Some(started), Some(finished)) = (self.started, self.finished) {
            text = format!("{text} after {}", ago(started, finished));
        }
        if !self.message.is_empty() {
            text = format!("{text}: {}", shortened(self.message.trim()));
        }
        let mut evidence = Evidence::new("last run", text);
        evidence.last_seen = self.finished.map(|time| time.to_string());
        evidence
    }

    fn is_out_of_memory(&self) -> bool {
        self.reason == "OOMKilled"
    }
}

fn meaning(exit_code: i64) -> &'static str {
    match exit_code {
        126 => ", the command cannot be run",
        127 => ", the command was not found",
        137 => ", SIGKILL",
        139 => ", SIGSEGV",
        143 => ", SIGTERM",
        _ => "",
    }
}

pub(super) fn judge(container: &Container, pod: &Object, family: &Family, findings: &mut Vec<Finding>) {
    match container.waits_for() {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable"
        | "ImageInspectError"
        | "SignatureValidationFailed" => findings.push(image(container, pod, family)),
        "CrashLoopBackOff" => {
            findings.push(crash_loop(container, pod, family));
            findings.extend(out_of_memory(container, pod, family));
        }
        "CreateContainerConfigError"
        | "CreateContainerError"
        | "RunContainerError"
        | "ContainerCannotRun"
        | "PreCreateHookError"
        | "PreStartHookError"
        | "PostStartHookError" => {
            findings.push(cannot_be_created(container, pod, family));
        }
        _ => {
            findings.extend(out_of_memory(container, pod, family));
            findings.extend(restarts(container, pod, family));
            findings.extend(not_ready(container, pod, family));
            findings.extend(init_runs_on(container, pod, family));
            findings.extend(init_failed(container, pod, family));
        }
    }
}

fn image(container: &Container, pod: &Object, family: &Family) -> Finding {
    let image = text(container.status, "/image");
    let why = family.events.newest_saying(pod, "Failed", &["pull", "image"]);
    let message = format!("image {image:?} cannot be pulled ({})", container.waits_for());
    let mut finding = finding(&codes::IMAGE_CANNOT_BE_PULLED, container, pod, family, message);
    finding.evidence.push(waiting(container));
    finding.evidence.extend(why.map(ObjectEvent::evidence));
    // Newer kubelets repeat the registry's answer in the state, older ones tell it in the event only.
    let told =
        format!("{} {}", text(container.status, "/state/waiting/message"), why.map_or("", |event| &event.message));
    finding.remedy(image_remedy(image, &told))
}

fn image_remedy(image: &str, why: &str) -> String {
    let why = why.to_ascii_lowercase();
    if ["unauthorized", "denied", "401", "403"].iter().any(|sign| why.contains(sign)) {
        return "The registry refuses the credentials: add or renew `imagePullSecrets`, or give the nodes' identity \
                the right to pull."
            .to_owned();
    }
    if ["timeout", "no such host", "connection refused", "i/o timeout", "proxyconnect"].iter().any(|s| why.contains(s))
    {
        let registry = image.split('/').next().unwrap_or(image);
        return format!("The node cannot reach {registry}: allow it in the firewall or HTTP proxy of the nodes.");
    }
    if why.contains("not found") || why.contains("manifest unknown") {
        return format!("Correct the reference: the registry has no {image:?}.");
    }
    "Check the image reference, the `imagePullSecrets`, and that the nodes reach the registry.".to_owned()
}

fn crash_loop(container: &Container, pod: &Object, family: &Family) -> Finding {
    let end = container.last_end();
    let ended = end.map_or_else(String::new, |end| format!("; the last run ended with {}", end.text()));
    let message = format!("container crashes in a loop: {} restarts{ended}", container.restarts());
    let mut finding = finding(&codes::CONTAINER_CRASHES_IN_A_LOOP, container, pod, family, message);
    finding.evidence.push(waiting(container));
    finding.evidence.extend(end.map(|end| end.evidence()));
    finding.evidence.extend(log(container, pod, family));
    let probe = family.events.newest_saying(pod, "Unhealthy", &["Liveness probe failed", "Startup probe failed"]);
    finding.evidence.extend(probe.map(ObjectEvent::evidence));
    finding.evidence.extend(family.events.newest(pod, &["BackOff"]).map(ObjectEvent::evidence));
    let namespace = pod.namespace().unwrap_or_default();
    let look = format!("kubectl logs -n {namespace} {} -c {} --previous", pod.name(), container.name);
    finding.remedy(match end {
        Some(end) if end.is_out_of_memory() => format!("It needs more memory, or less to do. `{look}`"),
        Some(_) if probe.is_some() => format!("A probe kills it: see why it fails, or give it more time. `{look}`"),
        _ => format!("Its last words say why: `{look}`"),
    })
}

fn out_of_memory(container: &Container, pod: &Object, family: &Family) -> Option<Finding> {
    let end = container.present_end().filter(End::is_out_of_memory);
    let end = end.or_else(|| container.last_end().filter(End::is_out_of_memory))?;
    let limit = limit(container, pod);
    let bound = match &limit {
        Some(limit) => format!("its limit of {limit}"),
        None => "what the node had (it has no limit)".to_owned(),
    };
    let message = format!("container was killed for using more memory than {bound}");
    let mut found = finding(&codes::CONTAINER_RAN_OUT_OF_MEMORY, container, pod, family, message);
    found.evidence.push(end.evidence());
    if container.waits_for() != "CrashLoopBackOff" {
        let recently = end.finished.is_none_or(|time| family.now.as_second() - time.as_second() < RECENTLY_S);
        found.severity = if recently { Severity::Warning } else { Severity::Info };
    }
    Some(found.remedy(memory_remedy(pod.label("app") == Some("istiod"), container.name)))
}

/// What to do about a container that was killed for its memory.
pub(crate) fn memory_remedy(is_istiod: bool, container: &str) -> &'static str {
    if is_istiod {
        "Cut what istiod watches (`discoverySelectors`) and what each proxy gets (`Sidecar`), or raise `maxReplicas` of \
         its HPA. The add-on owns the Deployment on AKS: do not edit its limits there."
    } else if container == "istio-proxy" {
        "Scope the sidecar's configuration with a `Sidecar`, or raise `sidecar.istio.io/proxyMemoryLimit`."
    } else {
        "Raise `resources.limits.memory` of the container, or find out what it uses the memory for."
    }
}

fn limit(container: &Container, pod: &Object) -> Option<String> {
    let specs = pod.list("/spec/containers").iter().chain(pod.list("/spec/initContainers"));
    let spec = specs.into_iter().find(|spec| text(spec, "/name") == container.name)?;
    Some(text(spec, "/resources/limits/memory").to_owned()).filter(|limit| !limit.is_empty())
}

fn cannot_be_created(container: &Container, pod: &Object, family: &Family) -> Finding {
    let message = format!("container cannot be created ({})", container.waits_for());
    let mut finding = finding(&codes::CONTAINER_CANNOT_BE_CREATED, container, pod, family, message);
    finding.evidence.push(waiting(container));
    finding.evidence.extend(family.events.newest(pod, &["Failed", "FailedPostStartHook"]).map(ObjectEvent::evidence));
    finding.remedy("Create the ConfigMap, Secret or key that the message names, or correct the pod template.")
}

fn restarts(container: &Container, pod: &Object, family: &Family) -> Option<Finding> {
    let end = container.last_end()?;
    let recently = end.finished.is_some_and(|time| family.now.as_second() - time.as_second() < RECENTLY_S);
    if container.restarts() < MANY_RESTARTS || !recently || end.is_out_of_memory() {
        return None;
    }
    let message =
        format!("container has restarted {} times; the last run ended with {}", container.restarts(), end.text());
    let mut finding = finding(&codes::CONTAINER_RESTARTS, container, pod, family, message);
    finding.evidence.push(end.evidence());
    finding.evidence.extend(log(container, pod, family));
    let probe = family.events.newest_saying(pod, "Unhealthy", &["Liveness probe failed"]);
    finding.evidence.extend(probe.map(ObjectEvent::evidence));
    let namespace = pod.namespace().unwrap_or_default();
    Some(finding.remedy(format!(
        "`kubectl logs -n {namespace} {} -c {} --previous` shows its last words.",
        pod.name(),
        container.name
    )))
}

fn not_ready(container: &Container, pod: &Object, family: &Family) -> Option<Finding> {
    if container.is_init || !container.runs() || container.is_ready() {
        return None;
    }
    let since = container.running_since();
    let running_s = since.map_or(i64::MAX, |since| family.now.as_second() - since.as_second());
    if running_s < START_S {
        return None;
    }
    let probe = family.events.newest(pod, &["Unhealthy"]);
    let for_how_long = since.map_or_else(String::new, |since| format!(" for {}", ago(since, family.now)));
    let message = format!("container has been running{for_how_long} and is not ready");
    let mut finding = finding(&codes::POD_IS_NOT_READY, container, pod, family, message);
    finding.evidence.extend(probe.map(ObjectEvent::evidence));
    finding.evidence.extend(pod.condition("Ready").map(|ready| ready.evidence()));
    if family.another_is_ready(pod) {
        finding.severity = Severity::Warning;
    }
    Some(finding.remedy(if container.name == "istio-proxy" {
        "Usually the proxy has no configuration yet: see its log and proxy-status, and whether istiod can be reached."
            .to_owned()
    } else {
        let namespace = pod.namespace().unwrap_or_default();
        format!("See why the probe fails: `kubectl logs -n {namespace} {} -c {}`.", pod.name(), container.name)
    }))
}

fn init_runs_on(container: &Container, pod: &Object, family: &Family) -> Option<Finding> {
    let since = container.running_since().filter(|_| container.is_init)?;
    if family.now.as_second() - since.as_second() < INIT_S {
        return None;
    }
    let message =
        format!("init container has been running for {}; the pod starts only after it", ago(since, family.now));
    let mut finding = finding(&codes::INIT_CONTAINER_DOES_NOT_END, container, pod, family, message);
    finding.evidence.extend(pod.condition("Initialized").map(|condition| condition.evidence()));
    let namespace = pod.namespace().unwrap_or_default();
    Some(finding.remedy(format!(
        "`kubectl logs -n {namespace} {} -c {}` shows what it waits for. If it is the network, the sidecar has to start \
         first (native sidecars).",
        pod.name(),
        container.name
    )))
}

/// An init container between two tries has ended with an error and is not yet in back-off.
fn init_failed(container: &Container, pod: &Object, family: &Family) -> Option<Finding> {
    let end = container.present_end().filter(|end| container.is_init && end.exit_code.is_some_and(|code| code != 0))?;
    let message = format!("init container failed with {}", end.text());
    let mut finding = finding(&codes::CONTAINER_CRASHES_IN_A_LOOP, container, pod, family, message);
    finding.evidence.push(end.evidence());
    finding.evidence.extend(log(container, pod, family));
    let namespace = pod.namespace().unwrap_or_default();
    Some(finding.remedy(format!("`kubectl logs -n {namespace} {} -c {}` shows why.", pod.name(), container.name)))
}

fn finding(code: &'static Code, container: &Container, pod: &Object, family: &Family, message: String) -> Finding {
    Finding::new(code, family.subject(pod).container(container.name), message)
}

fn waiting(container: &Container) -> Evidence {
    let message = text(container.status, "/state/waiting/message");
    let reason = container.waits_for();
    let text = if message.is_empty() { reason.to_owned() } else { format!("{reason}: {}", shortened(message)) };
    Evidence::new(format!("state of container {}", container.name), text)
}

fn log(container: &Container, pod: &Object, family: &Family) -> Option<Evidence> {
    let key = (pod.namespace().unwrap_or_default().to_owned(), pod.name().to_owned(), container.name.to_owned());
    let LogTail { previous, lines } = family.logs.get(&key)?;
    let last: Vec<String> = lines.iter().rev().take(QUOTED_LINES).rev().map(|line| shortened(line)).collect();
    let run = if *previous { ", previous run" } else { "" };
    let from = format!("log of {} ({}{run})", pod.place(), container.name);
    (!last.is_empty()).then(|| Evidence::new(from, last.join("\n")))
}
