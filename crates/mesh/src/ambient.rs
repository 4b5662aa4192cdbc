//! The ambient mesh: which pods belong to it, and which waypoint stands before a Service
//! (<https://istio.io/latest/docs/ambient/>).

use super::gateways::{GATEWAY_NAME, is_gateway_pod};
use super::kind::Kind;
use super::membership::{DATAPLANE_MODE, INJECT, Workload, is_ambient_pod};
use super::object::Object;
use super::snapshot::Mesh;

/// The label of a pod, Service or namespace that names its waypoint.
pub const USE_WAYPOINT: &str = "istio.io/use-waypoint";
/// The label that names the waypoint's namespace, where that is another one.
const WAYPOINT_NAMESPACE: &str = "istio.io/use-waypoint-namespace";
/// The port on which ztunnel and waypoints take mutual TLS for pods
/// (<https://istio.io/latest/docs/ambient/architecture/hbone/>).
pub const HBONE_PORT: i64 = 15008;

/// A waypoint, by namespace and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waypoint<'m> {
    pub namespace: &'m str,
    pub name: &'m str,
    /// What names it: a Service, a pod or a namespace.
    pub named_by_namespace: bool,
}

impl Mesh {
    /// Whether some namespace or pod is in the ambient mesh, so that its rules matter at all.
    pub fn has_ambient(&self) -> bool {
        let mut namespaces = self.each(Kind::Namespace);
        namespaces.any(|namespace| namespace.label(DATAPLANE_MODE) == Some("ambient"))
            || self.each(Kind::Pod).any(|pod| is_ambient_pod(pod) || pod.label(DATAPLANE_MODE) == Some("ambient"))
    }

    /// Whether a pod is, or by the labels on it and its namespace ought to be, in the ambient mesh. Pods with a sidecar are
    /// not, nor are those that share the network of their node, and Istio's own gateways
    /// (<https://istio.io/latest/docs/ambient/usage/add-workloads/>).
    pub fn is_ambient(&self, pod: &Object) -> bool {
        if is_ambient_pod(pod) {
            return true;
        }
        let declines = pod.label(DATAPLANE_MODE) == Some("none") || pod.label(INJECT) == Some("true");
        let is_apart = declines
            || Workload::of_pod(pod).has_proxy()
            || pod.spec().get("hostNetwork").truth()
            || pod.label(GATEWAY_NAME).is_some()
            || is_gateway_pod(pod)
            || pod.namespace() == self.istio_namespace();
        let asks = pod.label(DATAPLANE_MODE) == Some("ambient")
            || self.namespace(pod.namespace()).is_some_and(|it| it.label(DATAPLANE_MODE) == Some("ambient"));
        !is_apart && asks
    }

    /// The waypoint that a Service, or else its namespace, names
    /// (<https://istio.io/latest/docs/ambient/usage/waypoint/#useawaypoint>).
    pub fn waypoint_of<'m>(&'m self, service: &'m Object) -> Option<Waypoint<'m>> {
        let by = |object: &'m Object, named_by_namespace: bool| {
            let name = object.label(USE_WAYPOINT).filter(|name| !name.is_empty())?;
            let namespace = object.label(WAYPOINT_NAMESPACE).filter(|namespace| !namespace.is_empty());
            Some(Waypoint { namespace: namespace.unwrap_or(service.namespace()), name, named_by_namespace })
        };
        let own = by(service, false);
        let found = own.or_else(|| by(self.namespace(service.namespace())?, true))?;
        (found.name != "none").then_some(found)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{MeshBuilder, Settings};

    #[test]
    fn namespaces_and_services_name_waypoints() {
        let text = r"
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
---
apiVersion: v1
kind: Service
metadata: {name: own, namespace: shop, labels: {istio.io/use-waypoint: own, istio.io/use-waypoint-namespace: infra}}
---
apiVersion: v1
kind: Service
metadata: {name: plain, namespace: shop, labels: {istio.io/use-waypoint: none}}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: out, namespace: shop, labels: {istio.io/dataplane-mode: none}}
---
apiVersion: v1
kind: Pod
metadata: {name: sidecar, namespace: shop}
spec: {containers: [{name: istio-proxy, image: proxyv2}]}
";
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        builder.add_files(&[("mesh.yaml", text)]);
        let mesh = builder.build();
        let waypoint = |name| {
            mesh.waypoint_of(mesh.find(Kind::Service, "shop", name).unwrap()).map(|found| (found.namespace, found.name))
        };
        assert_eq!(waypoint("cart"), Some(("shop", "waypoint")));
        assert_eq!(waypoint("own"), Some(("infra", "own")));
        assert_eq!(waypoint("plain"), None);
        let ambient: Vec<_> = mesh.each(Kind::Pod).filter(|pod| mesh.is_ambient(pod)).map(Object::name).collect();
        assert_eq!(ambient, ["cart-1"]);
    }
}
