//! What a `Sidecar` would leave out, computed: the clusters that a namespace's proxies hold, the hosts that they have
//! called, the `Sidecar` that leaves only those, and which calls it would cut off.
//!
//! See <https://istio.io/latest/docs/reference/config/networking/sidecar/> and
//! <https://istio.io/latest/docs/ops/configuration/mesh/configuration-scoping/>.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    counted,
    proxy_sample::{Answer, ProxyPod},
};
use super::data::{CalledHost, MeshWideNamespace, MeshWideScope, NamespaceScope, SidecarProposal};
use super::{facts::ProxyFacts, manifest, virtual_services};
use envoy::footprint::Services;
use mesh::{Kind, Mesh, Object, Workload, host, sidecars};

/// Workloads that a reason names.
const SHOWN: usize = 5;
/// Name of a `Sidecar` that holds for a whole namespace, and of the guide's for the whole mesh.
const DEFAULT: &str = "default";
const MESH_WIDE: &str = "sidecar-restrict-egress";

/// What the proxies of one namespace hold and call.
#[derive(Debug, Default)]
pub(super) struct Held<'a> {
    /// Sidecars, with what they answered; gateways do not count, since no `Sidecar` applies to them.
    sidecars: Vec<(&'a ProxyPod, &'a ProxyFacts)>,
    /// The services of the proxy that holds the most.
    services: Option<&'a Services>,
    pub(super) called: Vec<CalledHost>,
}

/// The namespaces with sidecars that were asked.
pub(super) fn held(answers: &[Answer<ProxyFacts>]) -> BTreeMap<&str, Held<'_>> {
    let mut held: BTreeMap<&str, Held<'_>> = BTreeMap::new();
    for (proxy, facts) in answers {
        if let Ok(facts) = facts
            && !proxy.is_gateway
        {
            held.entry(&proxy.namespace).or_default().sidecars.push((proxy, facts));
        }
    }
    for of_namespace in held.values_mut() {
        let footprints = of_namespace.sidecars.iter().filter_map(|(_, facts)| facts.footprint.as_ref().ok());
        of_namespace.services = footprints.max_by_key(|footprint| footprint.outbound()).map(|it| it.services.as_ref());
        of_namespace.called = called(&of_namespace.sidecars);
    }
    held
}

/// Workloads whose calls are unknown: none of their running proxies told its counters.
pub(super) fn unseen<'p>(proxies: &'p [ProxyPod], answers: &[Answer<ProxyFacts>]) -> Vec<&'p ProxyPod> {
    let told = answers.iter().filter(|(_, facts)| facts.as_ref().is_ok_and(|facts| facts.traffic.is_ok()));
    let told: BTreeSet<_> = told.map(|(proxy, _)| (&proxy.namespace, &proxy.workload)).collect();
    let mut unseen: Vec<&ProxyPod> = proxies
        .iter()
        .filter(|proxy| proxy.is_running && !told.contains(&(&proxy.namespace, &proxy.workload)))
        .collect();
    unseen.sort_by_key(|proxy| (&proxy.namespace, &proxy.workload));
    unseen.dedup_by_key(|proxy| (&proxy.namespace, &proxy.workload));
    unseen
}

/// Why nothing is proposed while the calls of some workloads are unknown.
pub(super) fn unseen_text(unseen: &[&ProxyPod]) -> String {
    let names: Vec<&str> = unseen.iter().take(SHOWN).map(|proxy| proxy.workload.name.as_str()).collect();
    let dots = if unseen.len() > SHOWN { " …" } else { "" };
    format!("the calls of {} were not seen ({}{dots})", counted(unseen.len(), "workload"), names.join(", "))
}

