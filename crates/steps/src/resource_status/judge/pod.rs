//! A pod: is it placed, are its volumes there, do its containers run, is it ready.

use super::{
    super::{
        codes,
        events::ObjectEvent,
        family::Family,
        object::{Object, shortened},
    },
    cluster_wide, container,
};
use report::{Evidence, Finding, Severity};

/// A young pod may still be on its way.
const YOUNG_S: i64 = 60;

pub(super) fn judge(pod: &Object, family: &Family, findings: &mut Vec<Finding>) {
    if pod.has("/metadata/deletionTimestamp") {
        cluster_wide::deletion(pod, family, findings);
        return;
    }
    match pod.text("/status/phase") {
        "Succeeded" => return,
        "Failed" => {
            findings.push(failed(pod, family));
            return;
        }
        _ => {}
    }
    if let Some(finding) = unscheduled(pod, family) {
        findings.push(finding);
        return;
    }
    let before = findings.len();
    for container in container::containers(pod) {
        container::judge(&container, pod, family, findings);
    }
    if findings.len() > before {
        return;
    }
    findings.extend(cannot_start(pod, family));
    findings.extend(gate_not_met(pod, family));
}

fn failed(pod: &Object, family: &Family) -> Finding {
    let reason = pod.text("/status/reason");
    let message = if reason.is_empty() { "pod has failed".to_owned() } else { format!("pod has failed: {reason}") };
    let mut finding = Finding::new(&codes::POD_HAS_FAILED, family.subject(pod), message).discriminator(reason);
    let text = pod.text("/status/message");
    if !text.is_empty() {
        finding.evidence.push(Evidence::new("status.message", shortened(text)));
    }
    for container in container::containers(pod) {
        if let Some(end) = container.last_end_text() {
            finding.evidence.push(Evidence::new(format!("container {}", container.name), end));
        }
    }
    let namespace = pod.namespace().unwrap_or_default();
    finding
        .remedy(format!("Its workload replaces it; `kubectl delete pod -n {namespace} {}` clears it away.", pod.name()))
}

fn unscheduled(pod: &Object, family: &Family) -> Option<Finding> {
    if pod.text("/status/phase") != "Pending" || pod.has("/spec/nodeName") {
        return None;
    }
    let scheduled = pod.condition("PodScheduled");
    let message = match &scheduled {
        Some(condition) if condition.is("False") && condition.reason == "SchedulingGated" => return None,
        Some(condition) if condition.is("False") => {
            let why = condition
                .message
                .split(" preemption:")
                .next()
                .unwrap_or_default()
                .trim_end_matches(". no new claims to deallocate,");
            format!("no node takes the pod: {why}")
        }
        None if age_s(pod, family) > YOUNG_S => "no scheduler has looked at the pod".to_owned(),
        Some(_) | None => return None,
    };
    let mut finding = Finding::new(&codes::POD_IS_UNSCHEDULABLE, family.subject(pod), message);
    finding.evidence.extend(scheduled.as_ref().map(super::super::object::ObjectCondition::evidence));
    finding.evidence.extend(family.events.newest(pod, &["FailedScheduling"]).map(ObjectEvent::evidence));
    let requests = requests(pod);
    if !requests.is_empty() {
        finding.evidence.push(Evidence::new("requests of its containers", requests));
    }
    if family.another_is_ready(pod) {
        finding.severity = Severity::Warning;
    }
    let remedy = unscheduled_remedy(scheduled.as_ref().map_or("", |condition| &condition.message), pod);
    Some(finding.remedy(remedy))
}

fn unscheduled_remedy(why: &str, pod: &Object) -> String {
    if why.contains("Insufficient") {
        let add = "dd nodes with room for it: `kubectl describe nodes` shows what is allocated.";
        // What is changed on the add-on's own workloads does not last.
        return if is_of_the_add_on(pod) {
            format!("A{add}")
        } else {
            format!("Lower `resources.requests`, or a{add}")
        };
    }
    if why.contains("taint") {
        return "Add a toleration for the taint that the message names, or nodes without it.".to_owned();
    }
    if why.contains("affinity") || why.contains("selector") {
        return "Correct the node selector or affinity of the pod template, or label nodes to fit.".to_owned();
    }
    if why.contains("olume") {
        return "Its volume is bound to a zone or node that cannot take the pod, or is not bound: look at the claim."
            .to_owned();
    }
    if why.is_empty() {
        return "See whether the scheduler named in `spec.schedulerName` runs.".to_owned();
    }
    "Do what the message of the condition PodScheduled says, or add nodes.".to_owned()
}

