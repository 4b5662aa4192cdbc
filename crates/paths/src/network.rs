//! The prepared picture: a mesh with the indexes that one request, or a million, are looked up in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::facts::Facts;
use crate::request::Caller;
use crate::scope::{Scope, ScopeKey};
use crate::server::Guards;
use crate::services::Service;
use crate::virtual_hosts::VirtualHosts;
use mesh::{DestinationRules, Kind, Mesh, Object, ServerGroup, is_finished};

/// A mesh, ready to be asked about requests.
#[derive(Debug)]
pub struct Network<'m> {
    pub(crate) mesh: &'m Mesh,
    pub(crate) facts: Facts,
    /// The oldest first, since of two with one host the older counts.
    pub(crate) services: Vec<Service<'m>>,
    by_host: HashMap<String, Vec<usize>>,
    /// What follows the `*` of a host, the longest first.
    wildcards: Vec<(String, usize)>,
    by_port: HashMap<u16, Vec<usize>>,
    by_address: HashMap<IpAddr, usize>,
    pods: HashMap<IpAddr, &'m Object>,
    pub(crate) rules: DestinationRules<'m>,
    pub(crate) virtual_hosts: VirtualHosts<'m>,
    pub(crate) server_groups: Vec<ServerGroup<'m>>,
    /// All that count as the mesh's own.
    pub(crate) trust_domains: Vec<&'m str>,
    scopes: Mutex<HashMap<ScopeKey, Arc<Scope<'m>>>>,
    guards: Mutex<HashMap<(usize, u16), Arc<Guards<'m>>>>,
}

impl<'m> Network<'m> {
    pub fn new(mesh: &'m Mesh, facts: Facts) -> Self {
        let discovered = |object: &&Object| {
            let namespace = mesh.namespace(object.namespace());
            namespace.is_none_or(|namespace| mesh.config_of(object.namespace()).discovers(namespace))
        };
        let mut objects: Vec<&Object> =
            mesh.each(Kind::Service).chain(mesh.each(Kind::ServiceEntry)).filter(discovered).collect();
        // A Service goes before a ServiceEntry for the same host, whatever their ages.
        objects.sort_by_key(|object| (object.kind() == Kind::ServiceEntry, object.age()));
        let mut services: Vec<Service<'m>> = Vec::with_capacity(objects.len());
        for object in objects {
            if object.kind() == Kind::Service {
                services.push(Service::of(object));
            } else {
                services.extend(Service::of_entry(object));
            }
        }
        let mut network = Self {
            mesh,
            by_host: HashMap::with_capacity(services.len()),
            wildcards: Vec::new(),
            by_port: HashMap::new(),
            by_address: HashMap::new(),
            pods: HashMap::new(),
            rules: DestinationRules::new(mesh),
            virtual_hosts: VirtualHosts::new(mesh, &facts),
            server_groups: mesh.server_groups(),
            trust_domains: mesh.trust_domains().into_iter().collect(),
            services,
            facts,
            scopes: Mutex::default(),
            guards: Mutex::default(),
        };
        network.index();
        network
    }

    pub fn mesh(&self) -> &'m Mesh {
        self.mesh
    }

    /// The pod that has this address, as a caller.
    pub fn caller_at(&self, address: IpAddr) -> Option<Caller<'m>> {
        self.pod_at(address).map(Caller::of_pod)
    }

    fn index(&mut self) {
        for (at, service) in self.services.iter().enumerate() {
            match service.host.strip_prefix('*') {
                Some(ending) => self.wildcards.push((ending.to_owned(), at)),
                None => self.by_host.entry(service.host.clone()).or_default().push(at),
            }
            for port in &service.ports {
                self.by_port.entry(port.number).or_default().push(at);
            }
            for address in service.addresses.iter().chain(&service.made_up) {
                self.by_address.entry(*address).or_insert(at);
            }
        }
        self.wildcards.sort_by_key(|(ending, _)| std::cmp::Reverse(ending.len()));
        for pod in self.mesh.each(Kind::Pod).filter(|pod| !is_finished(pod)) {
            // Pods in the node's network share its address.
            if !pod.spec().field("hostNetwork").truth()
                && let Ok(address) = pod.status().get("podIP").text().parse()
            {
                self.pods.insert(address, pod);
            }
        }
    }

    /// The services of exactly this host, the first to be preferred.
    pub(crate) fn of_host(&self, host: &str) -> &[usize] {
        self.by_host.get(host).map_or(&[], Vec::as_slice)
    }

    /// Those with a wildcard over a host, the nearest first.
    pub(crate) fn over_host<'n>(&'n self, host: &'n str) -> impl Iterator<Item = usize> + 'n {
        let covering = self.wildcards.iter().filter(|(ending, _)| host.ends_with(ending.as_str()));
        covering.map(|(_, at)| *at)
    }

    pub(crate) fn with_port(&self, port: u16) -> &[usize] {
        self.by_port.get(&port).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn at_address(&self, address: IpAddr) -> Option<usize> {
        self.by_address.get(&address).copied()
    }

    pub(crate) fn pod_at(&self, address: IpAddr) -> Option<&'m Object> {
        self.pods.get(&address).copied()
    }

    /// What the proxies with this key know, worked out once.
    pub(crate) fn scope(&self, key: ScopeKey, make: impl FnOnce() -> Scope<'m>) -> Arc<Scope<'m>> {
        if let Some(scope) = lock(&self.scopes).get(&key) {
            return scope.clone();
        }
        let scope = Arc::new(make());
        lock(&self.scopes).entry(key).or_insert(scope).clone()
    }

    /// What guards a port of a pod, worked out once.
    pub(crate) fn guards(&self, pod: &'m Object, port: u16, make: impl FnOnce() -> Guards<'m>) -> Arc<Guards<'m>> {
        let key = (std::ptr::from_ref(pod) as usize, port);
        if let Some(guards) = lock(&self.guards).get(&key) {
            return guards.clone();
        }
        let guards = Arc::new(make());
        lock(&self.guards).entry(key).or_insert(guards).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing panics while it holds one of these.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
