//! Rules on [`CorsPolicy`](https://istio.io/latest/docs/reference/config/networking/virtual-service/#CorsPolicy).

use super::super::fields::Fields;
use super::super::problem::Outcome;
use super::super::string_match;
use super::super::value::text::quoted;
use super::super::value::{duration, header};

const METHODS: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"];

pub(super) fn check(outcome: &mut Outcome, policy: Fields) {
    for origin in policy.list("allowOrigins") {
        let origin = origin.unwrap_or(Fields::NONE);
        match string_match::form(origin) {
            None | Some((_, "")) => {
                outcome.error("'' is not a valid match type for CORS allow origins");
            }
            Some(_) => outcome.check(string_match::check_regex(origin, "corsPolicy.allowOrigins")),
        }
    }
    for method in policy.texts("allowMethods") {
        if !METHODS.contains(&method) {
            outcome.error(format!("{} is not a supported HTTP method", quoted(method)));
        }
    }
    for name in policy.texts("allowHeaders").chain(policy.texts("exposeHeaders")) {
        outcome.check(header::cors_name(name));
    }
    if let Some(age) = policy.duration("maxAge") {
        outcome.check(duration::check(age));
        if !age.whole_seconds() {
            outcome.error("max_age duration is accurate only to seconds precision");
        }
    }
}
