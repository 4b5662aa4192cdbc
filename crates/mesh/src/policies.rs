//! Which policies hold for a workload: those that select it, those of its namespace, those of the root namespace.
//!
//! The same three places count for `PeerAuthentication`, `RequestAuthentication`, `AuthorizationPolicy`, `Telemetry` and
//! `Sidecar`; what they make of it differs. See
//! [policy scope](https://istio.io/latest/docs/concepts/security/#authentication-policies).

use super::gateways::GATEWAY_NAME;
use super::kind::Kind;
use super::labels;
use super::membership::Workload;
use super::object::Object;
use super::snapshot::Mesh;
use super::view::View;

/// The policies of a kind that hold for a workload, each list with the oldest first: of several the oldest wins.
#[derive(Debug, Default)]
pub struct Policies<'m> {
    /// Of the workload's namespace, and of the root namespace where the kind allows that, by their selector.
    pub selecting: Vec<&'m Object>,
    /// Of the workload's namespace, without a selector.
    pub of_namespace: Vec<&'m Object>,
    /// Of the root namespace, without a selector.
    pub of_root: Vec<&'m Object>,
}

impl<'m> Policies<'m> {
    /// All of them, the nearest to the workload first.
    pub fn iter(&self) -> impl Iterator<Item = &'m Object> {
        self.selecting.iter().chain(&self.of_namespace).chain(&self.of_root).copied()
    }

    /// Puts the oldest first; of the same age, the first by name.
    pub fn sort_by_age(policies: &mut [&Object]) {
        policies.sort_by_key(|policy| policy.age());
    }
}

/// How strict the proxy of a workload is about mutual TLS
/// (<https://istio.io/latest/docs/reference/config/security/peer_authentication/#PeerAuthentication-MutualTLS-Mode>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MutualTls {
    Disable,
    Permissive,
    Strict,
}

/// What decides over mutual TLS for a port of a workload.
#[derive(Debug, Clone, Copy)]
pub struct MutualTlsDecision<'m> {
    pub mode: MutualTls,
    /// None where nobody says anything, so that Istio's default holds.
    pub policy: Option<&'m Object>,
}

