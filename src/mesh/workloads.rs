//! Which pods belong together: those of one Deployment, `StatefulSet`, `DaemonSet` or Job.

use std::collections::BTreeMap;

use super::kind::Kind;
use super::object::Object;
use super::services::is_finished;
use super::snapshot::Mesh;

impl Mesh {
    /// Every workload with its pods that have not run to their end, sorted by namespace. A pod whose owner is not in the
    /// mesh stands for itself.
    pub fn workloads(&self) -> Vec<(&Object, Vec<&Object>)> {
        let mut workloads: BTreeMap<(&str, &str, Kind, &str), (&Object, Vec<&Object>)> = BTreeMap::new();
        for pod in self.each(Kind::Pod).filter(|pod| !is_finished(pod)) {
            let workload = self.workload_of(pod);
            let key = (workload.cluster(), workload.namespace(), workload.kind(), workload.name());
            workloads.entry(key).or_insert_with(|| (workload, Vec::new())).1.push(pod);
        }
        workloads.into_values().collect()
    }

    /// The workload that a pod belongs to, as far as the mesh holds it, else the pod itself. The Deployment is told by the
    /// `ReplicaSet`'s name without the hash that the pod carries as a label
    /// (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pod-template-hash-label>).
    pub fn workload_of<'m>(&'m self, pod: &'m Object) -> &'m Object {
        let mut owners = pod.metadata().get("ownerReferences").items();
        let Some(owner) = owners.find(|owner| owner.get("controller").truth()) else { return pod };
        let name = owner.get("name").text();
        let deployment = || name.strip_suffix(pod.label("pod-template-hash")?)?.strip_suffix('-');
        let (kind, name) = match owner.get("kind").text() {
            "ReplicaSet" => (Kind::Deployment, deployment().unwrap_or(name)),
            "StatefulSet" => (Kind::StatefulSet, name),
            "DaemonSet" => (Kind::DaemonSet, name),
            "Job" => (Kind::Job, name),
            _ => return pod,
        };
        self.find(kind, pod.namespace(), name).unwrap_or(pod)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use crate::mesh::{Extent, MeshBuilder, Settings};

    #[test]
    fn pods_are_told_by_their_owners() {
        let mut builder = MeshBuilder::new(Settings {
            runtime_kinds: true,
            extent: Extent::Whole,
            ..Settings::new(jiff::Timestamp::UNIX_EPOCH)
        });
        let pod = |name: &str, owner: &str, phase: &str| {
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{pod-template-hash: \
                 5c4}}, ownerReferences: [{owner}]}}\nstatus: {{phase: {phase}}}\n---\n"
            )
        };
        let text = [
            pod("cart-5c4-a", "{kind: ReplicaSet, name: cart-5c4, controller: true}", "Running"),
            pod("cart-5c4-b", "{kind: ReplicaSet, name: cart-5c4, controller: true}", "Pending"),
            pod("cart-5c4-c", "{kind: ReplicaSet, name: cart-5c4, controller: true}", "Failed"),
            pod("lone", "", "Running"),
            pod("gone", "{kind: StatefulSet, name: gone, controller: true}", "Running"),
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: cart, namespace: shop}\n".to_owned(),
        ];
        builder.add_files(&[("mesh.yaml", text.concat().as_str())]);
        let mesh = builder.build();
        let workloads = mesh.workloads();
        let told: Vec<_> = workloads.iter().map(|(workload, pods)| (workload.origin(), pods.len())).collect();
        let expected = [("Pod shop/gone", 1), ("Pod shop/lone", 1), ("Deployment shop/cart", 2)];
        assert_eq!(told, expected.map(|(origin, pods)| (origin.to_owned(), pods)));
        assert!(mesh.malformed().is_empty());
    }
}
