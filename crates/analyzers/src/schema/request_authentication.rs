//! Rules on [`RequestAuthentication`](https://istio.io/latest/docs/reference/config/security/request_authentication/).

use super::fields::Fields;
use super::problem::Outcome;
use super::value::text::quoted;
use super::value::{Check, duration, header, url};
use super::{Object, json_web_key, selector};

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    selector::policy_target(&mut outcome, object.spec);
    for rule in object.spec.list("jwtRules") {
        check_rule(&mut outcome, rule.unwrap_or(Fields::NONE));
    }
    outcome
}

fn check_rule(outcome: &mut Outcome, rule: Fields) {
    for audience in rule.texts("audiences") {
        if audience.is_empty() {
            outcome.error("audience must be non-empty string");
        }
    }
    if !rule.has_text("issuer") && !rule.has_text("jwksUri") {
        outcome.error("issuer or jwksUri must be non-empty string");
    }
    if rule.has_text("jwksUri") {
        outcome.check(jwks_uri(rule.text("jwksUri")));
    }
    let keys = rule.has_text("jwks").then(|| json_web_key::parse(rule.text("jwks")));
    if let Some(Err(error)) = &keys {
        outcome.error(format!("jwks parse error: {error}"));
    }
    for header in rule.list("fromHeaders") {
        match header {
            None => outcome.error("location header name must be non-null"),
            Some(header) if !header.has_text("name") => {
                outcome.error("location header name must be non-empty string");
            }
            Some(_) => {}
        }
    }
    for _ in rule.texts("fromParams").filter(|name| name.is_empty()) {
        outcome.error("location query must be non-empty string");
    }
    for _ in rule.texts("fromCookies").filter(|name| name.is_empty()) {
        outcome.error("cookie name must be non-empty string");
    }
    for claim in rule.list("outputClaimToHeaders") {
        let Some(claim) = claim else {
            outcome.error("outputClaimToHeaders must not be null");
            continue;
        };
        if claim.has_text("claim") && claim.has_text("header") {
            outcome.check(header::strict_name(claim.text("header")));
        } else {
            outcome.error("outputClaimToHeaders header and claim value must be non-empty string");
        }
    }
    if let Some(timeout) = rule.duration("timeout") {
        outcome.check(duration::check(timeout));
    }
    for index in keys.and_then(Result::ok).into_iter().flatten() {
        outcome.warning(format!(
            "jwks key at index {index} contains private key material; only public keys are used for verification"
        ));
    }
}

/// Where the keys are fetched.
fn jwks_uri(uri: &str) -> Check {
    let url = url::parse(uri)?;
    if url.scheme != "http" && url.scheme != "https" {
        return Err(format!("URI scheme {} is not supported", quoted(&url.scheme)));
    }
    if !url.port.is_empty() && url.port.parse::<i64>().is_err() {
        return Err(format!("strconv.Atoi: parsing {}: value out of range", quoted(url.port)));
    }
    Ok(())
}
