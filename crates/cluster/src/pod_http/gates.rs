//! How many exchanges with pods may run at once: in total, with the pods of one node, and one with each port of a pod.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Place;

/// Bounds on what runs at once. A clone has the same places.
#[derive(Debug, Clone)]
pub struct Gates(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    total: Arc<Semaphore>,
    node_places: usize,
    nodes: Keyed<String>,
    /// By namespace, pod and port.
    ports: Keyed<(String, String, u16)>,
}

/// The places of one exchange, until it ends.
#[derive(Debug)]
pub(super) struct Permits {
    _port: OwnedSemaphorePermit,
    _node: Option<OwnedSemaphorePermit>,
    _total: OwnedSemaphorePermit,
}

impl Gates {
    pub fn new(total: usize, node_places: usize) -> Self {
        let total = Arc::new(Semaphore::new(total));
        Self(Arc::new(Shared { total, node_places, nodes: Keyed::default(), ports: Keyed::default() }))
    }

    /// Waits for a place. The narrowest gate comes first: who waits for a slow pod must not take a place from the others
    /// of its node, and who waits for a node none from other nodes.
    pub(super) async fn enter(&self, place: &Place) -> Permits {
        let key = (place.namespace.clone(), place.pod.clone(), place.port);
        let port = enter(self.0.ports.gate(key, 1)).await;
        let node = match &place.node {
            Some(node) => Some(enter(self.0.nodes.gate(node.clone(), self.0.node_places)).await),
            None => None,
        };
        Permits { _port: port, _node: node, _total: enter(Arc::clone(&self.0.total)).await }
    }
}

async fn enter(gate: Arc<Semaphore>) -> OwnedSemaphorePermit {
    gate.acquire_owned().await.expect("the gate is never closed")
}

/// A gate for each key that somebody holds or waits for.
#[derive(Debug)]
struct Keyed<K>(Mutex<HashMap<K, Arc<Semaphore>>>);

impl<K> Default for Keyed<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Keyed<K> {
    fn gate(&self, key: K, places: usize) -> Arc<Semaphore> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        Arc::clone(gates.entry(key).or_insert_with(|| Arc::new(Semaphore::new(places))))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn place(pod: &str, node: Option<&str>) -> Place {
        Place { namespace: "shop".to_owned(), pod: pod.to_owned(), node: node.map(str::to_owned), port: 15000 }
    }

    #[test]
    fn pods_nodes_and_all_have_their_bounds() {
        let gates = Gates::new(4, 2);
        let enter = |pod: &str, node| gates.enter(&place(pod, node)).now_or_never();
        let first = enter("a", Some("n1")).expect("a place");
        assert!(enter("a", Some("n1")).is_none(), "one exchange with a port at a time");
        let second = enter("b", Some("n1")).expect("a place");
        assert!(enter("c", Some("n1")).is_none(), "two exchanges with the pods of a node");
        let others = [enter("d", Some("n2")).expect("a place"), enter("e", None).expect("a place")];
        assert!(enter("f", None).is_none(), "four exchanges in all");
        drop((first, others));
        assert!(enter("c", Some("n1")).is_some());
        drop(second);
        drop(enter("g", None));
        assert_eq!(gates.0.ports.0.lock().expect("no panic").len(), 1, "gates that nobody uses are gone");
    }
}
