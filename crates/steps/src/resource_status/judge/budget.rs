//! Disruption budgets (`PodDisruptionBudget`): would a drain go through.

use super::super::{codes, family::Family, object::Object};
use report::{Evidence, Finding};

pub(super) fn judge(budget: &Object, family: &Family, findings: &mut Vec<Finding>) {
    let count = |at: &str| budget.number(at).unwrap_or(0);
    let expected = count("/status/expectedPods");
    // The controller has not counted yet, or there is nothing to protect.
    if expected == 0 || !budget.has("/status/disruptionsAllowed") || count("/status/disruptionsAllowed") > 0 {
        return;
    }
    let (healthy, desired) = (count("/status/currentHealthy"), count("/status/desiredHealthy"));
    let by_itself = desired >= expected;
    let message = format!("lets no pod be evicted: {healthy} of {expected} are healthy, {desired} have to be");
    let mut finding = Finding::new(&codes::BUDGET_BLOCKS_DRAINS, family.subject(budget), message);
    finding.evidence.extend(budget.condition("DisruptionAllowed").map(|allowed| allowed.evidence()));
    for field in ["minAvailable", "maxUnavailable"] {
        if let Some(value) = budget.value.pointer("/spec").and_then(|spec| spec.get(field)).filter(|v| !v.is_null()) {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            finding.evidence.push(Evidence::new(format!("spec.{field}"), text));
        }
    }
    findings.push(finding.remedy(if by_itself {
        "It demands as many pods as there are: run one more replica, or lower `minAvailable`."
    } else {
        "Get the missing replicas ready; then drains go on."
    }));
}