/// The hosts that some proxies have called.
pub(super) fn called(proxies: &[(&ProxyPod, &ProxyFacts)]) -> Vec<CalledHost> {
    let mut hosts: BTreeMap<&str, CalledHost> = BTreeMap::new();
    for (proxy, facts) in proxies {
        let services = facts.footprint.as_ref().ok().map(|footprint| footprint.services.as_ref());
        let new = |name: &str| CalledHost {
            host: name.to_owned(),
            namespace: services
                .and_then(|all| all.get(name))
                .map(|service| service.namespace.as_str())
                .or_else(|| Some(host::service_of("", name).0))
                .filter(|namespace| !namespace.is_empty())
                .map(str::to_owned),
            ports: Vec::new(),
            requests: 0,
            connections: 0,
            log_lines: 0,
            callers: Vec::new(),
        };
        let note_caller = |called: &mut CalledHost| {
            if !called.callers.contains(&proxy.workload.name) {
                called.callers.push(proxy.workload.name.clone());
            }
        };
        for used in facts.traffic.iter().flat_map(|traffic| &traffic.used) {
            let called = hosts.entry(&used.host).or_insert_with(|| new(&used.host));
            called.requests += used.requests;
            called.connections += used.connections;
            if !called.ports.contains(&used.port) {
                called.ports.push(used.port);
            }
            note_caller(called);
        }
        for (host, lines) in facts.log.iter().flatten().flat_map(|log| &log.called) {
            let called = hosts.entry(host).or_insert_with(|| new(host));
            called.log_lines += lines;
            note_caller(called);
        }
    }
    hosts.into_values().collect()
}

impl Held<'_> {
    pub(super) fn outbound(&self) -> usize {
        self.services.map_or(0, |services| services.values().map(|service| service.clusters).sum())
    }

    /// How many of the clusters a `Sidecar` with these entries would leave.
    fn left_by(&self, entries: &[String], home: &str) -> usize {
        let entries = || entries.iter().map(String::as_str);
        let kept = self.services.into_iter().flatten();
        let kept = kept.filter(|(host, service)| sidecars::imports(entries(), home, &service.namespace, host));
        kept.map(|(_, service)| service.clusters).sum()
    }

    /// The hosts called that it would hide, those whose namespace is unknown among them.
    fn cut_off_by(&self, entries: &[String], home: &str) -> Vec<CalledHost> {
        let is_cut = |called: &&CalledHost| {
            let namespace = called.namespace.as_deref();
            let entries = || entries.iter().map(String::as_str);
            namespace.is_none_or(|namespace| !sidecars::imports(entries(), home, namespace, &called.host))
        };
        self.called.iter().filter(is_cut).cloned().collect()
    }
}

/// What a `Sidecar` would do for one namespace.
pub(super) fn of_namespace(mesh: &Mesh, namespace: &str, held: &Held<'_>, unseen: &[&ProxyPod]) -> NamespaceScope {
    let mut by_namespace: BTreeMap<String, usize> = BTreeMap::new();
    for service in held.services.into_iter().flat_map(|services| services.values()) {
        *by_namespace.entry(service.namespace.clone()).or_default() += service.clusters;
    }
    let in_force = in_force(mesh, held);
    let uptimes = held.sidecars.iter().filter_map(|(_, facts)| Some(facts.info.as_ref().ok()?.uptime_s));
    let is_here = |proxy: &&&ProxyPod| proxy.namespace == namespace && !proxy.is_gateway;
    let unseen: Vec<&ProxyPod> = unseen.iter().filter(is_here).copied().collect();
    let proposed =
        if unseen.is_empty() { proposal(mesh, namespace, held, &in_force) } else { Err(unseen_text(&unseen)) };
    let (proposal, no_proposal_because) = match proposed {
        Ok(proposal) => (Some(proposal), None),
        Err(why) => (None, Some(why)),
    };
    NamespaceScope {
        namespace: namespace.to_owned(),
        sidecars: in_force.iter().map(|sidecar| sidecar.full_name()).collect(),
        proxies_asked: held.sidecars.len(),
        observed_s: uptimes.min(),
        outbound_clusters: held.outbound(),
        clusters_by_namespace: by_namespace,
        called: held.called.clone(),
        proposal,
        no_proposal_because,
    }
}