fn requests(pod: &Object) -> String {
    let request = |container: &serde_json::Value| {
        let of = |resource: &str| container.pointer("/resources/requests").and_then(|r| r.get(resource));
        let shown: Vec<String> = ["cpu", "memory"]
            .iter()
            .filter_map(|resource| Some(format!("{resource} {}", of(resource)?.as_str()?)))
            .collect();
        let name = container.get("name").and_then(serde_json::Value::as_str)?;
        (!shown.is_empty()).then(|| format!("{name}: {}", shown.join(", ")))
    };
    let containers = pod.list("/spec/containers").iter().chain(pod.list("/spec/initContainers"));
    containers.filter_map(request).collect::<Vec<_>>().join("; ")
}

/// A pod on a node whose containers have not begun: volumes or network.
fn cannot_start(pod: &Object, family: &Family) -> Option<Finding> {
    if pod.text("/status/phase") != "Pending" {
        return None;
    }
    let events = &family.events;
    let mount = events.newest(pod, &["FailedMount", "FailedAttachVolume", "FailedMapVolume"]);
    let sandbox = events.newest(pod, &["FailedCreatePodSandBox", "FailedPodSandBoxStatus", "NetworkNotReady"]);
    // Whichever came last is what it waits for now, unless a container was created after it.
    let going_on = events.newest(pod, &["Created", "Started", "Pulling", "Pulled"]);
    let newest = match (mount, sandbox) {
        (Some(mount), Some(sandbox)) if sandbox.is_newer_than(Some(mount)) => Some((sandbox, false)),
        (Some(mount), _) => Some((mount, true)),
        (None, sandbox) => sandbox.map(|sandbox| (sandbox, false)),
    };
    let (event, is_mount) = newest.filter(|(event, _)| event.is_newer_than(going_on))?;
    let (code, what) = if is_mount {
        (&codes::VOLUME_CANNOT_BE_MOUNTED, "a volume cannot be mounted")
    } else {
        (&codes::POD_SANDBOX_CANNOT_BE_CREATED, "the pod's network cannot be set up")
    };
    let finding =
        Finding::new(code, family.subject(pod), format!("{what}: {}", event.message)).evidence(event.evidence());
    Some(finding.remedy(if is_mount { mount_remedy(&event.message) } else { sandbox_remedy(&event.message) }))
}

fn mount_remedy(why: &str) -> String {
    let remedy = if why.contains("secrets-store.csi") || why.contains("SecretProviderClass") {
        if why.contains("403") || why.contains("Forbidden") {
            "The add-on's identity may not read the Key Vault: give it get and list on secrets (or the role Key Vault \
             Secrets User)."
        } else if why.contains("404") || why.contains("NotFound") {
            "An object named in the SecretProviderClass is not in the Key Vault: create it, or correct the name."
        } else if why.contains("not found in the list of registered CSI drivers") {
            "The Secrets Store CSI driver is missing on the node: enable the add-on azure-keyvault-secrets-provider."
        } else {
            "Follow the driver's message; its log is in kube-system (aks-secrets-store-provider-azure)."
        }
    } else if why.contains("istio-ca-root-cert") || why.contains("istiod-ca-cert") {
        "istiod writes the ConfigMap istio-ca-root-cert into each namespace it admits: see that istiod runs and that \
         `discoverySelectors` admit this namespace."
    } else if why.contains("not found") {
        "Create the ConfigMap or Secret that the message names, or correct the pod template."
    } else {
        "See the message; for disks, whether it is still attached to another node."
    };
    remedy.to_owned()
}

fn sandbox_remedy(why: &str) -> String {
    let remedy = if why.contains("istio-cni") {
        "See the log of the Istio CNI node agent on that node, and whether its DaemonSet runs there."
    } else if why.contains("address") || why.contains("IPAM") || why.contains("ipam") {
        "The subnet or the node has no address left: enlarge it, or spread pods over more nodes."
    } else {
        "See the message, and the CNI plugin's log on that node."
    };
    remedy.to_owned()
}

/// All containers are ready, but the pod is not: a readiness gate is not met
/// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate>).
fn gate_not_met(pod: &Object, family: &Family) -> Option<Finding> {
    let ready = pod.condition("Ready").filter(|ready| ready.is("False"))?;
    let containers_ready = pod.condition("ContainersReady").is_some_and(|condition| condition.is("True"));
    if !containers_ready || age_s(pod, family) < YOUNG_S {
        return None;
    }
    let message = format!("containers are ready, the pod is not: {}", ready.reason);
    let finding = Finding::new(&codes::POD_IS_NOT_READY, family.subject(pod), message).evidence(ready.evidence());
    Some(finding.remedy("The controller of the readiness gate that the condition names has to act."))
}

fn age_s(pod: &Object, family: &Family) -> i64 {
    pod.created().map_or(i64::MAX, |created| family.now.as_second() - created.as_second())
}

/// The add-on owns its workloads: what is changed there by hand does not last.
pub(super) fn is_of_the_add_on(object: &Object) -> bool {
    object.namespace().is_some_and(|namespace| namespace.starts_with("aks-istio-"))
}
