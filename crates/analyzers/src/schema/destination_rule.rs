//! Rules on [`DestinationRule`](https://istio.io/latest/docs/reference/config/networking/destination-rule/).

use std::collections::BTreeSet;

use super::destination::subset_name;
use super::export_to::{self, ExportOf};
use super::problem::Outcome;
use super::value::domain::wildcard_domain;
use super::value::label;
use super::{Object, selector, traffic_policy};

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    let spec = object.spec;
    outcome.check(wildcard_domain(spec.text("host")));
    traffic_policy::check(&mut outcome, object.namespace, spec.message("trafficPolicy"));
    let mut seen = BTreeSet::new();
    for subset in spec.list("subsets") {
        let Some(subset) = subset else {
            outcome.error("subset may not be null");
            continue;
        };
        let name = subset.text("name");
        if !seen.insert(name) {
            outcome.error(format!("duplicate subset names: {name}"));
        }
        outcome.check(subset_name(name));
        outcome.errors(label::labels(subset.text_map("labels")));
        outcome.without_warnings(|outcome| {
            traffic_policy::check(outcome, object.namespace, subset.message("trafficPolicy"));
        });
    }
    let of = if spec.has("workloadSelector") { ExportOf::SelectingDestinationRule } else { ExportOf::Other };
    export_to::check(&mut outcome, object.namespace, spec.texts("exportTo"), of);
    selector::match_labels(&mut outcome, spec.message("workloadSelector"));
    outcome
}