/// The `Sidecar`s that hold for the proxies.
fn in_force<'m>(mesh: &'m Mesh, held: &Held<'_>) -> Vec<&'m Object> {
    let pods = held.sidecars.iter().filter_map(|(proxy, _)| mesh.find(Kind::Pod, &proxy.namespace, &proxy.name));
    let mut found: Vec<&Object> = pods.filter_map(|pod| mesh.sidecar_scope(Workload::of_pod(pod))).collect();
    found.sort_by_key(|sidecar| (sidecar.namespace(), sidecar.name()));
    found.dedup_by_key(|sidecar| (sidecar.namespace(), sidecar.name()));
    found
}

/// The `Sidecar`, or why there is none to propose.
fn proposal(mesh: &Mesh, home: &str, held: &Held<'_>, in_force: &[&Object]) -> Result<SidecarProposal, String> {
    if held.services.is_none() {
        return Err("the configuration of none of its proxies could be read".to_owned());
    }
    if held.called.is_empty() {
        return Err("no call of its proxies was seen, so nothing tells what they need".to_owned());
    }
    if in_force.iter().any(|sidecar| sidecar.namespace() == home && sidecar.spec().field("workloadSelector").is_set()) {
        return Err("some of its workloads have a Sidecar of their own".to_owned());
    }
    let root = mesh.config_of(home).root_namespace.as_str();
    let mut hosts = vec!["./*".to_owned()];
    if root != home {
        hosts.push(format!("{root}/*"));
    }
    let is_elsewhere = |namespace: &str| namespace != home && namespace != root;
    let known: BTreeSet<&str> = held.called.iter().map(|called| called.host.as_str()).collect();
    let called = held.called.iter().filter_map(|called| {
        let namespace = called.namespace.as_deref().filter(|namespace| is_elsewhere(namespace))?;
        Some(format!("{namespace}/{}", called.host))
    });
    let called: BTreeSet<String> = called.collect();
    let routes = virtual_services::hosts_with(mesh, home, &known);
    let routes = routes.iter().filter_map(|host| {
        let namespace = virtual_services::namespace_of(mesh, host).filter(|namespace| is_elsewhere(namespace))?;
        Some(format!("{namespace}/{host}"))
    });
    let routes: BTreeSet<String> = routes.filter(|entry| !called.contains(entry)).collect();
    hosts.extend(called.into_iter().chain(routes.iter().cloned()).collect::<BTreeSet<_>>());
    let clusters_left = held.left_by(&hosts, home);
    if clusters_left >= held.outbound() {
        return Err("its proxies hold nothing that a Sidecar would leave out".to_owned());
    }
    let name = in_force.iter().find(|sidecar| sidecar.namespace() == home).map_or(DEFAULT, |sidecar| sidecar.name());
    Ok(SidecarProposal {
        manifest: manifest::sidecar(home, name, &hosts),
        clusters_left,
        cuts_off: held.cut_off_by(&hosts, home),
        listed_for_routes: routes.into_iter().collect(),
    })
}

/// What the guide's `Sidecar` in the root namespace would do.
pub(super) fn mesh_wide(mesh: &Mesh, held: &BTreeMap<&str, Held<'_>>) -> MeshWideScope {
    let root = mesh.config().root_namespace.clone();
    let is_general = |sidecar: &&Object| !sidecar.spec().field("workloadSelector").is_set();
    let of_root = || mesh.in_namespace(Kind::Sidecar, &root).find(is_general);
    let has_own = |namespace: &str| mesh.in_namespace(Kind::Sidecar, namespace).any(|sidecar| is_general(&sidecar));
    let hosts = ["./*".to_owned(), format!("{root}/*")];
    let namespaces = held.iter().filter(|(namespace, _)| **namespace == root || !has_own(namespace));
    MeshWideScope {
        present: of_root().map(Object::full_name),
        manifest: manifest::sidecar(&root, MESH_WIDE, &hosts),
        namespaces: namespaces
            .map(|(namespace, held)| MeshWideNamespace {
                namespace: (*namespace).to_owned(),
                outbound_clusters: held.outbound(),
                clusters_left: held.left_by(&hosts, namespace),
                cuts_off: held.cut_off_by(&hosts, namespace),
            })
            .collect(),
        root_namespace: root,
    }
}
