//! What proxies do with traffic to hosts outside of the mesh, and which of these hosts they know.

use std::collections::BTreeSet;

use super::host;
use super::host_index::HostIndex;
use super::kind::Kind;
use super::membership::Workload;
use super::object::Object;
use super::snapshot::Mesh;
use super::view::View;

/// What a proxy does with traffic to a host that it does not know
/// (<https://istio.io/latest/docs/reference/config/networking/sidecar/#OutboundTrafficPolicy>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboundMode {
    AllowAny,
    RegistryOnly,
}

/// The mode in force for a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundPolicy {
    pub mode: OutboundMode,
    /// The Sidecar or `ConfigMap` that says so, in words; none where nobody does.
    pub from: Option<String>,
}

impl Mesh {
    /// What happens to traffic of a workload to hosts that its proxy does not know: what its Sidecar says, else the mesh's
    /// configuration, else it passes.
    pub fn outbound_policy(&self, workload: Workload<'_>) -> OutboundPolicy {
        if let Some(sidecar) = self.sidecar_scope(workload)
            && let Some(mode) = mode_of(sidecar.spec().field("outboundTrafficPolicy"))
        {
            return OutboundPolicy { mode, from: Some(sidecar.origin()) };
        }
        let setting = self.config_of(workload.namespace).setting(&["outboundTrafficPolicy"]);
        match mode_of(setting.value) {
            Some(mode) => OutboundPolicy { mode, from: setting.from.map(|map| format!("ConfigMap {map}")) },
            None => OutboundPolicy { mode: OutboundMode::AllowAny, from: None },
        }
    }
}

/// A policy without a mode has that of the number 0.
fn mode_of(policy: View<'_>) -> Option<OutboundMode> {
    match policy.get("mode").text() {
        "ALLOW_ANY" => Some(OutboundMode::AllowAny),
        "REGISTRY_ONLY" => Some(OutboundMode::RegistryOnly),
        _ => policy.is_map().then_some(OutboundMode::RegistryOnly),
    }
}

/// The `ServiceEntries` of a mesh by their hosts.
#[derive(Debug)]
pub struct ServiceEntries<'m> {
    mesh: &'m Mesh,
    hosts: Vec<(&'m str, &'m Object)>,
    by_host: HostIndex<usize>,
}

impl<'m> ServiceEntries<'m> {
    pub fn new(mesh: &'m Mesh) -> Self {
        let hosts: Vec<(&str, &Object)> = mesh
            .each(Kind::ServiceEntry)
            .flat_map(|entry| entry.spec().get("hosts").texts().map(move |host| (host, entry)))
            .collect();
        let by_host = HostIndex::new(hosts.iter().zip(0..).map(|((host, _), position)| (*host, position)));
        Self { mesh, hosts, by_host }
    }

    /// The entries that have a host, by its name or by a wildcard over it, whoever sees them.
    pub fn of_host(&self, host: &str) -> Vec<&'m Object> {
        let positions: BTreeSet<usize> = self.by_host.overlapping(host).collect();
        let entries = positions.into_iter().map(|position| self.hosts[position]);
        entries.filter(|(known, _)| host::is_subset(host, known)).map(|(_, entry)| entry).collect()
    }

    /// Whether an entry has a host.
    pub fn has(&self, host: &str) -> bool {
        self.by_host.overlapping(host).any(|position| host::is_subset(host, self.hosts[position].0))
    }

    /// Those of the entries with a host that the proxy of a workload knows: exported to its namespace, and within its Sidecar.
    pub fn known_to(&self, workload: Workload<'_>, host: &str) -> Vec<&'m Object> {
        let sidecar = self.mesh.sidecar_scope(workload);
        let mut entries = self.of_host(host);
        entries.retain(|entry| {
            self.mesh.is_visible(entry, workload.namespace)
                && sidecar.is_none_or(|sidecar| is_within(sidecar, workload.namespace, entry.namespace(), host))
        });
        entries
    }
}

/// Whether a Sidecar lets proxies of a namespace know a host from another one. One without `egress` lets them know all
/// (<https://istio.io/latest/docs/reference/config/networking/sidecar/#IstioEgressListener>).
fn is_within(sidecar: &Object, own: &str, namespace: &str, name: &str) -> bool {
    let egress = sidecar.spec().get("egress");
    let mut hosts = egress.items().flat_map(|listener| listener.get("hosts").texts());
    egress.is_empty()
        || hosts.any(|pattern| {
            let (place, names) = pattern.split_once('/').unwrap_or(("*", pattern));
            let is_place = match place {
                "*" => true,
                "." => namespace == own,
                place => namespace == place,
            };
            is_place && host::is_subset(name, names)
        })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{MeshBuilder, Settings};

    const TEXT: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: ledger, namespace: bank, labels: {app: ledger}}
---
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: bank}
spec: {egress: [{hosts: ['./*', 'tools/*.example.com']}], outboundTrafficPolicy: {}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: own, namespace: bank}
spec: {hosts: [own.example.org]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wild, namespace: tools}
spec: {hosts: ['*.example.com', other.example.org]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: hidden, namespace: shop}
spec: {hosts: [hidden.example.com], exportTo: ['.']}
";

    fn mesh() -> Mesh {
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        builder.add_files(&[("mesh.yaml", TEXT)]);
        builder.build()
    }

    fn workload<'m>(mesh: &'m Mesh, namespace: &str, name: &str) -> Workload<'m> {
        Workload::of_pod(mesh.find(Kind::Pod, namespace, name).unwrap())
    }

    #[test]
    fn sidecars_speak_before_the_mesh() {
        let mesh = mesh();
        let policy = mesh.outbound_policy(workload(&mesh, "bank", "ledger"));
        assert_eq!(policy.mode, OutboundMode::RegistryOnly);
        assert_eq!(policy.from.as_deref(), Some("Sidecar bank/default"));
        let policy = mesh.outbound_policy(workload(&mesh, "shop", "cart"));
        assert_eq!(policy, OutboundPolicy { mode: OutboundMode::AllowAny, from: None });
    }

    #[test]
    fn proxies_know_what_is_exported_and_within_their_sidecar() {
        let mesh = mesh();
        let entries = ServiceEntries::new(&mesh);
        for (pod, host, expected) in [
            (("bank", "ledger"), "own.example.org", vec!["own"]),
            (("bank", "ledger"), "a.example.com", vec!["wild"]),
            (("bank", "ledger"), "other.example.org", vec![]),
            (("bank", "ledger"), "hidden.example.com", vec!["wild"]),
            (("shop", "cart"), "hidden.example.com", vec!["wild", "hidden"]),
            (("shop", "cart"), "unknown.example.net", vec![]),
        ] {
            let mut known = entries.known_to(workload(&mesh, pod.0, pod.1), host);
            known.sort_by_key(|entry| std::cmp::Reverse(entry.namespace()));
            assert_eq!(known.into_iter().map(Object::name).collect::<Vec<_>>(), expected, "{pod:?} {host}");
        }
    }
}
