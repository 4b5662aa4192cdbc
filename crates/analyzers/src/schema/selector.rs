//! Which workloads or objects a policy is for: selectors of labels, and references to Services and Gateways.

use super::fields::Fields;
use super::problem::Outcome;
use super::value::text::quoted;

/// Labels of a selector object.
fn labels(outcome: &mut Outcome, labels: &[(&str, &str)]) {
    for (key, value) in labels {
        let pair = quoted(&format!("{key}={value}"));
        if key.is_empty() {
            outcome.error(format!("empty key is not supported in selector: {pair}"));
        }
        if key.contains('*') || value.contains('*') {
            outcome.error(format!("wildcard is not supported in selector: {pair}"));
        }
    }
    if labels.is_empty() {
        outcome.warning("workload selector specified without labels");
    }
}

/// The `selector` of the newer kinds, which has `matchLabels`.
pub(super) fn match_labels(outcome: &mut Outcome, selector: Option<Fields>) {
    if let Some(selector) = selector {
        labels(outcome, &selector.text_map("matchLabels"));
    }
}

/// The `workloadSelector` of the older kinds, which has `labels`. An error ends the check of the object; the warning
/// is worded for the kind.
pub(super) fn workload_labels(spec: Fields, kind: &str) -> Result<Option<String>, Outcome> {
    let mut found = Outcome::default();
    if let Some(selector) = spec.message("workloadSelector") {
        labels(&mut found, &selector.text_map("labels"));
    }
    if !found.errors.is_empty() {
        found.warnings.clear();
        return Err(found);
    }
    let warning =
        format!("{kind}: workload selector specified without labels, will be applied to all services in namespace");
    Ok((!found.warnings.is_empty()).then_some(warning))
}

/// At most one way to say what a policy is for.
fn one_selector(outcome: &mut Outcome, ways: [bool; 3]) {
    if ways.into_iter().filter(|way| *way).count() > 1 {
        outcome.error("only one of targetRefs or workloadSelector can be set");
    }
}

/// A [`PolicyTargetReference`](https://istio.io/latest/docs/reference/config/type/workload-selector/#PolicyTargetReference).
fn target_ref(outcome: &mut Outcome, reference: Option<Fields>) {
    let Some(reference) = reference else { return };
    if !reference.has_text("name") {
        outcome.error("targetRef name must be set");
    }
    if reference.has_text("namespace") {
        outcome.error("targetRef namespace must not be set; cross namespace referencing is not supported");
    }
    let (group, kind) = (reference.text("group"), reference.text("kind"));
    let group = if group.is_empty() { "core" } else { group };
    let allowed = matches!(
        (group, kind),
        ("core", "Service")
            | ("networking.istio.io", "ServiceEntry")
            | ("gateway.networking.k8s.io", "Gateway" | "GatewayClass")
    );
    if !allowed {
        outcome.error(format!(
            "targetRef must be to one of [core/v1/Service networking.istio.io/v1/ServiceEntry \
             gateway.networking.k8s.io/v1/Gateway gateway.networking.k8s.io/v1/GatewayClass] but was {group}/{kind}"
        ));
    }
}

/// Everything that says what a policy is for.
pub(super) fn policy_target(outcome: &mut Outcome, spec: Fields) {
    one_selector(outcome, [spec.has("selector"), spec.has("targetRef"), spec.count("targetRefs") > 0]);
    match_labels(outcome, spec.message("selector"));
    target_ref(outcome, spec.message("targetRef"));
    target_refs(outcome, spec);
}

/// As `policy_target`, for kinds that never had the single `targetRef`.
pub(super) fn extension_target(outcome: &mut Outcome, spec: Fields) {
    one_selector(outcome, [spec.has("selector"), false, spec.count("targetRefs") > 0]);
    match_labels(outcome, spec.message("selector"));
    target_refs(outcome, spec);
}

fn target_refs(outcome: &mut Outcome, spec: Fields) {
    for reference in spec.list("targetRefs") {
        target_ref(outcome, reference);
    }
}
