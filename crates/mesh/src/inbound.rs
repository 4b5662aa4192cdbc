//! Through which ports of Services traffic comes to a pod, and what Istio takes it for.

use super::object::Object;
use super::protocol;
use super::services::container_port;
use super::snapshot::Mesh;
use super::view::View;

/// A port of a Service as a pod behind it sees it.
#[derive(Debug, Clone, Copy)]
pub struct InboundPort<'m> {
    pub service: &'m Object,
    /// The port as the Service has it.
    pub port: View<'m>,
    /// The port of the container.
    pub number: i64,
    /// What it is declared to be; `None` where Istio looks at the traffic.
    pub protocol: Option<&'static str>,
}

impl InboundPort<'_> {
    /// Whether HTTP rules never see the traffic, whatever it is.
    pub fn is_opaque(&self) -> bool {
        self.protocol.is_some_and(|protocol| !protocol::is_http(protocol))
    }
}

impl Mesh {
    /// The ports of all Services that select a pod, by Service and in their order there.
    pub fn inbound_ports<'m>(&'m self, pod: &'m Object) -> Vec<InboundPort<'m>> {
        let mut found = Vec::new();
        for service in self.services_selecting(pod.namespace(), pod.labels()) {
            for port in service.spec().get("ports").items() {
                if let Some(number) = container_port(port, pod) {
                    found.push(InboundPort { service, port, number, protocol: protocol::of_service_port(port) });
                }
            }
        }
        found
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use crate::{Kind, MeshBuilder, Settings};

    #[test]
    fn ports_of_services_are_seen_from_the_pod() {
        let text = r"
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec:
  selector: {app: cart}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: redis, port: 6379}, {name: admin, port: 81}]
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {app: cart}}
";
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        builder.add_files(&[("mesh.yaml", text)]);
        let mesh = builder.build();
        let ports = mesh.inbound_ports(mesh.find(Kind::Pod, "shop", "cart-1").unwrap());
        let seen: Vec<_> = ports.iter().map(|port| (port.number, port.is_opaque())).collect();
        assert_eq!(seen, [(8080, false), (6379, true), (81, false)]);
    }
}
