//! Rules on [`AuthorizationPolicy`](https://istio.io/latest/docs/reference/config/security/authorization-policy/).

mod attribute;
mod rule;
mod values;

use super::message::security::ACTION;
use super::problem::Outcome;
use super::value::text::{quoted, shortened};
use super::{Object, selector};

const DRY_RUN: &str = "istio.io/dry-run";

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    let spec = object.spec;
    selector::policy_target(&mut outcome, spec);
    let action = spec.choice("action", &ACTION);
    let provider = spec.message("provider");
    if action.is("CUSTOM") {
        if spec.count("rules") == 0 {
            outcome.error(meaningless("CUSTOM"));
        } else if !provider.is_some_and(|provider| provider.has_text("name")) {
            outcome.error("`provider.name` must not be empty");
        }
        for rule in spec.list("rules").flatten() {
            rule::custom(&mut outcome, rule);
        }
    } else if provider.is_some() {
        outcome.error(format!("`provider` must not be with non CUSTOM action, found {action}"));
    }
    if action.is("DENY") && spec.count("rules") == 0 {
        outcome.error(meaningless("DENY"));
    }
    for (index, rule) in spec.list("rules").enumerate() {
        match rule {
            Some(rule) => rule::check(&mut outcome, rule, index, action.is("DENY")),
            None => outcome.error(format!("`rule` must not be nil, found at rule {index}")),
        }
    }
    if let Some(value) = object.annotations.get(DRY_RUN) {
        dry_run(&mut outcome, value, action.is_any(&["ALLOW", "DENY"]));
    }
    let (name, namespace) = (shortened(object.name), shortened(object.namespace));
    for error in &mut outcome.errors {
        error.text = format!("invalid policy {name}.{namespace}: {}", error.text);
    }
    outcome
}

fn meaningless(action: &str) -> String {
    format!(
        "{action} action without `rules` is meaningless as it will never be triggered, add an empty rule `{{}}` if \
         you want it be triggered for every request"
    )
}

/// The annotation that only logs what a policy would do. Its value is what Go's `ParseBool` takes.
fn dry_run(outcome: &mut Outcome, value: &str, supported: bool) {
    let known = ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
    if !known.contains(&value) {
        outcome.error(format!(
            "annotation {DRY_RUN} is not a bool value: strconv.ParseBool: parsing {}: invalid syntax",
            quoted(value)
        ));
    }
    if !supported {
        outcome.error(format!("annotation {DRY_RUN} is only supported with ALLOW or DENY action"));
    }
}
