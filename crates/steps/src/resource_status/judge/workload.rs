//! Deployments and other workloads as a whole: is the rollout going on, are enough replicas ready.

use super::super::{codes, events::ObjectEvent, family::Family, object::Object};
use report::{Evidence, Finding, Severity};

/// A workload may be short of replicas for as long while it starts.
const START_S: i64 = 120;

/// `explained` says that its pods or `ReplicaSet`s were found to be at fault already.
pub(super) fn deployment(deployment: &Object, family: &Family, explained: bool, findings: &mut Vec<Finding>) {
    if deployment.has("/metadata/deletionTimestamp") {
        super::cluster_wide::deletion(deployment, family, findings);
        return;
    }
    if deployment.wanted() == 0 {
        findings.push(switched_off(deployment, "is scaled to 0 replicas", "scale", "--replicas=<n>"));
        return;
    }
    if deployment.flag("/spec/paused") {
        findings.push(switched_off(
            deployment,
            "is paused: changes of its template do not roll out",
            "rollout resume",
            "",
        ));
    }
    if let Some(progressing) = deployment.condition("Progressing").filter(|condition| condition.is("False")) {
        findings.push(stuck(deployment, &progressing, family));
    } else if !explained {
        fewer(deployment, deployment.wanted(), "/status/readyReplicas", family, findings);
    }
}

fn switched_off(deployment: &Object, what: &str, verb: &str, rest: &str) -> Finding {
    let namespace = deployment.namespace().unwrap_or_default();
    let is_istiod = deployment.label("app") == Some("istiod");
    let severity = if is_istiod { Severity::Error } else { Severity::Info };
    Finding::new(&codes::WORKLOAD_IS_SWITCHED_OFF, deployment.subject(), what)
        .severity(severity)
        .discriminator(verb)
        .remedy(format!("`kubectl {verb} -n {namespace} deployment/{} {rest}`", deployment.name()).replace(" `", "`"))
}

fn stuck(deployment: &Object, progressing: &super::super::object::ObjectCondition, family: &Family) -> Finding {
    let count = |at: &str| deployment.number(at).unwrap_or(0);
    let (updated, available) = (count("/status/updatedReplicas"), count("/status/availableReplicas"));
    let wanted = deployment.wanted();
    let message = format!(
        "rollout does not go on ({}): {updated} of {wanted} replicas are updated, {available} available",
        progressing.reason
    );
    let namespace = deployment.namespace().unwrap_or_default();
    let mut finding =
        Finding::new(&codes::ROLLOUT_IS_STUCK, deployment.subject(), message).evidence(progressing.evidence());
    if available >= wanted {
        finding.severity = Severity::Warning;
    }
    finding.evidence.extend(family.events.newest(deployment, &["ReplicaSetCreateError"]).map(ObjectEvent::evidence));
    finding.remedy(format!(
        "See why the new pods do not become ready, or go back: `kubectl rollout undo -n {namespace} deployment/{}`",
        deployment.name()
    ))
}

/// Fewer replicas are ready than wanted, where nothing else explains it.
pub(super) fn fewer(workload: &Object, wanted: i64, ready: &str, family: &Family, findings: &mut Vec<Finding>) {
    let ready = workload.number(ready).unwrap_or(0);
    let age_s = workload.created().map_or(i64::MAX, |created| family.now.as_second() - created.as_second());
    if ready >= wanted || age_s < START_S {
        return;
    }
    let message = format!("{ready} of {wanted} replicas are ready");
    let mut finding = Finding::new(&codes::WORKLOAD_HAS_FEWER_REPLICAS, family.subject(workload), message);
    if ready == 0 {
        finding.severity = Severity::Error;
    }
    finding.evidence.extend(workload.condition("Available").map(|available| available.evidence()));
    let newest = family.events.about(workload).into_iter().rfind(|event| event.kind == "Warning");
    finding.evidence.extend(newest.map(ObjectEvent::evidence));
    let namespace = workload.namespace().unwrap_or_default();
    let kind = workload.kind.to_ascii_lowercase();
    findings.push(finding.remedy(format!("`kubectl describe -n {namespace} {kind}/{}`", workload.name())));
}

pub(super) fn job(job: &Object, family: &Family, findings: &mut Vec<Finding>) {
    let Some(failed) = job.condition("Failed").filter(|failed| failed.is("True")) else { return };
    let count = job.number("/status/failed").unwrap_or(0);
    let message = format!("job has failed ({}) after {count} failed pods", failed.reason);
    let finding = Finding::new(&codes::JOB_HAS_FAILED, family.subject(job), message)
        .evidence(failed.evidence())
        .evidence(Evidence::new("spec.backoffLimit", job.number("/spec/backoffLimit").unwrap_or(6).to_string()));
    let namespace = job.namespace().unwrap_or_default();
    findings.push(finding.remedy(format!("`kubectl logs -n {namespace} job/{}` shows the last try.", job.name())));
}
