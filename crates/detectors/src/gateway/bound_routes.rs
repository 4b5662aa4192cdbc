//! Which servers a `VirtualService` is bound to, by what they do with TLS.

use std::collections::BTreeMap;

use mesh::{Kind, Mesh, Object, Server};

/// What [`bound_routes`] asks the mesh for.
pub(super) const READS: &[Kind] = &[Kind::Gateway, Kind::VirtualService];

/// A `VirtualService` and the servers of its Gateways that take its hosts.
pub(super) struct BoundRoutes<'m> {
    pub(super) service: &'m Object,
    pub(super) servers: Vec<Server<'m>>,
}

impl BoundRoutes<'_> {
    pub(super) fn has(&self, protocol: &str) -> bool {
        !self.service.spec().get(protocol).is_empty()
    }
}

/// Every `VirtualService` that is bound to a server, in order.
pub(super) fn bound_routes(mesh: &Mesh) -> Vec<BoundRoutes<'_>> {
    let bindings = mesh.bindings();
    let mut bound: BTreeMap<(&str, &str), BoundRoutes<'_>> = BTreeMap::new();
    for gateway in mesh.each(Kind::Gateway) {
        for service in bindings.of(gateway).iter().copied() {
            let taking = Server::all(gateway).filter(|server| server.takes(service));
            let key = (service.namespace(), service.name());
            bound.entry(key).or_insert_with(|| BoundRoutes { service, servers: Vec::new() }).servers.extend(taking);
        }
    }
    bound.into_values().filter(|bound| !bound.servers.is_empty()).collect()
}
