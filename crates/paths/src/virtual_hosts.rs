//! The `VirtualService`s of a mesh by their hosts, and which of them a proxy follows for a host.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::facts::Facts;
use crate::scope::Scope;
use mesh::{Kind, Mesh, Object, host};

/// All of them, the oldest first: of several for one host a sidecar follows the oldest alone.
#[derive(Debug)]
pub(crate) struct VirtualHosts<'m> {
    pub services: Vec<&'m Object>,
    exact: HashMap<String, Vec<usize>>,
    /// What follows the `*`, the longest first.
    wildcards: Vec<(String, usize)>,
}

impl<'m> VirtualHosts<'m> {
    pub(crate) fn new(mesh: &'m Mesh, facts: &Facts) -> Self {
        let mut services: Vec<&Object> = mesh.each(Kind::VirtualService).collect();
        let created = |service: &Object| {
            let key = (service.namespace().to_owned(), service.name().to_owned());
            facts.created.get(&key).cloned()
        };
        // One that nobody has created yet will be the newest.
        services.sort_by_cached_key(|service| {
            let (own, name, namespace) = service.age();
            let time = if own.is_empty() { created(service) } else { Some(own.to_owned()) };
            (time.is_none(), time, name.to_owned(), namespace.to_owned())
        });
        let mut exact: HashMap<String, Vec<usize>> = HashMap::new();
        let mut wildcards = Vec::new();
        for (at, service) in services.iter().enumerate() {
            for name in service.spec().get("hosts").texts() {
                match name.strip_prefix('*') {
                    Some(ending) => wildcards.push((ending.to_owned(), at)),
                    None => exact.entry(host::fqdn(service.namespace(), name)).or_default().push(at),
                }
            }
        }
        wildcards.sort_by_key(|(ending, at)| (Reverse(ending.len()), *at));
        Self { services, exact, wildcards }
    }

    /// The one that a sidecar follows for exactly this host.
    pub(crate) fn exactly(&self, scope: &Scope<'m>, name: &str) -> Option<&'m Object> {
        let found = self.exact.get(name)?.iter().find(|at| scope.follows(**at))?;
        Some(self.services[*found])
    }

    /// The one that it follows for a wildcard over this host, the longest first.
    pub(crate) fn over(&self, scope: &Scope<'m>, name: &str) -> Option<&'m Object> {
        let mut covering =
            self.wildcards.iter().filter(|(ending, at)| name.ends_with(ending.as_str()) && scope.follows(*at));
        covering.next().map(|(_, at)| self.services[*at])
    }
}

/// The hosts that the rules of a `VirtualService` send to.
pub(crate) fn destinations(service: &Object) -> impl Iterator<Item = &str> {
    let rules = ["http", "tls", "tcp"].into_iter().flat_map(|field| service.spec().get(field).items());
    let routes = rules.flat_map(|rule| rule.get("route").items());
    routes.map(|route| route.get("destination").get("host").text())
}
