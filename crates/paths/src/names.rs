//! What a name means to whoever dials it: cluster DNS, DNS within the proxy, names outside of the cluster
//! (<https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/>).

use std::net::IpAddr;

use crate::network::Network;
use crate::request::{Caller, Client, Request};
use crate::services::Sort;
use crate::trail::{By, Trail};
use mesh::{Object, Proxy, host};

/// Where a connection is opened to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dialled<'m> {
    /// An address that stands for a service.
    Service(usize),
    /// The pods behind a headless Service, at their own addresses.
    Headless(usize),
    Pod(&'m Object),
    Outside,
}

/// A connection as it is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dial<'m> {
    pub to: Dialled<'m>,
    pub address: Option<IpAddr>,
    pub port: u16,
}

const DOMAIN: &str = ".svc.cluster.local";
/// Aliases that lead to aliases are followed this far.
const MAX_ALIASES: usize = 8;

impl<'m> Network<'m> {
    /// What is dialled; none where the name resolves to nothing, with the object behind that if there is one.
    pub(crate) fn dial(
        &self,
        client: &Client<'m>,
        request: &Request,
        trail: &mut Trail,
    ) -> Result<Dial<'m>, Option<By<'m>>> {
        if let Some((address, port)) = request.dialled {
            return Ok(self.dial_address(address, port, trail));
        }
        if let Ok(address) = request.host.parse() {
            return Ok(self.dial_address(address, request.port, trail));
        }
        let name = request.host.trim_end_matches('.').to_ascii_lowercase();
        match client {
            Client::Inside(caller) => self.dial_name(caller, &name, request.port, trail, 0),
            Client::Outside { .. } => self.dial_outside(&name, request.port, trail),
        }
    }

    fn dial_address(&self, address: IpAddr, port: u16, trail: &mut Trail) -> Dial<'m> {
        let to = if let Some(service) = self.at_address(address) {
            trail.say("name", || format!("{address} is {}", self.services[service].host));
            Dialled::Service(service)
        } else if let Some(pod) = self.pod_at(address) {
            trail.say("name", || format!("{address} is pod {}", pod.full_name()));
            Dialled::Pod(pod)
        } else {
            trail.say("name", || format!("{address} belongs to nothing in the cluster"));
            Dialled::Outside
        };
        Dial { to, address: Some(address), port }
    }

    fn dial_name(
        &self,
        caller: &Caller<'m>,
        name: &str,
        port: u16,
        trail: &mut Trail,
        aliases: usize,
    ) -> Result<Dial<'m>, Option<By<'m>>> {
        if aliases > MAX_ALIASES {
            return Err(None);
        }
        if let Some(found) = self.in_cluster(caller.namespace(), name) {
            let service = match found {
                Dialled::Service(service) | Dialled::Headless(service) => &self.services[service],
                Dialled::Pod(_) | Dialled::Outside => return Ok(Dial { to: found, address: pod_address(found), port }),
            };
            if let Sort::Alias(target) = service.sort {
                let by = By::new(service.object, "spec.externalName");
                trail.say_by("name", &by, || format!("{name} is another name for {target}"));
                return self.dial_name(caller, target.trim_end_matches('.'), port, trail, aliases + 1);
            }
            let address = if matches!(found, Dialled::Service(_)) { service.addresses.first().copied() } else { None };
            trail.say("name", || {
                let what = address.map_or_else(|| "its pods' addresses".to_owned(), |address| address.to_string());
                format!("{name} resolves to {what} ({})", service.object.origin())
            });
            return Ok(Dial { to: found, address, port });
        }
        if let Some(found) = self.captured_name(caller, name) {
            let service = &self.services[found];
            let by = By::new(service.object, "spec.hosts");
            let address = service.addresses.first().or(service.made_up.first()).copied();
            trail
                .say_by("name", &by, || format!("the proxy's DNS answers {name} with the address of its ServiceEntry"));
            return Ok(Dial { to: Dialled::Service(found), address, port });
        }
        self.dial_outside(name, port, trail)
    }

    /// A name that is none of the cluster's.
    fn dial_outside(&self, name: &str, port: u16, trail: &mut Trail) -> Result<Dial<'m>, Option<By<'m>>> {
        // Names of the cluster's own domain, and those that are reserved for nobody, lead nowhere else.
        let is_of_cluster = !name.contains('.') || name.ends_with(".cluster.local") || name.ends_with(".svc");
        if is_of_cluster || name.ends_with(".invalid") {
            trail.say("name", || format!("no Service is called {name}"));
            return Err(None);
        }
        let address = match self.facts.addresses_of(name) {
            Some([]) => {
                trail.say("name", || format!("{name} does not resolve"));
                return Err(None);
            }
            Some([first, ..]) => Some(*first),
            None => {
                trail.doubt(|| format!("whether {name} resolves was not looked up"));
                None
            }
        };
        trail.say("name", || format!("{name} is a name outside of the cluster"));
        Ok(Dial { to: Dialled::Outside, address, port })
    }

    /// The Service or pod that a name means within the cluster, from a namespace.
    pub(crate) fn in_cluster(&self, namespace: &str, name: &str) -> Option<Dialled<'m>> {
        let full = match name.strip_suffix(DOMAIN) {
            Some(_) => name.to_owned(),
            None if !name.contains('.') => host::fqdn(namespace, name),
            None => match name.strip_suffix(".svc") {
                Some(rest) => format!("{rest}{DOMAIN}"),
                None => format!("{name}{DOMAIN}"),
            },
        };
        let found = self.of_host(&full).iter().copied().find(|at| !self.services[*at].is_entry());
        if let Some(at) = found {
            let is_headless = self.services[at].sort == Sort::Headless;
            return Some(if is_headless { Dialled::Headless(at) } else { Dialled::Service(at) });
        }
        // `<hostname>.<headless service>.<namespace>`: one pod of a StatefulSet.
        let (pod, service) = full.split_once('.')?;
        let at = self.of_host(service).iter().copied().find(|at| self.services[*at].sort == Sort::Headless)?;
        let endpoints = self.services[at].endpoints(self.mesh);
        let named = |pod_object: &&Object| {
            let spec = pod_object.spec();
            spec.field("hostname").text_if_any().unwrap_or(pod_object.name()) == pod
        };
        endpoints.iter().filter_map(crate::services::Endpoint::pod).find(named).map(Dialled::Pod)
    }

    /// The `ServiceEntry` whose host the proxy's own DNS answers
    /// (<https://istio.io/latest/docs/ops/configuration/traffic-management/dns-proxy/>).
    fn captured_name(&self, caller: &Caller<'m>, name: &str) -> Option<usize> {
        if !caller.has_proxy {
            return None;
        }
        let scope = self.scope_of(caller);
        if !scope.captures_dns {
            return None;
        }
        let found = self.known_service(&scope, name)?;
        let service = &self.services[found];
        (service.is_entry() && service.has_own_address(true)).then_some(found)
    }

    pub(crate) fn captures_dns(&self, caller: &Caller<'m>) -> bool {
        const CAPTURE: &str = "ISTIO_META_DNS_CAPTURE";
        let own = Proxy::of(caller.object).and_then(|proxy| proxy.variable(CAPTURE));
        let of_mesh = self.mesh.config_of(caller.namespace()).proxy_metadata.get(CAPTURE).map(String::as_str);
        own.or(of_mesh) == Some("true")
    }
}

fn pod_address(dialled: Dialled<'_>) -> Option<IpAddr> {
    if let Dialled::Pod(pod) = dialled { pod.status().get("podIP").text().parse().ok() } else { None }
}
