//! Services: is anybody behind them, and do they have the address they ask for.

use super::super::{
    codes,
    events::ObjectEvent,
    family::Family,
    object::{Object, list},
};
use report::{Evidence, Finding};

/// How long a cloud may take to give an address.
const ADDRESS_S: i64 = 300;

pub(super) fn judge(service: &Object, family: &Family, findings: &mut Vec<Finding>) {
    if service.text("/spec/type") == "LoadBalancer" && service.list("/status/loadBalancer/ingress").is_empty() {
        findings.extend(no_address(service, family));
    }
    // Without a selector somebody else writes the endpoints; an external name has none.
    let selector = service.value.pointer("/spec/selector").filter(|s| s.as_object().is_some_and(|s| !s.is_empty()));
    let Some(selector) = selector.filter(|_| service.text("/spec/type") != "ExternalName") else { return };
    let Some(slices) = family.slices(service) else { return };
    let endpoints: Vec<_> = slices.iter().flat_map(|slice| slice.list("/endpoints")).collect();
    // Nothing said means ready (<https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#ready>).
    let ready = |endpoint: &&&serde_json::Value| {
        endpoint.pointer("/conditions/ready").and_then(serde_json::Value::as_bool).unwrap_or(true)
            && !list(endpoint, "/addresses").is_empty()
    };
    if endpoints.iter().any(|endpoint| ready(&endpoint)) {
        return;
    }
    let Some(pods) = family.pods_with(service.namespace(), selector) else { return };
    let labels: Vec<String> = selector
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    let labels = labels.join(",");
    findings.push(
        if let Some(workload) = pods.is_empty().then(|| family.workload_making(service.namespace(), selector)).flatten()
        {
            pods_are_missing(service, workload)
        } else if pods.is_empty() {
            selects_nothing(service, &labels)
        } else {
            none_ready(service, &labels, pods.len())
        },
    );
}

fn selects_nothing(service: &Object, labels: &str) -> Finding {
    let namespace = service.namespace().unwrap_or_default();
    Finding::new(&codes::SERVICE_SELECTS_NO_POD, service.subject(), format!("no pod has the labels {labels}"))
        .evidence(Evidence::new("spec.selector", labels))
        .remedy(format!(
            "Compare with `kubectl get pods -n {namespace} --show-labels`; correct the selector or the labels."
        ))
}

/// The selector is right; what it is for has no pods.
fn pods_are_missing(service: &Object, workload: &Object) -> Finding {
    let (namespace, name) = (service.namespace().unwrap_or_default(), workload.name());
    let kind = &workload.kind;
    let wanted = workload.value.pointer("/spec/replicas").and_then(serde_json::Value::as_i64).unwrap_or(1);
    let (message, remedy) = if wanted == 0 && kind != "DaemonSet" {
        (
            format!("its pods are those of {kind} {name}, which is scaled to 0"),
            format!("kubectl scale {} {name} -n {namespace} --replicas=1", kind.to_lowercase()),
        )
    } else {
        (
            format!("its pods are those of {kind} {name}, of which none could be created"),
            format!(
                "See why: kubectl get events -n {namespace} --field-selector reason=FailedCreate; kubectl describe {} {name} -n \
                 {namespace}",
                kind.to_lowercase()
            ),
        )
    };
    Finding::new(&codes::SERVICE_HAS_NO_READY_ENDPOINT, service.subject(), message).remedy(remedy)
}

fn none_ready(service: &Object, labels: &str, pods: usize) -> Finding {
    let namespace = service.namespace().unwrap_or_default();
    let message = format!("none of {} behind it is ready", crate::counted(pods, "pod"));
    Finding::new(&codes::SERVICE_HAS_NO_READY_ENDPOINT, service.subject(), message)
        .evidence(Evidence::new("spec.selector", labels))
        .remedy(format!("Get the pods ready: `kubectl get pods -n {namespace} -l {labels}`"))
}

fn no_address(service: &Object, family: &Family) -> Option<Finding> {
    let age_s = service.created().map_or(i64::MAX, |created| family.now.as_second() - created.as_second());
    let event = family.events.newest(service, &["SyncLoadBalancerFailed"]);
    if age_s < ADDRESS_S && event.is_none() {
        return None;
    }
    let mut finding = Finding::new(
        &codes::LOAD_BALANCER_HAS_NO_ADDRESS,
        service.subject(),
        "is of type LoadBalancer and has no address, so it cannot be reached from outside",
    );
    finding.evidence.extend(event.map(ObjectEvent::evidence));
    let namespace = service.namespace().unwrap_or_default();
    Some(
        finding.remedy(format!(
            "`kubectl describe service -n {namespace} {}` shows what the cloud answers.",
            service.name()
        )),
    )
}
