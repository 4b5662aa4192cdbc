//! Rules on [`HTTPMatchRequest`](https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPMatchRequest).

use super::super::destination::gateway_names;
use super::super::fields::Fields;
use super::super::problem::Outcome;
use super::super::string_match;
use super::super::value::domain::is_dns_label;
use super::super::value::{header, label, port};

pub(super) fn check(outcome: &mut Outcome, route: Fields) {
    for http_match in route.list("match").flatten() {
        for (key, value) in http_match.map("headers") {
            if value.is_null() {
                outcome.error(format!("header match {key} cannot be null"));
            }
            outcome.check(header::match_name(key));
            outcome.check(string_match::check(Fields::of(value), "headers"));
        }
        for (key, value) in http_match.map("withoutHeaders") {
            outcome.check(header::match_name(key));
            let value = Fields::of(value);
            // Here `*` stands for any value, though it is no expression.
            if string_match::form(value) != Some(("regex", "*")) {
                outcome.check(string_match::check(value, "withoutHeaders"));
            }
        }
        if let Some(uri) = http_match.message("uri") {
            outcome.check(string_match::check_regex(uri, "uri"));
        }
        for field in ["scheme", "method", "authority"] {
            if let Some(value) = http_match.message(field) {
                outcome.check(string_match::check(value, field));
            }
        }
        for (_, value) in http_match.map("queryParams") {
            outcome.check(string_match::check(Fields::of(value), "queryParams"));
        }
    }
    for http_match in route.list("match").flatten() {
        if http_match.int("port") != 0 {
            outcome.check(port::number(http_match.int("port")));
        }
        outcome.errors(label::labels(http_match.text_map("sourceLabels")));
        gateway_names(outcome, http_match.texts("gateways"));
        let namespace = http_match.text("sourceNamespace");
        if !namespace.is_empty() && !is_dns_label(namespace) {
            outcome.error(format!("sourceNamespace match {namespace} is invalid"));
        }
    }
}
