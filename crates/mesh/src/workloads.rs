//! Which pods belong together: those of one Deployment, `StatefulSet`, `DaemonSet` or Job.

use std::collections::HashMap;

use super::kind::Kind;
use super::object::Object;
use super::owners::owner;
use super::services::is_finished;
use super::snapshot::Mesh;

/// The kinds that [`Mesh::workloads`] asks the mesh for.
const READS: [Kind; 5] = [Kind::Pod, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job];

/// A workload and its pods, by their places among the objects of their kinds.
#[derive(Debug)]
pub(super) struct Entry {
    kind: Kind,
    place: usize,
    pods: Vec<usize>,
}

impl Mesh {
    /// Every workload with its pods that have not run to their end, sorted by namespace. A pod whose owner is not in the
    /// mesh stands for itself.
    pub fn workloads(&self) -> Vec<(&Object, Vec<&Object>)> {
        let [pods, ..] = READS.map(|kind| self.each_shared(kind));
        let entries = self.workloads.get_or_init(|| self.index_workloads()).iter();
        let pods_of = |entry: &Entry| entry.pods.iter().map(|place| pods[*place].as_ref()).collect();
        entries.map(|entry| (self.workload_at(entry), pods_of(entry))).collect()
    }

    /// The workload that a pod belongs to, as far as the mesh holds it, else the pod itself.
    pub fn workload_of<'m>(&'m self, pod: &'m Object) -> &'m Object {
        owner_of(pod).and_then(|(kind, name)| self.find(kind, pod.namespace(), name)).unwrap_or(pod)
    }

    fn index_workloads(&self) -> Vec<Entry> {
        let mut pods_of: HashMap<(Kind, usize), Vec<usize>> = HashMap::new();
        for (pod, place) in self.each(Kind::Pod).zip(0..).filter(|(pod, _)| !is_finished(pod)) {
            let owner = owner_of(pod).and_then(|(kind, name)| {
                let place = self.stores[kind as usize].place_of(pod.namespace(), name)?;
                Some((kind, place))
            });
            pods_of.entry(owner.unwrap_or((Kind::Pod, place))).or_default().push(place);
        }
        let entries = pods_of.into_iter().map(|((kind, place), pods)| Entry { kind, place, pods });
        let mut entries: Vec<Entry> = entries.collect();
        let order = |entry: &Entry| {
            let workload = self.workload_at(entry);
            (workload.cluster(), workload.namespace(), entry.kind, entry.place)
        };
        entries.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        entries
    }

    fn workload_at(&self, entry: &Entry) -> &Object {
        &self.stores[entry.kind as usize].objects()[entry.place]
    }
}

/// What owns a pod, where that is of a kind that the mesh holds.
fn owner_of(pod: &Object) -> Option<(Kind, &str)> {
    let owner = owner(pod);
    let kind = READS.into_iter().filter(|kind| *kind != Kind::Pod).find(|kind| kind.name() == owner.kind)?;
    Some((kind, owner.name))
}

#[cfg(test)]
mod tests {
    use crate::{Extent, MeshBuilder, Settings};

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
