//! Autoscalers (`HorizontalPodAutoscaler`), by the conditions that their controller writes
//! (<https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale-walkthrough/#appendix-horizontal-pod-autoscaler-status-conditions>).

use super::super::{
    codes,
    events::ObjectEvent,
    family::Family,
    object::{Object, ObjectCondition},
};
use report::{Evidence, Finding};

pub(super) fn judge(autoscaler: &Object, family: &Family, findings: &mut Vec<Finding>) {
    let is = |kind: &str, status: &str| autoscaler.condition(kind).filter(|condition| condition.is(status));
    // Without replicas there is nothing to measure.
    if let Some(active) = is("ScalingActive", "False").filter(|active| active.reason != "ScalingDisabled") {
        findings.push(no_metrics(autoscaler, &active, family));
    }
    if let Some(able) = is("AbleToScale", "False").filter(|able| able.reason.starts_with("Failed")) {
        findings.push(cannot_scale(autoscaler, &able));
    }
    let (at, most) = (autoscaler.number("/status/currentReplicas"), autoscaler.number("/spec/maxReplicas"));
    if let Some(limited) = is("ScalingLimited", "True").filter(|limited| limited.reason == "TooManyReplicas")
        && let (Some(at), Some(most)) = (at, most)
        && at >= most
    {
        findings.push(at_maximum(autoscaler, most, &limited));
    }
}

fn no_metrics(autoscaler: &Object, active: &ObjectCondition, family: &Family) -> Finding {
    let least = autoscaler.number("/spec/minReplicas").unwrap_or(1);
    let most = autoscaler.number("/spec/maxReplicas").unwrap_or(0);
    let now = autoscaler.number("/status/currentReplicas").unwrap_or(0);
    let message = format!(
        "cannot read metrics ({}), so {now} replicas stay whatever the load ({least} to {most} are allowed)",
        active.reason
    );
    let mut finding =
        Finding::new(&codes::AUTOSCALER_READS_NO_METRICS, autoscaler.subject(), message).evidence(active.evidence());
    let event = family.events.newest(autoscaler, &["FailedGetResourceMetric", "FailedComputeMetricsReplicas"]);
    finding.evidence.extend(event.map(ObjectEvent::evidence));
    if let Some(api) = &family.metrics_api {
        finding.evidence.push(Evidence::new("APIService v1beta1.metrics.k8s.io", api));
    }
    finding.remedy(if active.message.contains("missing request") {
        "Give each container of the pods, sidecars among them, a CPU request.".to_owned()
    } else {
        "Repair the metrics API: `kubectl get apiservice v1beta1.metrics.k8s.io` and `kubectl get pods -n kube-system \
         -l k8s-app=metrics-server`."
            .to_owned()
    })
}

fn cannot_scale(autoscaler: &Object, able: &ObjectCondition) -> Finding {
    let kind = autoscaler.text("/spec/scaleTargetRef/kind");
    let name = autoscaler.text("/spec/scaleTargetRef/name");
    let message = format!("cannot scale {kind} {name} ({})", able.reason);
    let namespace = autoscaler.namespace().unwrap_or_default();
    Finding::new(&codes::AUTOSCALER_CANNOT_SCALE, autoscaler.subject(), message).evidence(able.evidence()).remedy(
        format!(
            "See that `kubectl get -n {namespace} {} {name}` finds the workload, or correct `spec.scaleTargetRef`.",
            kind.to_ascii_lowercase()
        ),
    )
}

fn at_maximum(autoscaler: &Object, most: i64, limited: &ObjectCondition) -> Finding {
    let namespace = autoscaler.namespace().unwrap_or_default();
    Finding::new(
        &codes::AUTOSCALER_IS_AT_MAXIMUM,
        autoscaler.subject(),
        format!("is at its maximum of {most} replicas and would add more"),
    )
    .evidence(limited.evidence())
    .remedy(format!(
        "`kubectl patch hpa {} -n {namespace} --type merge --patch '{{\"spec\":{{\"maxReplicas\":{}}}}}'`",
        autoscaler.name(),
        most + 2
    ))
}
