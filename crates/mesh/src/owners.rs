//! The pods that one template made, so that a rule looks at each kind of pod once, and the name of what owns them, which the
//! pods themselves tell.

use std::collections::HashSet;

use super::kind::Kind;
use super::membership::Workload;
use super::object::Object;
use super::services::is_finished;
use super::snapshot::Mesh;
use super::view::View;

/// The label with the hash that ends the name of a Deployment's `ReplicaSet`.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// What a person would restart to get new pods.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner<'m> {
    pub kind: &'m str,
    pub name: &'m str,
}

impl Mesh {
    /// One pod of each workload with a proxy, leaving out what has run to its end.
    pub fn proxied_workloads(&self) -> Vec<&Object> {
        one_of_each(self.each(Kind::Pod).filter(|pod| Workload::of_pod(pod).has_proxy()))
    }

    /// The same of one namespace.
    pub fn proxied_workloads_in(&self, namespace: &str) -> Vec<&Object> {
        one_of_each(self.in_namespace(Kind::Pod, namespace).filter(|pod| Workload::of_pod(pod).has_proxy()))
    }
}

/// The first pod of each workload, leaving out what has run to its end.
pub fn one_of_each<'m>(pods: impl IntoIterator<Item = &'m Object>) -> Vec<&'m Object> {
    let mut seen = HashSet::new();
    let is_new = |pod: &&'m Object| {
        let name = controller(pod).map_or_else(|| pod.name(), |owner| owner.get("name").text());
        seen.insert((pod.cluster(), pod.namespace(), name))
    };
    pods.into_iter().filter(|pod| !is_finished(pod)).filter(is_new).collect()
}

/// What owns a pod: the Deployment behind a `ReplicaSet`, told by the `ReplicaSet`'s name without the hash that the pod
/// carries as a label (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pod-template-hash-label>), any
/// other controller itself, or the pod.
pub fn owner(pod: &Object) -> Owner<'_> {
    let Some(owner) = controller(pod) else { return Owner { kind: "Pod", name: pod.name() } };
    let (kind, name) = (owner.get("kind").text(), owner.get("name").text());
    let hash = pod.label(TEMPLATE_HASH).unwrap_or_default();
    match name.strip_suffix(hash).and_then(|name| name.strip_suffix('-')) {
        Some(deployment) if kind == "ReplicaSet" && !hash.is_empty() => Owner { kind: "Deployment", name: deployment },
        _ => Owner { kind, name },
    }
}

/// The command that replaces the pods of a workload.
pub fn restart(pod: &Object) -> String {
    let (namespace, owner) = (pod.namespace(), owner(pod));
    match owner.kind {
        "Deployment" | "StatefulSet" | "DaemonSet" => {
            format!("kubectl rollout restart {} {} -n {namespace}", owner.kind.to_lowercase(), owner.name)
        }
        _ => format!("kubectl delete pod {} -n {namespace}", pod.name()),
    }
}

fn controller(pod: &Object) -> Option<View<'_>> {
    pod.metadata().get("ownerReferences").items().find(|owner| owner.get("controller").truth())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{MeshBuilder, Settings};

    const PODS: &str = r"
apiVersion: v1
kind: Pod
metadata:
  name: cart-6d5-a
  namespace: shop
  labels: {pod-template-hash: 6d5}
  ownerReferences: [{kind: ReplicaSet, name: cart-6d5, controller: true}]
spec: {containers: [{name: cart}], initContainers: [{name: istio-proxy, image: proxyv2}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: cart-6d5-b
  namespace: shop
  labels: {pod-template-hash: 6d5}
  ownerReferences: [{kind: ReplicaSet, name: cart-6d5, controller: true}]
spec: {containers: [{name: cart}], initContainers: [{name: istio-proxy, image: proxyv2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: edge, namespace: shop}
spec: {containers: [{name: istio-proxy, image: proxyv2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: plain, namespace: shop}
spec: {containers: [{name: plain}]}
";

    #[test]
    fn workloads_stand_for_their_pods() {
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        builder.add_files(&[("pods.yaml", PODS)]);
        let mesh = builder.build();
        let names = |pods: Vec<&Object>| pods.into_iter().map(|pod| pod.name().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(mesh.proxied_workloads()), ["cart-6d5-a", "edge"]);
        assert!(mesh.proxied_workloads_in("bank").is_empty());
        let pod = |name| mesh.find(Kind::Pod, "shop", name).unwrap();
        assert_eq!(owner(pod("cart-6d5-b")), Owner { kind: "Deployment", name: "cart" });
        assert_eq!(owner(pod("edge")), Owner { kind: "Pod", name: "edge" });
        assert_eq!(restart(pod("cart-6d5-b")), "kubectl rollout restart deployment cart -n shop");
    }
}