impl Mesh {
    /// The policies of a kind that hold for a workload.
    ///
    /// A selector in the root namespace reaches workloads of all namespaces, except that of a `PeerAuthentication`, a
    /// `Sidecar` or a `Telemetry`, which stays within its own. A policy with `targetRefs` is for the Gateway or Service
    /// that it names, so it holds for the pods of that Gateway and for no others
    /// (<https://istio.io/latest/docs/reference/config/type/workload-selector/#PolicyTargetReference>).
    pub fn policies(&self, kind: Kind, workload: Workload<'_>) -> Policies<'_> {
        let root = self.config_of(workload.namespace).root_namespace.as_str();
        let mut policies = Policies::default();
        let mut places = vec![workload.namespace];
        if root != workload.namespace {
            places.push(root);
        }
        for place in places {
            let is_root = place == root;
            for policy in self.in_namespace(kind, place) {
                let selector = selector_of(policy);
                if has_targets(policy) {
                    if names_gateway_of(policy, workload) {
                        policies.selecting.push(policy);
                    }
                } else if selector.is_empty() {
                    if is_root { policies.of_root.push(policy) } else { policies.of_namespace.push(policy) }
                } else if labels::matches(selector, workload.labels)
                    && (policy.namespace() == workload.namespace || !selects_at_home_only(kind))
                {
                    policies.selecting.push(policy);
                }
            }
        }
        for list in [&mut policies.selecting, &mut policies.of_namespace, &mut policies.of_root] {
            Policies::sort_by_age(list);
        }
        policies
    }

    /// The pods with a proxy that a policy holds for: the other direction of [`Mesh::policies`].
    pub fn pods_under(&self, policy: &Object) -> Vec<&Object> {
        if has_targets(policy) {
            return Vec::new();
        }
        let selector = selector_of(policy);
        let stays_home = !selector.is_empty() && selects_at_home_only(policy.kind());
        let reaches_all = self.is_root_namespace(policy.namespace()) && !stays_home;
        let namespace = (!reaches_all).then(|| policy.namespace());
        let mut pods = self.labelled(Kind::Pod, selector, namespace);
        pods.retain(|pod| Workload::of_pod(pod).has_proxy());
        pods
    }

    /// Whether the proxy of a workload takes mutual TLS, plain text, or both on a port of its container. Without a port,
    /// what holds for those that no policy names.
    ///
    /// The nearest policy decides; `UNSET` leaves the decision to the next one
    /// (<https://istio.io/latest/docs/reference/config/security/peer_authentication/>).
    pub fn mutual_tls(&self, workload: Workload<'_>, port: Option<i64>) -> MutualTlsDecision<'_> {
        let policies = self.policies(Kind::PeerAuthentication, workload);
        if let (Some(port), Some(policy)) = (port, policies.selecting.first()) {
            let levels = policy.spec().field("portLevelMtls");
            let level = levels.entries().find(|(key, _)| key.parse() == Ok(port));
            if let Some(mode) = level.and_then(|(_, level)| mode_of(level)) {
                return MutualTlsDecision { mode, policy: Some(policy) };
            }
        }
        let of_each_place = [&policies.selecting, &policies.of_namespace, &policies.of_root];
        let decisive = of_each_place.into_iter().filter_map(|list| list.first().copied());
        let mut decided = decisive.filter_map(|policy| Some((mode_of(policy.spec().get("mtls"))?, policy)));
        match decided.next() {
            Some((mode, policy)) => MutualTlsDecision { mode, policy: Some(policy) },
            None => MutualTlsDecision { mode: MutualTls::Permissive, policy: None },
        }
    }

    /// The `Sidecar` that limits what a workload's proxy knows: the one that selects it, else that of its namespace, else
    /// that of the root namespace
    /// (<https://istio.io/latest/docs/reference/config/networking/sidecar/>). Gateways have none.
    pub fn sidecar_scope(&self, workload: Workload<'_>) -> Option<&Object> {
        self.policies(Kind::Sidecar, workload).iter().next()
    }

    /// The pods that a Gateway configures: those with the labels of its selector, in any namespace. A Gateway without a
    /// selector configures them all (<https://istio.io/latest/docs/reference/config/networking/gateway/#Gateway>).
    pub fn gateway_pods(&self, gateway: &Object) -> Vec<&Object> {
        self.labelled(Kind::Pod, gateway.spec().get("selector"), None)
    }
}

/// Where each kind has its selector: a map of labels.
fn selector_of(policy: &Object) -> View<'_> {
    let field = if policy.kind() == Kind::Sidecar { "workloadSelector" } else { "selector" };
    let selector = policy.spec().field(field);
    let labels = if policy.kind() == Kind::Sidecar { "labels" } else { "matchLabels" };
    selector.field(labels)
}

fn selects_at_home_only(kind: Kind) -> bool {
    matches!(kind, Kind::PeerAuthentication | Kind::Sidecar | Kind::Telemetry)
}

fn has_targets(policy: &Object) -> bool {
    policy.spec().field("targetRef").is_set() || !policy.spec().field("targetRefs").is_empty()
}

/// Whether one of a policy's targets is the Gateway that a workload was made for.
fn names_gateway_of(policy: &Object, workload: Workload<'_>) -> bool {
    let Some(gateway) = workload.labels.get(GATEWAY_NAME).text_if_any() else { return false };
    let spec = policy.spec();
    let mut targets = std::iter::once(spec.field("targetRef")).chain(spec.field("targetRefs").items());
    policy.namespace() == workload.namespace
        && targets.any(|target| target.get("kind").text() == "Gateway" && target.get("name").text() == gateway)
}

fn mode_of(mtls: View<'_>) -> Option<MutualTls> {
    match mtls.get("mode").text() {
        "DISABLE" => Some(MutualTls::Disable),
        "PERMISSIVE" => Some(MutualTls::Permissive),
        "STRICT" => Some(MutualTls::Strict),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{MeshBuilder, Settings};

    fn mesh(text: &str) -> Mesh {
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        builder.add_files(&[("mesh.yaml", text)]);
        let mesh = builder.build();
        assert!(mesh.malformed().is_empty(), "{:?}", mesh.malformed());
        mesh
    }

    const POLICIES: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop, labels: {app: cart}}
---
apiVersion: v1
kind: Pod
metadata: {name: pay, namespace: bank, labels: {app: cart}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: mesh, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: elsewhere, namespace: istio-system}
spec: {selector: {matchLabels: {app: cart}}, mtls: {mode: DISABLE}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: cart, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  mtls: {mode: UNSET}
  portLevelMtls: {8080: {mode: DISABLE}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: namespace, namespace: shop}
spec: {mtls: {mode: PERMISSIVE}}
";

    #[test]
    fn nearest_policy_decides_over_mutual_tls() {
        let mesh = mesh(POLICIES);
        let decide = |namespace: &str, name: &str, port| {
            let workload = Workload::of_pod(mesh.find(Kind::Pod, namespace, name).unwrap());
            let decision = mesh.mutual_tls(workload, port);
            (decision.mode, decision.policy.map(Object::name))
        };
        assert_eq!(decide("shop", "cart", Some(8080)), (MutualTls::Disable, Some("cart")));
        assert_eq!(decide("shop", "cart", Some(9090)), (MutualTls::Permissive, Some("namespace")));
        // The selector in the root namespace does not reach another one.
        assert_eq!(decide("bank", "pay", Some(8080)), (MutualTls::Strict, Some("mesh")));
    }

    #[test]
    fn selectors_of_the_root_namespace_reach_all() {
        let text = POLICIES.replace("PeerAuthentication", "AuthorizationPolicy");
        let mesh = mesh(&text);
        let workload = Workload::of_pod(mesh.find(Kind::Pod, "bank", "pay").unwrap());
        let policies = mesh.policies(Kind::AuthorizationPolicy, workload);
        assert_eq!(policies.iter().map(Object::name).collect::<Vec<_>>(), ["elsewhere", "mesh"]);
    }

    #[test]
    fn targets_are_gateways() {
        let mesh = mesh(
            r"
apiVersion: v1
kind: Pod
metadata: {name: api-1, namespace: shop, labels: {gateway.networking.k8s.io/gateway-name: api}}
---
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop}
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: api, namespace: shop}
spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: api}]}
",
        );
        let names = |pod| {
            let workload = Workload::of_pod(mesh.find(Kind::Pod, "shop", pod).unwrap());
            mesh.policies(Kind::Telemetry, workload).iter().map(Object::name).collect::<Vec<_>>()
        };
        assert_eq!(names("api-1"), ["api"]);
        assert!(names("cart").is_empty());
    }
}
