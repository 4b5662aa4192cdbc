//! The proxy of a pod: where it stands, of which revision it is, and what it was started with.

use super::config::MeshConfig;
use super::membership::REVISION;
use super::object::Object;
use super::snapshot::Mesh;
use super::view::View;

/// The name of the proxy's container.
const PROXY: &str = "istio-proxy";

/// The annotation by which a pod sets what `defaultConfig` sets for the mesh.
pub const OWN_SETTINGS: &str = "proxy.istio.io/config";

/// The proxy of a pod.
#[derive(Debug, Clone, Copy)]
pub struct Proxy<'m> {
    pub pod: &'m Object,
    /// Its container.
    pub container: View<'m>,
    /// An init container that runs on
    /// (<https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/>).
    pub is_native: bool,
}

impl<'m> Proxy<'m> {
    pub fn of(pod: &'m Object) -> Option<Self> {
        let among = |field: &str| pod.spec().get(field).items().find(|it| it.get("name").text() == PROXY);
        let regular = among("containers");
        let container = regular.or_else(|| among("initContainers"))?;
        Some(Self { pod, container, is_native: regular.is_none() })
    }

    /// Whether it stands beside an application. The proxy of a gateway stands alone.
    pub fn is_sidecar(&self) -> bool {
        application_containers(self.pod.spec()).next().is_some()
    }

    /// The revision that it is of; the injector writes it down.
    pub fn revision(&self) -> Option<&'m str> {
        let told = self.pod.annotation(REVISION).or_else(|| self.pod.label(REVISION));
        told.filter(|revision| !revision.is_empty())
    }

    /// The settings that it was started with, as JSON: `defaultConfig` as it was at injection, and the pod's own over it.
    /// Those that have Istio's default are left out.
    pub fn settings(&self) -> Option<&'m str> {
        self.variable("PROXY_CONFIG")
    }

    /// A variable of its environment.
    pub fn variable(&self, name: &str) -> Option<&'m str> {
        let mut variables = self.container.get("env").items();
        variables.find(|variable| variable.get("name").text() == name)?.get("value").text_if_any()
    }

    /// The settings that the pod itself asks for, as YAML
    /// (<https://istio.io/latest/docs/reference/config/annotations/#ProxyConfig>).
    pub fn own_settings(&self) -> Option<&'m str> {
        self.pod.annotation(OWN_SETTINGS)
    }
}

/// The containers of a pod's spec that are not Istio's. Init containers are not among them.
pub fn application_containers(spec: View<'_>) -> impl Iterator<Item = View<'_>> {
    spec.get("containers").items().filter(|container| container.get("name").text() != PROXY)
}

/// Whether a pod is a gateway: its proxy stands alone.
pub fn is_gateway(pod: &Object) -> bool {
    Proxy::of(pod).is_some_and(|proxy| !proxy.is_sidecar())
}

impl Mesh {
    /// The mesh configuration of the revision that a pod's proxy is of.
    pub fn config_of_proxy(&self, proxy: &Proxy<'_>) -> &MeshConfig {
        let own = proxy.revision().and_then(|revision| self.configs().get(revision));
        own.unwrap_or_else(|| self.config_of(proxy.pod.namespace()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Kind, Tree};

    fn pod(spec: &serde_json::Value) -> Object {
        let pod = json!({"metadata": {"name": "p", "annotations": {"istio.io/rev": "a-1"}}, "spec": spec});
        Object::new(Kind::Pod, "default".into(), Tree::from_json(&pod).unwrap(), None)
    }

    #[test]
    fn native_sidecars_are_init_containers() {
        let native = pod(&json!({
            "initContainers": [{"name": "istio-init"}, {"name": "istio-proxy", "env": [{"name": "PROXY_CONFIG", "value": "{}"}]}],
            "containers": [{"name": "app"}],
        }));
        let proxy = Proxy::of(&native).unwrap();
        assert!(proxy.is_native && proxy.is_sidecar());
        assert_eq!((proxy.revision(), proxy.settings(), proxy.own_settings()), (Some("a-1"), Some("{}"), None));
    }

    #[test]
    fn gateways_have_nothing_beside_their_proxy() {
        let gateway = pod(&json!({"containers": [{"name": "istio-proxy"}]}));
        let proxy = Proxy::of(&gateway).unwrap();
        assert!(!proxy.is_native && !proxy.is_sidecar());
        assert!(Proxy::of(&pod(&json!({"containers": [{"name": "app"}]}))).is_none());
    }
}
