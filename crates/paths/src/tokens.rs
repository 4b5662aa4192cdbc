//! What a `RequestAuthentication` makes of a token
//! (<https://istio.io/latest/docs/reference/config/security/request_authentication/>).

use serde_json::{Map, Value};

use crate::network::Network;
use crate::request::{Request, Token};
use crate::trail::By;
use mesh::{Object, View};

/// What becomes of a request by its token.
#[derive(Debug, Clone)]
pub(crate) enum Verdict<'m> {
    /// Nobody asks for tokens, or there is none: policies decide what that means.
    None,
    Valid,
    /// Refused with a status.
    Refused {
        status: u16,
        detail: &'static str,
        by: By<'m>,
    },
}

/// The values of a claim, of a list all of them, and of a text its words as Istio compares them.
pub(crate) fn claim(claims: &Map<String, Value>, path: &[&str]) -> Vec<String> {
    let [first, rest @ ..] = path else { return Vec::new() };
    let mut value = claims.get(*first);
    for key in rest {
        value = value.and_then(|value| value.get(*key));
    }
    match value {
        Some(Value::String(text)) => std::iter::once(text.as_str()).chain(text.split(' ')).map(str::to_owned).collect(),
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::Bool(value)) => vec![value.to_string()],
        Some(Value::Number(number)) => vec![number.to_string()],
        Some(Value::Null | Value::Object(_)) | None => Vec::new(),
    }
}

impl<'m> Network<'m> {
    /// Judges the token of a request. All policies add up; any of their rules may take the token.
    pub(crate) fn judge_token(&self, policies: &[&'m Object], request: &Request) -> Verdict<'m> {
        let rules = || {
            policies.iter().flat_map(|policy| policy.spec().field("jwtRules").items().zip(0..).map(|it| (*policy, it)))
        };
        let Some(token) = &request.token else { return Verdict::None };
        let looking = rules().filter(|(_, (rule, _))| looks_at_authorization(*rule));
        let all: Vec<_> = looking.collect();
        let Some((first, _)) = all.first() else { return Verdict::None };
        let refused = |status, detail, policy: &'m Object, field: String| Verdict::Refused {
            status,
            detail,
            by: By::new(policy, field),
        };
        if !token.is_well_formed {
            return refused(401, "Jwt_header_is_an_invalid_JSON", first, "spec.jwtRules".to_owned());
        }
        let issuer = token.claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        let own = all.iter().find(|(_, (rule, _))| rule.get("issuer").text() == issuer);
        let Some((policy, (rule, index))) = own else {
            return refused(401, "Jwt_issuer_is_not_configured", first, "spec.jwtRules[0].issuer".to_owned());
        };
        let field = |name: &str| format!("spec.jwtRules[{index}].{name}");
        if self.is_expired(token) {
            return refused(401, "Jwt_is_expired", policy, field("issuer"));
        }
        if !token.is_signed_by_issuer || !self.has_keys(*rule) {
            return refused(401, "Jwt_verification_fails", policy, field("jwksUri"));
        }
        let mut wanted = rule.get("audiences").texts().peekable();
        let has = claim(&token.claims, &["aud"]);
        if wanted.peek().is_some() && !wanted.any(|audience| has.iter().any(|own| own == audience)) {
            return refused(403, "Audiences_in_Jwt_are_not_allowed", policy, field("audiences"));
        }
        Verdict::Valid
    }

    fn is_expired(&self, token: &Token) -> bool {
        let now = self.mesh.taken_at().as_second();
        token.claims.get("exp").and_then(Value::as_i64).is_some_and(|expires| expires < now)
    }

    /// Whether the keys of an issuer can be had. istiod fetches them; where it cannot, no token passes.
    fn has_keys(&self, rule: View<'_>) -> bool {
        let uri = rule.field("jwksUri").text();
        if !rule.get("jwks").is_empty() || uri.is_empty() {
            return true;
        }
        let host = uri.split("://").nth(1).unwrap_or_default();
        let host = host.split(['/', ':']).next().unwrap_or_default();
        !host.ends_with(".invalid") && self.facts.addresses_of(host).is_none_or(|addresses| !addresses.is_empty())
            || self.in_cluster("", host).is_some()
    }
}

/// Whether a rule looks for tokens where they usually are. One that names other places looks only there.
fn looks_at_authorization(rule: View<'_>) -> bool {
    let headers = rule.field("fromHeaders");
    let elsewhere =
        [headers, rule.field("fromParams"), rule.field("fromCookies")].iter().any(|places| !places.is_empty());
    !elsewhere || headers.items().any(|header| header.get("name").text().eq_ignore_ascii_case("authorization"))
}
