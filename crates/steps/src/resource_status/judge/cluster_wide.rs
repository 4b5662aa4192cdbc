//! Nodes, volume claims, and deletions that do not end.

use super::super::{
    codes,
    events::ObjectEvent,
    family::Family,
    object::{Object, ago},
};
use report::{Evidence, Finding, Severity};

/// How much longer than it was given a deletion may take.
const DELETION_S: i64 = 120;
const CLAIM_S: i64 = 300;

pub(super) fn node(node: &Object, findings: &mut Vec<Finding>) {
    for condition in node.conditions() {
        let (bad, severity, message) = match condition.kind.as_str() {
            "Ready" => (!condition.is("True"), Severity::Error, "node is not ready".to_owned()),
            "MemoryPressure" | "DiskPressure" | "PIDPressure" | "NetworkUnavailable" => {
                (condition.is("True"), Severity::Warning, format!("node reports {}", condition.kind))
            }
            _ => continue,
        };
        if bad {
            let finding = Finding::new(&codes::NODE_IS_UNWELL, node.subject(), message)
                .severity(severity)
                .discriminator(&condition.kind)
                .evidence(condition.evidence())
                .remedy(format!("`kubectl describe node {}`", node.name()));
            findings.push(finding);
        }
    }
}

pub(super) fn volume_claim(claim: &Object, family: &Family, findings: &mut Vec<Finding>) {
    let age_s = claim.created().map_or(i64::MAX, |created| family.now.as_second() - created.as_second());
    let event = family.events.newest(claim, &["ProvisioningFailed", "FailedBinding", "WaitForFirstConsumer"]);
    // A class that waits for the first pod is as it should be.
    let waits = event.is_some_and(|event| event.reason == "WaitForFirstConsumer");
    if claim.text("/status/phase") != "Pending" || waits || age_s < CLAIM_S {
        return;
    }
    let class = claim.text("/spec/storageClassName");
    let mut finding = Finding::new(
        &codes::VOLUME_CLAIM_IS_PENDING,
        claim.subject(),
        format!(
            "has had no volume for {}",
            claim.created().map_or_else(|| "long".to_owned(), |at| ago(at, family.now))
        ),
    );
    finding.evidence.push(Evidence::new("spec.storageClassName", class));
    finding.evidence.extend(event.map(ObjectEvent::evidence));
    findings.push(
        finding.remedy("`kubectl get storageclass`: correct the class, or see why its provisioner does not act."),
    );
}

/// `metadata.deletionTimestamp` is the time at which the object should be gone.
pub(super) fn deletion(object: &Object, family: &Family, findings: &mut Vec<Finding>) {
    let Some(due) = object.time("/metadata/deletionTimestamp") else { return };
    if family.now.as_second() - due.as_second() < DELETION_S {
        return;
    }
    let finalizers: Vec<&str> = object
        .list("/metadata/finalizers")
        .iter()
        .chain(object.list("/spec/finalizers"))
        .filter_map(serde_json::Value::as_str)
        .collect();
    let message = format!("was to be gone {} ago", ago(due, family.now));
    let mut finding = Finding::new(&codes::OBJECT_IS_STUCK_IN_DELETION, family.subject(object), message);
    if !finalizers.is_empty() {
        finding.evidence.push(Evidence::new("finalizers", finalizers.join(", ")));
    }
    let unmet = object.conditions().into_iter().filter(|c| c.is("True") && !c.message.is_empty());
    if object.kind == "Namespace" {
        finding.evidence.extend(unmet.map(|condition| condition.evidence()));
    }
    let node = object.text("/spec/nodeName");
    findings.push(finding.remedy(if object.kind == "Pod" && !node.is_empty() && finalizers.is_empty() {
        format!("The kubelet has not confirmed it: see whether node {node} is ready.")
    } else {
        "See why the controller behind the finalizers does not act.".to_owned()
    }));
}
