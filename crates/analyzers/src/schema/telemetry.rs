//! Rules on [`Telemetry`](https://istio.io/latest/docs/reference/config/telemetry/).

use super::fields::Fields;
use super::message::telemetry::TAG_OPERATION;
use super::problem::Outcome;
use super::value::cel;
use super::{Object, selector};

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    let spec = object.spec;
    selector::policy_target(&mut outcome, spec);
    for metrics in spec.list("metrics").flatten() {
        check_metrics(&mut outcome, metrics);
    }
    if spec.count("tracing") > 1 {
        outcome.warning("multiple tracing is not currently supported");
    }
    for tracing in spec.list("tracing").flatten() {
        check_tracing(&mut outcome, tracing);
    }
    for logging in spec.list("accessLogging").flatten() {
        if let Some(filter) = logging.message("filter")
            && let Err(error) = cel::check(filter.text("expression"))
        {
            outcome.error(format!("must be a valid CEL expression, {error}"));
        }
        providers(&mut outcome, logging);
    }
    outcome
}

fn providers(outcome: &mut Outcome, of: Fields) {
    if of.list("providers").flatten().any(|provider| !provider.has_text("name")) {
        outcome.error("providers.name may not be empty");
    }
}

fn check_metrics(outcome: &mut Outcome, metrics: Fields) {
    providers(outcome, metrics);
    for changed in metrics.list("overrides") {
        let Some(changed) = changed else {
            outcome.error("tagOverrides may not be null");
            continue;
        };
        for (tag, value) in changed.map("tagOverrides") {
            let tag_override = Fields::of(value);
            if tag.is_empty() {
                outcome.warning("tagOverrides.name may not be empty");
            }
            let operation = tag_override.choice("operation", &TAG_OPERATION);
            if operation.is("UPSERT") && !tag_override.has_text("value") {
                outcome.error("tagOverrides.value must be set when operation is UPSERT");
            }
            if operation.is("REMOVE") && tag_override.has_text("value") {
                outcome.error("tagOverrides.value may only be set when operation is UPSERT");
            }
        }
        let selected = changed.message("match").unwrap_or(Fields::NONE);
        if selected.one_of(&["metric", "customMetric"]) == Some("customMetric") && !selected.has_text("customMetric") {
            outcome.error("customMetric may not be empty");
        }
    }
}

fn check_tracing(outcome: &mut Outcome, tracing: Fields) {
    if tracing.count("providers") > 1 {
        outcome.warning("multiple providers is not currently supported");
    }
    providers(outcome, tracing);
    if tracing.number("randomSamplingPercentage").is_some_and(|percentage| !(0.0..=100.0).contains(&percentage)) {
        outcome.error("randomSamplingPercentage must be in range [0.0, 100.0]");
    }
    for (name, value) in tracing.map("customTags") {
        if name.is_empty() {
            outcome.error("tag name may not be empty");
        }
        if value.is_null() {
            outcome.error(format!("tag '{name}' may not have a nil value"));
            continue;
        }
        let tag = Fields::of(value);
        let (empty, what) = match tag.one_of(&["literal", "environment", "header", "formatter"]) {
            Some("literal") => (member(tag, "literal", "value"), "literal tag value"),
            Some("environment") => (member(tag, "environment", "name"), "environment tag name"),
            Some("header") => (member(tag, "header", "name"), "header tag name"),
            _ => continue,
        };
        if empty.is_empty() {
            outcome.error(format!("{what} may not be empty"));
        }
    }
}

fn member<'a>(tag: Fields<'a>, form: &str, name: &str) -> &'a str {
    tag.message(form).map_or("", |form| form.text(name))
}
