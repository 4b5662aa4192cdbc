//! What a proxy knows: the services and `VirtualService`s that are exported to it and that its `Sidecar` lets through
//! (<https://istio.io/latest/docs/reference/config/networking/sidecar/>).

use std::collections::HashSet;
use std::sync::Arc;

use crate::network::Network;
use crate::request::Caller;
use crate::trail::By;
use mesh::{Object, OutboundMode, host, is_gateway, sidecars, virtual_services};

/// Proxies of one namespace under the same `Sidecar` know the same.
pub(crate) type ScopeKey = (String, usize, bool, bool);

/// What a proxy knows.
#[derive(Debug)]
pub(crate) struct Scope<'m> {
    pub namespace: &'m str,
    pub sidecar: Option<&'m Object>,
    /// Whether the proxy answers DNS itself.
    pub captures_dns: bool,
    pub mode: OutboundMode,
    /// Who sets the mode.
    pub mode_by: Option<By<'m>>,
    /// By the places among the network's services.
    visible: Vec<bool>,
    /// By the places among the virtual hosts' services.
    routes: Vec<bool>,
    /// Services that only a route makes known.
    routed: HashSet<usize>,
}

impl Scope<'_> {
    /// Whether the proxy knows a service at all.
    pub(crate) fn knows(&self, service: usize) -> bool {
        self.visible[service] || self.routed.contains(&service)
    }

    /// Whether it follows a `VirtualService`.
    pub(crate) fn follows(&self, virtual_service: usize) -> bool {
        self.routes[virtual_service]
    }
}

/// The listeners of a `Sidecar` that a port belongs to: those for this port alone, else those for all.
fn egress_for(sidecar: &Object, port: Option<u16>) -> Vec<&str> {
    let listeners = || sidecar.spec().get("egress").items();
    let number = |listener: mesh::View<'_>| listener.path(&["port", "number"]).integer_if_any();
    let own: Vec<&str> = listeners()
        .filter(|listener| port.is_some() && number(*listener) == port.map(i64::from))
        .flat_map(|listener| listener.get("hosts").texts())
        .collect();
    if !own.is_empty() {
        return own;
    }
    listeners()
        .filter(|listener| number(*listener).is_none())
        .flat_map(|listener| listener.get("hosts").texts())
        .collect()
}

impl<'m> Network<'m> {
    /// What the proxy beside a caller knows.
    pub(crate) fn scope_of(&self, caller: &Caller<'m>) -> Arc<Scope<'m>> {
        let is_gateway = is_gateway(caller.object);
        let sidecar = if is_gateway { None } else { self.mesh.sidecar_scope(caller.workload) };
        let captures_dns = self.captures_dns(caller);
        let key = (
            caller.namespace().to_owned(),
            sidecar.map_or(0, |it| std::ptr::from_ref(it) as usize),
            is_gateway,
            captures_dns,
        );
        self.scope(key, || self.make_scope(caller, sidecar, captures_dns))
    }

    fn make_scope(&self, caller: &Caller<'m>, sidecar: Option<&'m Object>, captures_dns: bool) -> Scope<'m> {
        let namespace = caller.namespace();
        let policy = self.mesh.outbound_policy(caller.workload);
        let mode_by = sidecar
            .filter(|sidecar| sidecar.spec().field("outboundTrafficPolicy").is_set())
            .map(|sidecar| By::new(sidecar, "spec.outboundTrafficPolicy"))
            .or_else(|| {
                let setting = self.mesh.config_of(namespace).setting(&["outboundTrafficPolicy"]);
                let map = self.mesh.find(mesh::Kind::ConfigMap, self.mesh.istio_namespace(), setting.from?)?;
                Some(By::new(map, "data.mesh outboundTrafficPolicy"))
            });
        let entries = sidecar.map(sidecars::egress_hosts);
        let imports = |object: &Object, host: &str| {
            entries
                .as_ref()
                .is_none_or(|entries| sidecars::imports(entries.iter().copied(), namespace, object.namespace(), host))
        };
        let visible: Vec<bool> = self
            .services
            .iter()
            .map(|service| self.mesh.is_visible(service.object, namespace) && imports(service.object, &service.host))
            .collect();
        let mut routed = HashSet::new();
        let mut routes = Vec::with_capacity(self.virtual_hosts.services.len());
        for service in &self.virtual_hosts.services {
            let follows = self.mesh.is_visible(service, namespace)
                && virtual_services::is_for_mesh(service)
                && service
                    .spec()
                    .get("hosts")
                    .texts()
                    .any(|name| imports(service, &host::fqdn(service.namespace(), name)));
            routes.push(follows);
            if follows && sidecar.is_some() {
                // A route makes the services that it leads to known, even where the Sidecar does not name them.
                for destination in crate::virtual_hosts::destinations(service) {
                    let name = host::fqdn(service.namespace(), destination);
                    let found = self.of_host(&name).iter().copied();
                    routed.extend(found.filter(|at| self.mesh.is_visible(self.services[*at].object, namespace)));
                }
            }
        }
        Scope { namespace, sidecar, captures_dns, mode: policy.mode, mode_by, visible, routes, routed }
    }

    /// Whether a proxy lets traffic to a port of a service through: it knows the service, and no listener of its `Sidecar` for
    /// this port alone leaves it out.
    pub(crate) fn serves(&self, scope: &Scope<'m>, service: usize, port: u16) -> bool {
        if !scope.visible[service] {
            return false;
        }
        let Some(sidecar) = scope.sidecar else { return true };
        let has_port = |listener: mesh::View<'_>| listener.path(&["port", "number"]).is_set();
        if !sidecar.spec().get("egress").items().any(has_port) {
            return true;
        }
        let service = &self.services[service];
        let entries = egress_for(sidecar, Some(port));
        sidecars::imports(entries, scope.namespace, service.namespace(), &service.host)
    }

    /// The service that a host means to a proxy: its own namespace's before others, then the oldest.
    pub(crate) fn known_service(&self, scope: &Scope<'m>, name: &str) -> Option<usize> {
        let exact = self.of_host(name).iter().copied().filter(|at| scope.knows(*at));
        let own = |at: &usize| self.services[*at].namespace() == scope.namespace;
        let exact: Vec<usize> = exact.collect();
        let found = exact.iter().copied().find(own).or(exact.first().copied());
        found.or_else(|| self.over_host(name).find(|at| scope.knows(*at)))
    }
}
