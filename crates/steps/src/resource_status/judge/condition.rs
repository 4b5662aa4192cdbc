//! Objects of any type by the conditions and messages that controllers write into their status.

use serde_json::Value;

use super::super::{
    codes,
    object::{Object, ObjectCondition, list, text},
};
use report::{Evidence, Finding, Severity};

/// Conditions that are True when all is well, in Kubernetes, the Gateway API, Istio and common operators.
const WELL: [&str; 12] = [
    "Ready",
    "Available",
    "Accepted",
    "Programmed",
    "ResolvedRefs",
    "Established",
    "NamesAccepted",
    "Reconciled",
    "Synced",
    "Healthy",
    "Succeeded",
    "Issued",
];
/// Conditions that are True when something is wrong.
const UNWELL: [&str; 4] = ["Conflicted", "Degraded", "Stalled", "NonStructuralSchema"];

pub(crate) fn judge(object: &Object, findings: &mut Vec<Finding>) {
    let mut places = vec![(String::new(), object.list("/status/conditions"))];
    // The Gateway API has conditions for each parent of a route and for each listener of a Gateway
    // (<https://gateway-api.sigs.k8s.io/concepts/troubleshooting/>).
    for parent in object.list("/status/parents").iter().chain(object.list("/status/ancestors")) {
        let reference = ["/parentRef/name", "/ancestorRef/name"].map(|at| text(parent, at));
        let name = reference.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        places.push((format!(" for parent {name}"), list(parent, "/conditions")));
    }
    for listener in object.list("/status/listeners") {
        places.push((format!(" of listener {}", text(listener, "/name")), list(listener, "/conditions")));
    }
    for (place, conditions) in places {
        for condition in conditions.iter().filter_map(ObjectCondition::of) {
            let kind = condition.kind.as_str();
            let unmet = WELL.contains(&kind) && condition.is("False") || UNWELL.contains(&kind) && condition.is("True");
            if unmet {
                findings.push(unmet_condition(object, &place, &condition));
            }
        }
    }
    validation_messages(object, findings);
}

fn unmet_condition(object: &Object, place: &str, condition: &ObjectCondition) -> Finding {
    let why = if condition.message.is_empty() { &condition.reason } else { &condition.message };
    let message = format!("{} is {}{place}: {why}", condition.kind, condition.status);
    Finding::new(&codes::CONDITION_IS_UNMET, object.subject(), message)
        .discriminator(format!("{place} {}", condition.kind))
        .evidence(condition.evidence())
        .remedy(format!("Correct what reason {:?} says; its controller then updates the status.", condition.reason))
}

/// istiod writes the messages of its analysis here when `PILOT_ENABLE_ANALYSIS` is on
/// (<https://istio.io/latest/docs/reference/config/meta/v1beta1/istio-status/>).
fn validation_messages(object: &Object, findings: &mut Vec<Finding>) {
    for message in object.list("/status/validationMessages").iter().take(50) {
        let code = text(message, "/type/code");
        let name = text(message, "/type/name");
        // The level is a word in JSON, or its number where it was written by an older istiod.
        let level = message.get("level");
        let severity = match level.and_then(Value::as_str) {
            Some(level) if level.eq_ignore_ascii_case("error") => Severity::Error,
            Some(level) if level.eq_ignore_ascii_case("info") => Severity::Info,
            _ if level.and_then(Value::as_i64) == Some(3) => Severity::Error,
            _ => Severity::Warning,
        };
        let docs = text(message, "/documentationUrl");
        let finding =
            Finding::new(&codes::OBJECT_FAILS_VALIDATION, object.subject(), format!("istiod reports {code} {name}"))
                .severity(severity)
                .discriminator(code)
                .evidence(Evidence::new("status.validationMessages", message.to_string()))
                .remedy(format!(
                    "See {}",
                    if docs.is_empty() { "the message's code in Istio's reference" } else { docs }
                ));
        findings.push(finding);
    }
}
