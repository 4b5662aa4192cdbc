//! [`exportTo`](https://istio.io/latest/docs/reference/config/networking/virtual-service/#VirtualService): to which
//! namespaces an object is visible.

use std::collections::BTreeSet;

use super::problem::Outcome;
use super::value::domain::is_dns_label;

/// Whose list it is; the kinds differ in what they allow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ExportOf {
    ServiceEntry,
    /// A `DestinationRule` that is for chosen workloads only.
    SelectingDestinationRule,
    Other,
}

pub(super) fn check<'a>(
    outcome: &mut Outcome,
    namespace: &str,
    entries: impl ExactSizeIterator<Item = &'a str>,
    of: ExportOf,
) {
    let count = entries.len();
    let mut seen = BTreeSet::new();
    for entry in entries {
        let key = if entry == "." { namespace } else { entry };
        if seen.contains(key) {
            outcome.error(if entry == "." {
                format!("duplicate entries in exportTo: . and current namespace {namespace}")
            } else {
                format!("duplicate entries in exportTo for entry {entry}")
            });
            continue;
        }
        let nobody = entry == "~" && of == ExportOf::ServiceEntry;
        if !nobody && !is_scope(key, namespace) {
            outcome.error(if entry == "~" {
                "exportTo ~ (none) is not allowed for Istio configuration objects"
            } else {
                "only .,*, or a valid DNS 1123 label is allowed as exportTo entry"
            });
            continue;
        }
        seen.insert(key.to_owned());
    }
    if of == ExportOf::SelectingDestinationRule && !seen.is_empty() {
        if !seen.contains(namespace) {
            outcome.error("destination rule with workload selector cannot have exportTo beyond current namespace");
        } else if seen.len() > 1 {
            outcome.error("destination rule with workload selector cannot have multiple entries in exportTo");
        }
    }
    if seen.contains("*") && count > 1 {
        outcome.error("cannot have both public (*) and non-public exportTo values for a resource");
    }
    if seen.contains("~") && count > 1 {
        outcome.error("cannot export service entry to no one (~) and someone");
    }
}

fn is_scope(key: &str, namespace: &str) -> bool {
    key == "*" || is_dns_label(key) || (key == "." && namespace == ".")
}
