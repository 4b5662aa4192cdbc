//! Single objects, each without a fault.

use serde_json::{Value, json};

pub(super) const SYSTEM: &str = "istio-system";

pub(super) fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"istio-injection": "enabled", "kubernetes.io/metadata.name": name}},
    })
}

pub(super) fn service(namespace: &str, name: &str, app: &str, ports: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
        "spec": {"selector": {"app": app}, "ports": ports},
    })
}

pub(super) fn port(name: &str, port: u16, target: u16) -> Value {
    json!({"name": name, "port": port, "targetPort": target, "protocol": "TCP"})
}

pub(super) fn deployment(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name, "version": "v1"}},
                "spec": {"containers": [{
                    "name": "app", "image": format!("registry.example.com/{namespace}/{name}:1.4.2"),
                    "ports": [{"containerPort": 8080}],
                }]},
            },
        },
    })
}

pub(super) fn pod(namespace: &str, name: &str, app: &str, version: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": app, "version": version}},
        "spec": {"containers": [
            {"name": "app", "image": format!("registry.example.com/{namespace}/{app}:1.4.2")},
            {"name": "istio-proxy", "image": "registry.example.com/istio/proxyv2:1.30.3"},
        ]},
        "status": {"phase": "Running"},
    })
}

/// The pod of the ingress gateway, which Gateways select.
pub(super) fn ingress_pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "istio-ingressgateway-0", "namespace": SYSTEM, "labels": {"istio": "ingressgateway"}},
        "spec": {"containers": [
            {"name": "istio-proxy", "image": "registry.example.com/istio/proxyv2:1.30.3"},
        ]},
    })
}

pub(super) fn ingress_service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "istio-ingressgateway", "namespace": SYSTEM, "labels": {"istio": "ingressgateway"}},
        "spec": {
            "selector": {"istio": "ingressgateway"},
            "ports": [port("http2", 80, 80), port("https", 443, 443)],
        },
    })
}

/// An object of one of Istio's own kinds.
pub(super) fn istio(group: &str, kind: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": format!("{group}.istio.io/v1"), "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    })
}

pub(super) fn virtual_service(namespace: &str, name: &str, spec: &Value) -> Value {
    istio("networking", "VirtualService", namespace, name, spec)
}

pub(super) fn destination_rule(namespace: &str, name: &str, spec: &Value) -> Value {
    istio("networking", "DestinationRule", namespace, name, spec)
}

pub(super) fn gateway(namespace: &str, name: &str, port: u16, host: &str) -> Value {
    let spec = json!({
        "selector": {"istio": "ingressgateway"},
        "servers": [{"port": {"number": port, "name": "http", "protocol": "HTTP"}, "hosts": [host]}],
    });
    istio("networking", "Gateway", namespace, name, &spec)
}

pub(super) fn service_entry(namespace: &str, name: &str, host: &str, protocol: &str) -> Value {
    let spec = json!({
        "hosts": [host], "location": "MESH_EXTERNAL", "resolution": "DNS",
        "ports": [{"number": 443, "name": protocol.to_lowercase(), "protocol": protocol}],
    });
    istio("networking", "ServiceEntry", namespace, name, &spec)
}

/// What some pods may reach: all pods of a namespace, or those of one application.
pub(super) fn sidecar(namespace: &str, name: &str, app: Option<&str>) -> Value {
    let mut spec = json!({"egress": [{"hosts": ["./*", "istio-system/*"]}]});
    if let Some(app) = app {
        spec["workloadSelector"] = json!({"labels": {"app": app}});
    }
    istio("networking", "Sidecar", namespace, name, &spec)
}

pub(super) fn authorization_policy(namespace: &str, name: &str, app: &str) -> Value {
    let spec = json!({
        "selector": {"matchLabels": {"app": app}},
        "action": "ALLOW",
        "rules": [{
            "from": [{"source": {"namespaces": [namespace]}}],
            "to": [{"operation": {"methods": ["GET", "POST"], "paths": ["/api/*"]}}],
        }],
    });
    istio("security", "AuthorizationPolicy", namespace, name, &spec)
}

pub(super) fn peer_authentication(namespace: &str) -> Value {
    istio("security", "PeerAuthentication", namespace, "default", &json!({"mtls": {"mode": "STRICT"}}))
}

/// A route to a host, or to a subset of it.
pub(super) fn route(host: &str, subset: Option<&str>) -> Value {
    match subset {
        Some(subset) => json!({"route": [{"destination": {"host": host, "subset": subset}}]}),
        None => json!({"route": [{"destination": {"host": host}}]}),
    }
}

/// Subsets by the version of the pods.
pub(super) fn subsets(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name, "labels": {"version": name}})).collect()
}
