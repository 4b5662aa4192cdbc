//! The proxies at the edge of the mesh, and the Services in front of them.

use std::collections::BTreeMap;

use super::kind::Kind;
use super::object::Object;
use super::services::is_finished;
use super::snapshot::Mesh;

/// The label, on pods and on what else Istio makes for a Gateway of the Gateway API, with that Gateway's name.
pub const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
/// The label that makes a `ConfigMap` the settings for all Gateways of a class.
pub const CLASS_DEFAULTS: &str = "gateway.istio.io/defaults-for-class";
/// The keys under which a `ConfigMap` holds settings for what Istio makes for a Gateway
/// (<https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/#automated-deployment>).
pub const GATEWAY_SETTINGS: [&str; 5] =
    ["deployment", "service", "serviceAccount", "horizontalPodAutoscaler", "podDisruptionBudget"];
/// Where the AKS add-on runs its ingress gateways.
pub const INGRESS_NAMESPACE: &str = "aks-istio-ingress";

/// A Service in front of gateways.
#[derive(Debug)]
pub struct GatewayService<'m> {
    pub service: &'m Object,
    /// The gateways behind it; none where none runs.
    pub pods: Vec<&'m Object>,
}

impl GatewayService<'_> {
    /// Whether Istio made it for a Gateway of the Gateway API.
    pub fn is_managed(&self) -> bool {
        self.service.label(GATEWAY_NAME).is_some()
    }

    pub fn is_load_balancer(&self) -> bool {
        self.service.spec().get("type").text() == "LoadBalancer"
    }

    /// Its external addresses.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let ingress = self.service.status().get("loadBalancer").get("ingress").items();
        ingress.map(|address| address.get("ip").text()).filter(|address| !address.is_empty())
    }
}

/// Whether a `ConfigMap` holds settings for Gateways of the Gateway API.
pub(super) fn is_gateway_settings(map: &Object) -> bool {
    let data = map.root().get("data");
    let has_only_settings = || data.entries().all(|(key, _)| GATEWAY_SETTINGS.contains(&key));
    map.label(CLASS_DEFAULTS).is_some() || !data.is_empty() && has_only_settings()
}

/// Whether a pod is a gateway: its proxy is a router for itself, and no sidecar of an application
/// (<https://istio.io/latest/docs/reference/commands/pilot-agent/#pilot-agent-proxy>).
pub fn is_gateway_pod(pod: &Object) -> bool {
    pod.spec().get("containers").items().any(|container| {
        container.get("name").text() == "istio-proxy"
            && container.get("args").texts().take(2).any(|argument| argument == "router")
    })
}

impl Mesh {
    /// The Services that lead to gateways, and those that are meant to: Istio's own for the Gateway API, and the AKS
    /// add-on's.
    pub fn gateway_services(&self) -> Vec<GatewayService<'_>> {
        let mut found: BTreeMap<(&str, &str), GatewayService<'_>> = BTreeMap::new();
        for service in self.each(Kind::Service) {
            if service.label(GATEWAY_NAME).is_some() || self.is_of_add_on(service) {
                let key = (service.namespace(), service.name());
                found.insert(key, GatewayService { service, pods: Vec::new() });
            }
        }
        for pod in self.each(Kind::Pod).filter(|pod| is_gateway_pod(pod) && !is_finished(pod)) {
            for service in self.services_selecting(pod.namespace(), pod.labels()) {
                let key = (service.namespace(), service.name());
                found.entry(key).or_insert_with(|| GatewayService { service, pods: Vec::new() }).pods.push(pod);
            }
        }
        found.into_values().collect()
    }

    /// Whether a Gateway of the Gateway API is Istio's to serve. Istio makes its classes itself, so one that is not there
    /// goes by its name.
    pub fn is_istio_gateway(&self, gateway: &Object) -> bool {
        let name = gateway.spec().get("gatewayClassName").text();
        match self.find(Kind::GatewayClass, "", name) {
            Some(class) => class.spec().get("controllerName").text().starts_with("istio.io/"),
            None => matches!(name, "istio" | "istio-remote" | "istio-waypoint"),
        }
    }

    fn is_of_add_on(&self, service: &Object) -> bool {
        self.is_aks()
            && service.namespace() == INGRESS_NAMESPACE
            && service.name().starts_with("aks-istio-ingressgateway-")
    }
}

#[cfg(test)]
mod tests {
    use crate::{MeshBuilder, Settings};

    #[test]
    fn services_in_front_of_gateways() {
        let mut builder = MeshBuilder::new(Settings {
            runtime_kinds: true,
            istio_namespace: "aks-istio-system".into(),
            ..Settings::new(jiff::Timestamp::UNIX_EPOCH)
        });
        let text = r"
apiVersion: v1
kind: Service
metadata: {name: aks-istio-ingressgateway-internal, namespace: aks-istio-ingress}
spec: {selector: {app: internal}}
---
apiVersion: v1
kind: Service
metadata: {name: edge, namespace: shop}
spec: {selector: {app: edge}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}}
---
apiVersion: v1
kind: Pod
metadata: {name: edge-1, namespace: shop, labels: {app: edge}}
spec: {containers: [{name: istio-proxy, args: [proxy, router]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-1, namespace: shop, labels: {app: cart}}
spec: {containers: [{name: istio-proxy, args: [proxy, sidecar]}]}
";
        builder.add_files(&[("mesh.yaml", text)]);
        let mesh = builder.build();
        let found: Vec<(String, usize)> =
            mesh.gateway_services().iter().map(|found| (found.service.full_name(), found.pods.len())).collect();
        let expected = [("aks-istio-ingress/aks-istio-ingressgateway-internal", 0), ("shop/edge", 1)];
        assert_eq!(found, expected.map(|(name, pods)| (name.to_owned(), pods)));
    }
}
