//! The proxies of a mesh, as its objects know them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{counted, mesh_pod, target::PROXY};
use cluster::{
    Cluster,
    pod_http::{Place, PodPort},
};
use mesh::{Kind, Mesh, Object, REVISION, View, Workload};
use report::{Owner, Skipped, Subject};

/// Names that a skipped part counts up.
const SHOWN: usize = 5;

/// A pod with a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyPod {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The workload that it is a replica of; the pod itself where it has no owner.
    pub(crate) workload: Owner,
    /// The revision that injected it.
    pub(crate) revision: String,
    /// A proxy without an application, to which no `Sidecar` applies.
    pub(crate) is_gateway: bool,
    pub(crate) is_running: bool,
    is_ready: bool,
    node: Option<String>,
}

impl ProxyPod {
    pub(crate) fn of(pod: &Object) -> Self {
        let status = container_status(pod, PROXY);
        let phase = pod.status().get("phase").text();
        let is_leaving = pod.metadata().get("deletionTimestamp").is_set();
        let mut conditions = pod.status().get("conditions").items();
        let (kind, name) = mesh_pod::owner(pod);
        let ready = |condition: &View<'_>| condition.get("type").text() == "Ready";
        Self {
            namespace: pod.namespace().to_owned(),
            name: pod.name().to_owned(),
            workload: Owner { kind, name },
            revision: pod.annotation(REVISION).or_else(|| pod.label(REVISION)).unwrap_or_default().to_owned(),
            is_gateway: pod.spec().get("containers").items().all(|container| container.get("name").text() == PROXY),
            is_running: phase == "Running" && !is_leaving && status.path(&["state", "running"]).is_set(),
            node: pod.spec().get("nodeName").text_if_any().map(str::to_owned),
            is_ready: conditions.find(ready).is_some_and(|condition| condition.get("status").text() == "True"),
        }
    }

    /// One of its ports.
    pub(crate) fn port(&self, cluster: &Cluster, port: u16) -> PodPort {
        let (namespace, pod) = (self.namespace.clone(), self.name.clone());
        cluster.port_at(Place { namespace, pod, node: self.node.clone(), port })
    }

    pub(crate) fn place(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    pub(crate) fn subject(&self) -> Subject {
        let subject = Subject::namespaced("Pod", &self.namespace, &self.name).container(PROXY);
        if self.workload.kind == "Pod" {
            return subject;
        }
        subject.owned_by(&self.workload.kind, &self.workload.name)
    }

    fn key(&self) -> (&str, &Owner) {
        (&self.namespace, &self.workload)
    }
}

/// The status of a container, which for a native sidecar is that of an init container.
pub(crate) fn container_status<'m>(pod: &'m Object, name: &str) -> View<'m> {
    let init = pod.status().get("initContainerStatuses").items();
    let mut all = pod.status().get("containerStatuses").items().chain(init);
    all.find(|status| status.get("name").text() == name).unwrap_or(View::MISSING)
}

/// The pods with a proxy in these namespaces (none means all) and of these revisions, in the mesh's order.
pub(crate) fn proxies(mesh: &Mesh, namespaces: &[String], revisions: Option<&[String]>) -> Vec<ProxyPod> {
    mesh.each(Kind::Pod)
        .filter(|pod| namespaces.is_empty() || namespaces.iter().any(|name| name == pod.namespace()))
        .filter(|pod| !mesh::is_finished(pod))
        .filter(|pod| Workload::of_pod(pod).containers().any(|container| container.get("name").text() == PROXY))
        .map(ProxyPod::of)
        .filter(|pod| revisions.is_none_or(|revisions| revisions.contains(&pod.revision)))
        .collect()
}

/// Which proxies are asked, and why not the others.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    pub(crate) chosen: Vec<ProxyPod>,
    pub(crate) skipped: Vec<Skipped>,
}

/// Some running proxies of each workload, the ready ones first, and not more than `most`: one of each workload before a
/// second of any.
pub(crate) fn choose(proxies: &[ProxyPod], per_workload: usize, most: usize) -> Choice {
    let mut ranked: Vec<&ProxyPod> = proxies.iter().filter(|proxy| proxy.is_running).collect();
    ranked.sort_by_key(|proxy| (!proxy.is_ready, &proxy.namespace, &proxy.name));
    let mut seen: BTreeMap<(&str, &Owner), usize> = BTreeMap::new();
    let mut turns: Vec<(usize, &ProxyPod)> = Vec::new();
    for proxy in ranked {
        let turn = seen.entry(proxy.key()).or_default();
        turns.push((*turn, proxy));
        *turn += 1;
    }
    turns.sort_by_key(|(turn, proxy)| (*turn, &proxy.namespace, &proxy.name));
    let (wanted, replicas): (Vec<_>, Vec<_>) = turns.into_iter().partition(|(turn, _)| *turn < per_workload);
    let (asked, beyond) = wanted.split_at(most.min(wanted.len()));
    let mut choice = Choice { chosen: asked.iter().map(|(_, proxy)| (*proxy).clone()).collect(), ..Choice::default() };
    choice.chosen.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    if !replicas.is_empty() {
        let workloads: BTreeSet<_> = replicas.iter().map(|(_, proxy)| proxy.key()).collect();
        let what = format!("{} of {}", counted(replicas.len(), "more proxy"), counted(workloads.len(), "workload"));
        choice.skipped.push(Skipped::new(what, format!("{per_workload} of each workload was asked")));
    }
    if !beyond.is_empty() {
        let names: Vec<_> = beyond.iter().take(SHOWN).map(|(_, proxy)| proxy.place()).collect();
        let dots = if beyond.len() > SHOWN { " …" } else { "" };
        let what = format!("{} ({}{dots})", counted(beyond.len(), "proxy"), names.join(", "));
        choice.skipped.push(Skipped::new(what, format!("no more than {most} are asked; max_proxies asks more")));
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(namespace: &str, workload: &str, name: &str, is_ready: bool) -> ProxyPod {
        ProxyPod {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            workload: Owner { kind: "Deployment".to_owned(), name: workload.to_owned() },
            revision: String::new(),
            is_gateway: false,
            is_running: true,
            is_ready,
            node: None,
        }
    }

    fn names(choice: &Choice) -> Vec<&str> {
        choice.chosen.iter().map(|proxy| proxy.name.as_str()).collect()
    }

    #[test]
    fn every_workload_comes_before_a_second_replica() {
        let proxies = [
            proxy("shop", "cart", "cart-1", false),
            proxy("shop", "cart", "cart-2", true),
            proxy("shop", "web", "web-1", true),
            ProxyPod { is_running: false, ..proxy("shop", "old", "old-1", true) },
        ];
        let choice = choose(&proxies, 1, 50);
        assert_eq!(names(&choice), ["cart-2", "web-1"]);
        assert_eq!(choice.skipped[0].what, "1 more proxy of 1 workload");
        let choice = choose(&proxies, 2, 2);
        assert_eq!(names(&choice), ["cart-2", "web-1"]);
        assert_eq!(choice.skipped[0].what, "1 proxy (shop/cart-1)");
        assert!(choose(&proxies, 2, 3).skipped.is_empty());
    }
}
