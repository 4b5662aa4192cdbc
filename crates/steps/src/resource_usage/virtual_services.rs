//! Hosts that must be known together: a `VirtualService` takes effect for a proxy that knows its hosts, and sends to
//! destinations that the proxy must know too.

use std::collections::BTreeSet;

use mesh::{Kind, Mesh, Object, View, host, host::fqdn};

/// The hosts of `VirtualService`s that come with hosts that are called from a namespace: those whose host or destination is
/// called, and those of the namespace itself.
pub(super) fn hosts_with(mesh: &Mesh, namespace: &str, called: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for service in mesh.each(Kind::VirtualService).filter(|service| is_for_sidecars(service)) {
        let home = service.namespace();
        let hosts = service.spec().get("hosts").texts().chain(destinations(service));
        let hosts: BTreeSet<String> = hosts.map(|name| fqdn(home, name)).collect();
        if home == namespace || hosts.iter().any(|name| called.contains(name.as_str())) {
            found.extend(hosts);
        }
    }
    found
}

/// Where any `VirtualService` sends to.
pub(super) fn all_destinations(mesh: &Mesh) -> BTreeSet<String> {
    let services = mesh.each(Kind::VirtualService);
    services.flat_map(|service| destinations(service).map(|name| fqdn(service.namespace(), name))).collect()
}

/// The namespace of the service that a host means, as far as the objects tell.
pub(super) fn namespace_of<'m>(mesh: &'m Mesh, name: &'m str) -> Option<&'m str> {
    let (namespace, _) = host::service_of("", name);
    if !namespace.is_empty() {
        return Some(namespace);
    }
    mesh.hosts().look_up("", std::iter::empty(), name).map(|known| known.object.namespace())
}

/// Rules without `gateways` are for sidecars alone
/// (<https://istio.io/latest/docs/reference/config/networking/virtual-service/#VirtualService>).
fn is_for_sidecars(service: &Object) -> bool {
    let gateways = service.spec().get("gateways");
    gateways.is_empty() || gateways.texts().any(|gateway| gateway == "mesh")
}

fn destinations(service: &Object) -> impl Iterator<Item = &str> {
    let rules = ["http", "tls", "tcp"].into_iter().flat_map(|kind| service.spec().get(kind).items());
    let hosts = rules.flat_map(|rule| {
        let routes = rule.get("route").items().map(|route| route.get("destination"));
        let mirrors = rule.get("mirrors").items().map(|mirror| mirror.get("destination"));
        routes.chain(mirrors).chain([rule.get("mirror")])
    });
    hosts.map(|destination| destination.get("host")).filter_map(View::text_if_any)
}
