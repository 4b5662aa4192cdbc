//! What stands behind a host: the Service, its pods, and the ports of their containers.

use super::kind::Kind;
use super::object::Object;
use super::snapshot::Mesh;
use super::view::View;
use super::{domain, host};

impl Mesh {
    /// The Service that a host means in an object of this namespace, if there is one.
    pub fn service_of_host(&self, namespace: &str, host: &str) -> Option<&Object> {
        let host = host::fqdn(namespace, &domain::usual(self.domain(), host));
        let (namespace, name) = host::service_of("", &host);
        self.find(Kind::Service, namespace, name)
    }

    /// The pods that a Service sends to: those with the labels of its selector that have not run to their end. None where
    /// it has no selector: its endpoints are then somebody else's business
    /// (<https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors>).
    pub fn pods_of_service<'m>(&'m self, service: &'m Object) -> Vec<&'m Object> {
        let selector = service.spec().get("selector");
        if selector.is_empty() || service.spec().get("type").text() == "ExternalName" {
            return Vec::new();
        }
        let mut pods = self.labelled(Kind::Pod, selector, Some(service.namespace()));
        pods.retain(|pod| !is_finished(pod));
        pods
    }
}

/// Whether a pod has run to its end, so that it has no traffic any more.
pub fn is_finished(pod: &Object) -> bool {
    matches!(pod.status().get("phase").text(), "Succeeded" | "Failed")
}

/// Whether a pod says that it is ready for traffic.
pub fn is_ready(pod: &Object) -> bool {
    let mut conditions = pod.status().get("conditions").items();
    conditions.any(|condition| condition.get("type").text() == "Ready" && condition.get("status").text() == "True")
}

/// The port of the container that a port of a Service leads to in this pod. A named `targetPort` is looked up among the
/// pod's containers (<https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports>).
pub fn container_port(port: View<'_>, pod: &Object) -> Option<i64> {
    let target = port.get("targetPort");
    let written = target.written();
    if written.is_empty() {
        return port.get("port").integer_if_any();
    }
    if let Some(number) = target.integer_if_any() {
        return Some(number);
    }
    let init = pod.spec().get("initContainers").items();
    let mut ports =
        pod.spec().get("containers").items().chain(init).flat_map(|container| container.get("ports").items());
    let named = ports.find(|port| port.get("name").text() == written)?;
    named.get("containerPort").integer_if_any()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{MeshBuilder, Settings};

    #[test]
    fn ports_of_services_lead_to_ports_of_containers() {
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        let text = r"
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec:
  selector: {app: cart}
  ports: [{port: 80}, {port: 81, targetPort: 8081}, {port: 82, targetPort: web}, {port: 83, targetPort: gone}]
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {app: cart}}
spec: {containers: [{name: app, ports: [{name: web, containerPort: 9000}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-0, namespace: shop, labels: {app: cart}}
status: {phase: Succeeded}
";
        builder.add_files(&[("mesh.yaml", text)]);
        let mesh = builder.build();
        let service = mesh.service_of_host("shop", "cart").unwrap();
        assert!(mesh.service_of_host("other", "cart").is_none());
        assert!(mesh.service_of_host("other", "cart.shop.svc.cluster.local").is_some());
        let pods = mesh.pods_of_service(service);
        assert_eq!(pods.len(), 1);
        let ports = service.spec().get("ports").items().map(|port| container_port(port, pods[0]));
        assert_eq!(ports.collect::<Vec<_>>(), [Some(80), Some(8081), Some(9000), None]);
    }
}
