//! Which namespaces istiod need not watch: those without proxies, without Istio's objects, and that nobody calls.
//!
//! See <https://istio.io/latest/blog/2021/discovery-selectors/>.

use std::collections::BTreeSet;

use super::super::proxy_sample::{self, Answer, ProxyPod};
use super::data::{CalledHost, DiscoveryScope, UnneededNamespace};
use super::{ResourceUsageInput, facts::ProxyFacts, manifest, scope, virtual_services};
use mesh::{Kind, Mesh, Object, REVISION};

/// Objects of these kinds mean something only in a namespace that istiod watches.
const OF_THE_MESH: [Kind; 13] = [
    Kind::VirtualService,
    Kind::DestinationRule,
    Kind::Gateway,
    Kind::ServiceEntry,
    Kind::WorkloadEntry,
    Kind::Sidecar,
    Kind::EnvoyFilter,
    Kind::AuthorizationPolicy,
    Kind::PeerAuthentication,
    Kind::RequestAuthentication,
    Kind::Telemetry,
    Kind::KubernetesGateway,
    Kind::HttpRoute,
];

pub(super) fn scope(
    mesh: &Mesh,
    answers: &[Answer<ProxyFacts>],
    unseen: &[&ProxyPod],
    input: &ResourceUsageInput,
) -> DiscoveryScope {
    let mut scope = DiscoveryScope { namespaces: mesh.each(Kind::Namespace).len(), ..DiscoveryScope::default() };
    let configs = mesh.configs().iter();
    let set = configs.filter_map(|(revision, config)| {
        let setting = config.setting(&["discoverySelectors"]);
        setting.from.filter(|_| !setting.value.is_empty()).map(|from| format!("{from} (revision {revision})"))
    });
    scope.set_by = set.collect();
    if !scope.set_by.is_empty() {
        scope.no_proposal_because = Some("discoverySelectors are set".to_owned());
        return scope;
    }
    if !input.is_whole_mesh() {
        scope.no_proposal_because = Some("only a part of the mesh was looked at".to_owned());
        return scope;
    }
    if !unseen.is_empty() {
        scope.no_proposal_because = Some(scope::unseen_text(unseen));
        return scope;
    }
    let proxies: Vec<_> = answers.iter().filter_map(|(proxy, facts)| Some((proxy, facts.as_ref().ok()?))).collect();
    let called = scope::called(&proxies);
    if called.is_empty() {
        scope.no_proposal_because = Some("no call of a proxy was seen, so nothing tells what is needed".to_owned());
        return scope;
    }
    let destinations = virtual_services::all_destinations(mesh);
    let mut needed = needed(mesh, &called);
    needed.extend(destinations.iter().filter_map(|host| virtual_services::namespace_of(mesh, host)));
    let names = mesh.each(Kind::Namespace).map(Object::name);
    let (needed, rest): (BTreeSet<&str>, BTreeSet<&str>) = names.partition(|name| needed.contains(name));
    if rest.is_empty() {
        scope.no_proposal_because = Some("every namespace is part of the mesh, or is called from it".to_owned());
        return scope;
    }
    let footprints = proxies.iter().filter_map(|(_, facts)| facts.footprint.as_ref().ok());
    let largest = footprints.max_by_key(|footprint| footprint.outbound());
    let services = largest.into_iter().flat_map(|footprint| footprint.services.values());
    scope.clusters =
        services.filter(|service| rest.contains(service.namespace.as_str())).map(|service| service.clusters).sum();
    let is_cut = |called: &CalledHost| called.namespace.as_deref().is_some_and(|namespace| rest.contains(namespace));
    scope.cuts_off = called.iter().filter(|called| is_cut(called)).cloned().collect();
    scope.manifest = Some(manifest::discovery_selectors(&needed));
    scope.apply_to = config_maps(mesh);
    scope.not_needed = rest
        .into_iter()
        .map(|name| UnneededNamespace {
            namespace: name.to_owned(),
            services: mesh.in_namespace(Kind::Service, name).count(),
        })
        .collect();
    scope
}

/// Where users configure the mesh: the add-on has a ConfigMap of their own for each revision, and keeps the other to itself
/// (<https://learn.microsoft.com/azure/aks/istio-meshconfig>).
fn config_maps(mesh: &Mesh) -> Vec<String> {
    let namespace = mesh.istio_namespace();
    let name = |revision: &&str| match *revision {
        revision if mesh.is_aks() => format!("{namespace}/istio-shared-configmap-{revision}"),
        "" | "default" => format!("{namespace}/istio"),
        revision => format!("{namespace}/istio-{revision}"),
    };
    let installed = mesh.in_namespace(Kind::Deployment, namespace).filter(|found| found.label("app") == Some("istiod"));
    let revisions: BTreeSet<&str> = installed.map(|found| found.label(REVISION).unwrap_or_default()).collect();
    revisions.iter().map(name).collect()
}

fn needed<'a>(mesh: &'a Mesh, called: &'a [CalledHost]) -> BTreeSet<&'a str> {
    let mut needed = BTreeSet::from([mesh.istio_namespace(), mesh.config().root_namespace.as_str()]);
    needed.extend(mesh.configs().values().map(|config| config.root_namespace.as_str()));
    let injected = mesh.each(Kind::Namespace).filter(|namespace| mesh.is_injected(namespace));
    needed.extend(injected.map(Object::name));
    let proxies = proxy_sample::proxies(mesh, &[], None);
    let with_proxies: BTreeSet<&str> = proxies.iter().map(|proxy| proxy.namespace.as_str()).collect();
    needed.extend(mesh.each(Kind::Namespace).map(Object::name).filter(|name| with_proxies.contains(name)));
    for kind in OF_THE_MESH {
        needed.extend(mesh.each(kind).map(Object::namespace));
    }
    needed.extend(called.iter().filter_map(|called| called.namespace.as_deref()));
    needed
}
