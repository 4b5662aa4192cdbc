//! Whether a rule of a `VirtualService` matches a request
//! (<https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPMatchRequest>).

use crate::request::Request;
use mesh::{View, labels};

/// Where a request is asked about: at a sidecar or at a gateway, on which port, on whose behalf.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The port of the listener.
    pub port: u16,
    /// `namespace/name` of the Gateways whose server takes the request; none in a sidecar.
    pub gateways: Option<&'a [String]>,
    /// The labels and the namespace of the workload that sends it.
    pub labels: View<'a>,
    pub namespace: &'a str,
}

impl Place<'_> {
    /// Whether a name among `gateways` means this place. `home` is the namespace of the object that names it.
    pub(crate) fn is_named(&self, name: &str, home: &str) -> bool {
        match self.gateways {
            None => name == mesh::virtual_services::SIDECARS,
            Some(gateways) => gateways.iter().any(|gateway| {
                gateway == name || !name.contains('/') && gateway.strip_suffix(name) == Some(&format!("{home}/"))
            }),
        }
    }
}

/// Whether a `StringMatch` takes a text. One that says nothing takes any.
pub(crate) fn takes(wanted: View<'_>, text: &str, ignore_case: bool) -> bool {
    let folded = |text: &str| if ignore_case { text.to_ascii_lowercase() } else { text.to_owned() };
    if let Some(exact) = wanted.get("exact").text_if_any() {
        return folded(exact) == folded(text);
    }
    if let Some(prefix) = wanted.get("prefix").text_if_any() {
        return folded(text).starts_with(&folded(prefix));
    }
    match wanted.get("regex").text_if_any() {
        Some(pattern) => is_whole_match(pattern, text),
        None => true,
    }
}

/// Envoy's regular expressions are RE2's and have to match the whole text.
pub(crate) fn is_whole_match(pattern: &str, text: &str) -> bool {
    regex::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| regex.is_match(text))
}

/// Whether a rule takes a request: one of its matches does, or it has none. The match that did is handed back, since a
/// rewrite depends on it.
pub(crate) fn rule_takes<'r>(rule: View<'r>, home: &str, place: &Place<'_>, request: &Request) -> Option<View<'r>> {
    let matches = rule.get("match");
    if matches.is_empty() {
        return Some(View::MISSING);
    }
    matches.items().find(|wanted| match_takes(*wanted, home, place, request))
}

fn match_takes(wanted: View<'_>, home: &str, place: &Place<'_>, request: &Request) -> bool {
    let gateways = wanted.get("gateways");
    let ignore_case = wanted.field("ignoreUriCase").truth();
    let scheme = if request.protocol.is_tls() { "https" } else { "http" };
    let port = wanted.get("port").integer();
    (gateways.is_empty() || gateways.texts().any(|gateway| place.is_named(gateway, home)))
        && (port == 0 || port == i64::from(place.port))
        && takes(wanted.get("uri"), request.path_only(), ignore_case)
        && takes(wanted.get("scheme"), scheme, false)
        && takes(wanted.get("method"), &request.method, false)
        && (wanted.get("authority").is_empty() || takes(wanted.get("authority"), &request.authority(), false))
        && source_takes(wanted, place)
        && wanted.get("headers").entries().all(|(name, wanted)| header_takes(name, wanted, request))
        && !wanted.field("withoutHeaders").entries().any(|(name, wanted)| header_takes(name, wanted, request))
        && wanted
            .field("queryParams")
            .entries()
            .all(|(name, wanted)| request.query(name).is_some_and(|value| takes(wanted, value, false)))
}

/// The part of a match that asks who sends the request.
pub(crate) fn source_takes(wanted: View<'_>, place: &Place<'_>) -> bool {
    let namespace = wanted.field("sourceNamespace").text();
    labels::matches(wanted.field("sourceLabels"), place.labels)
        && (namespace.is_empty() || namespace == place.namespace)
}

/// A header that a match names without saying more has to be there
/// (<https://istio.io/latest/docs/tasks/security/authentication/jwt-route/> for those that begin with `@`).
fn header_takes(name: &str, wanted: View<'_>, request: &Request) -> bool {
    if let Some(claim) = name.strip_prefix("@request.auth.claims") {
        let claim = claim.trim_start_matches('.').trim_matches(['[', ']']);
        let claims = request.token.as_ref().filter(|token| token.is_signed_by_issuer).map(|token| &token.claims);
        let values = claims.map(|claims| crate::tokens::claim(claims, &[claim])).unwrap_or_default();
        return values.iter().any(|value| takes(wanted, value, false));
    }
    let value = match name.to_ascii_lowercase().as_str() {
        ":method" => Some(request.method.clone()),
        ":path" => Some(request.path.clone()),
        ":authority" | "host" => Some(request.authority()),
        _ => request.header(name).map(str::to_owned),
    };
    value.is_some_and(|value| takes(wanted, &value, false))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;
    use mesh::Tree;

    fn check(rule: &serde_json::Value, request: &Request, expected: bool) {
        let tree = Tree::from_json(rule).unwrap();
        let labels = Tree::from_json(&json!({"app": "cart"})).unwrap();
        let place = Place { port: 8080, gateways: None, labels: labels.root(), namespace: "shop" };
        assert_eq!(rule_takes(tree.root(), "shop", &place, request).is_some(), expected, "{rule}");
    }

    #[test]
    fn all_of_a_match_and_any_of_the_matches() {
        let mut request = Request::http("cart.shop", 8080);
        request.path = "/items/7?color=red".to_owned();
        request.headers = vec![("X-User".to_owned(), "alice".to_owned())];
        for (matches, expected) in [
            (json!([]), true),
            (json!([{"uri": {"prefix": "/items"}}]), true),
            (json!([{"uri": {"exact": "/items"}}, {"uri": {"exact": "/items/7"}}]), true),
            (json!([{"uri": {"regex": "/items"}}]), false),
            (json!([{"uri": {"regex": "/items/[0-9]+"}, "method": {"exact": "POST"}}]), false),
            (json!([{"uri": {"prefix": "/ITEMS"}, "ignoreUriCase": true}]), true),
            (json!([{"headers": {"x-user": {"prefix": "al"}}}]), true),
            (json!([{"headers": {"x-user": {}}}]), true),
            (json!([{"headers": {"x-team": {}}}]), false),
            (json!([{"withoutHeaders": {"x-user": {}}}]), false),
            (json!([{"queryParams": {"color": {"exact": "red"}}}]), true),
            (json!([{"queryParams": {"size": {"exact": "1"}}}]), false),
            (json!([{"sourceLabels": {"app": "cart"}, "sourceNamespace": "shop"}]), true),
            (json!([{"sourceLabels": {"app": "other"}}]), false),
            (json!([{"port": 80}]), false),
            (json!([{"gateways": ["shop/edge"]}]), false),
            (json!([{"gateways": ["mesh"]}]), true),
            (json!([{"authority": {"exact": "cart.shop:8080"}}]), true),
        ] {
            check(&json!({ "match": matches }), &request, expected);
        }
    }
}
