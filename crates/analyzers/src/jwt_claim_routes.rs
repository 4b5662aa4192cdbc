//! Finds routes by the claims of a token at gateways that check no token.

use std::collections::{BTreeMap, HashMap};

use super::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, View, host, labels};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "virtualservice.JWTClaimRouteAnalyzer",
    reads: &[Kind::VirtualService, Kind::RequestAuthentication, Kind::Gateway, Kind::Pod, Kind::MeshConfig],
    reports: &[&IST0149],
    by_default: true,
    run,
};

static IST0149: Code = Code {
    id: "IST0149",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/tasks/security/authentication/jwt-route/",
    page: include_str!("pages/IST0149.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let authentications = Authentications::new(mesh);
    // Many Gateways share one selector.
    let mut unchecked: HashMap<String, Vec<&Object>> = HashMap::new();
    for service in mesh.each(Kind::VirtualService) {
        let Some(key) = claim_key(service) else { continue };
        for reference in service.spec().get("gateways").texts().filter(|gateway| *gateway != "mesh") {
            let (namespace, name) = host::reference(service.namespace(), reference);
            let Some(gateway) = mesh.find(Kind::Gateway, namespace, name) else { continue };
            let selector = gateway.spec().get("selector");
            let pods = unchecked.entry(labels::selector_text(selector)).or_insert_with(|| {
                let pods = mesh.labelled(Kind::Pod, selector, None);
                pods.into_iter().filter(|pod| !authentications.cover(mesh, pod)).collect()
            });
            for pod in pods {
                messages.report(tokens_are_not_checked(service, key, gateway, pod));
            }
        }
    }
}

/// The first header that stands for a claim.
fn claim_key(service: &Object) -> Option<&str> {
    let matches = service.spec().get("http").items().flat_map(|rule| rule.get("match").items());
    matches.flat_map(|it| [it.get("headers"), it.field("withoutHeaders")]).find_map(first_claim)
}

fn first_claim(headers: View<'_>) -> Option<&str> {
    headers.entries().map(|(key, _)| key).filter(|key| is_claim(key)).min()
}

/// Whether a header is a claim: `@request.auth.claims.NAME` or `@request.auth.claims[NAME]`.
fn is_claim(key: &str) -> bool {
    const START: &str = "@request.auth.claims";
    if !key.get(..START.len()).is_some_and(|start| start.eq_ignore_ascii_case(START)) {
        return false;
    }
    let rest = &key[START.len()..];
    let in_brackets = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    rest.strip_prefix('.').or(in_brackets).is_some_and(|name| !name.is_empty())
}

/// Who checks tokens, by namespace.
struct Authentications<'m>(BTreeMap<&'m str, Vec<&'m Object>>);

impl<'m> Authentications<'m> {
    fn new(mesh: &'m Mesh) -> Self {
        let mut by_namespace: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
        for authentication in mesh.each(Kind::RequestAuthentication) {
            by_namespace.entry(authentication.namespace()).or_default().push(authentication);
        }
        Self(by_namespace)
    }

    /// Whether one applies to a pod: one of its namespace, or of the root namespace, which for `istioctl` is always
    /// `istio-system`.
    fn cover(&self, mesh: &Mesh, pod: &Object) -> bool {
        let root = if mesh.is_compatible() { "istio-system" } else { &mesh.config_of(pod.namespace()).root_namespace };
        let candidates = [root, pod.namespace()].into_iter().filter_map(|namespace| self.0.get(namespace)).flatten();
        let mut selectors = candidates.map(|it| it.spec().path(&["selector", "matchLabels"]));
        selectors.any(|selector| labels::matches(selector, pod.labels()))
    }
}

fn tokens_are_not_checked<'m>(service: &'m Object, key: &str, gateway: &Object, pod: &Object) -> Message<'m> {
    let (gateway, pod) = (gateway.full_name(), pod.name());
    let text = format!(
        "The virtual service uses the JWT claim based routing (key: {key}) but found no request authentication for \
         the gateway ({gateway}) pod ({pod}). The request authentication must first be applied for the gateway pods \
         to validate the JWT token and make the claims available for routing."
    );
    Message::new(&IST0149, service, text)
}

#[cfg(test)]
mod tests {
    use super::is_claim;

    #[test]
    fn claims_have_a_name() {
        for (key, expected) in [
            ("@request.auth.claims.group", true),
            ("@Request.Auth.Claims[a.b][c]", true),
            ("@request.auth.claims", false),
            ("@request.auth.claims.", false),
            ("@request.auth.claims[]", false),
            ("@request.auth.claims[a", false),
            ("@request.auth.claimsé", false),
            ("x", false),
        ] {
            assert_eq!(is_claim(key), expected, "{key}");
        }
    }
}
