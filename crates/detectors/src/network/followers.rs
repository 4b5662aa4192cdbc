//! Which proxies are sure to follow a `VirtualService`.

use std::collections::BTreeSet;

use mesh::virtual_services::is_for_mesh;
use mesh::{Kind, Mesh, Object, Workload};

/// The namespaces with proxies.
pub(super) fn namespaces_with_proxies(mesh: &Mesh) -> BTreeSet<&str> {
    mesh.each(Kind::Pod).filter(|pod| Workload::of_pod(pod).has_proxy()).map(Object::namespace).collect()
}

/// The namespaces of the proxies that follow a `VirtualService`, as far as that is sure: those of its Gateways, and its
/// own where it is for sidecars. Sidecars of other namespaces follow it only when they call its hosts, which nobody knows.
pub(super) fn followers<'m>(
    mesh: &'m Mesh,
    service: &'m Object,
    with_proxies: &BTreeSet<&'m str>,
) -> BTreeSet<&'m str> {
    let gateways = mesh.gateways_of(service).flat_map(|gateway| mesh.gateway_pods(gateway));
    let mut followers: BTreeSet<&str> = gateways.map(Object::namespace).collect();
    let own = service.namespace();
    if is_for_mesh(service) && with_proxies.contains(own) && mesh.is_visible(service, own) {
        followers.insert(own);
    }
    followers
}
