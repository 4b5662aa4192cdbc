//! The client's side of the way: what its proxy takes, which listener and which route it goes through, or what happens without a
//! proxy.

use std::net::IpAddr;

use crate::answer::{Answer, Answerer, Ending};
use crate::matching::Place;
use crate::names::{Dial, Dialled};
use crate::network::Network;
use crate::request::{Caller, Client, Protocol, Request};
use crate::sender::{Layer, Sender};
use crate::server::{Arrival, Transport, own_page};
use crate::services::Sort;
use crate::trail::{self, Branch, Branches, By, End, Trail, only, weighted};
use mesh::{Kind, Object, OutboundMode, is_gateway};

impl<'m> Network<'m> {
    /// What happens to a request.
    pub fn answer(&self, client: &Client<'m>, request: &Request) -> Answer {
        let branches = self.ways(client, request, Trail::kept());
        trail::answer(branches, |object| self.reached(object))
    }

    fn reached(&self, object: &Object) -> String {
        let found = (object.kind() == Kind::Pod).then(|| self.mesh.find(Kind::Pod, object.namespace(), object.name()));
        found.flatten().map_or_else(|| object.full_name(), |pod| self.mesh.workload_of(pod).full_name())
    }

    pub(crate) fn ways(&self, client: &Client<'m>, request: &Request, mut trail: Trail) -> Branches<'m> {
        if let Client::Outside { .. } = client
            && request.dialled.is_none()
            && let Some(branches) = self.by_gateway_host(client, request, &trail)
        {
            return branches;
        }
        if let Client::Inside(caller) = client
            && is_gateway(caller.object)
        {
            return self.by_gateway(caller, request, trail);
        }
        let dial = match self.dial(client, request, &mut trail) {
            Ok(dial) => dial,
            Err(by) => {
                let end = End::new(Ending::NoName, Answerer::Resolver).decided_if(by);
                return only(trail, end.remedy(format!("Correct the name {}, or create what it names.", request.host)));
            }
        };
        match client {
            Client::Inside(caller) if self.captures(caller, &dial, &mut trail) => {
                self.outbound(caller, &dial, request, trail)
            }
            Client::Inside(caller) => self.direct(&dial, Some(*caller), caller.address(), None, request, trail),
            Client::Outside { address } => self.direct(&dial, None, *address, None, request, trail),
        }
    }

    /// From a gateway, as if one of its routes led there.
    fn by_gateway(&self, caller: &Caller<'m>, request: &Request, mut trail: Trail) -> Branches<'m> {
        let layer = if request.protocol == Protocol::Http { Layer::Http } else { Layer::Tcp };
        let sender = Sender { caller: *caller, scope: self.scope_of(caller), layer, is_gateway: true, dialled: None };
        let found = match self.in_cluster(sender.scope.namespace, &host_of(&request.host)) {
            Some(Dialled::Service(at) | Dialled::Headless(at)) => Some(at),
            Some(Dialled::Pod(_) | Dialled::Outside) | None => self.known_service(&sender.scope, &request.host),
        };
        let known = found.filter(|at| sender.scope.knows(*at) && self.services[*at].port(request.port).is_some());
        trail.say("gateway", || format!("if a route of {} leads there", caller.name(self.mesh)));
        match known {
            Some(at) => self.to_cluster(&sender, at, request.port, None, None, request, trail),
            None => only(trail, sender.ends(503).flag("NC").detail("cluster_not_found")),
        }
    }

    /// Whether the client's own proxy takes the connection
    /// (<https://istio.io/latest/docs/reference/config/annotations/>, those that begin with `traffic.sidecar`).
    fn captures(&self, caller: &Caller<'m>, dial: &Dial<'m>, trail: &mut Trail) -> bool {
        let name = || caller.name(self.mesh);
        if !caller.has_proxy {
            trail.say("capture", || format!("{} has no sidecar", name()));
            return false;
        }
        let setting =
            |key: &str| caller.workload.annotations.get(&format!("traffic.sidecar.istio.io/{key}")).text_if_any();
        let has_port = |list: &str| list.split(',').any(|it| it.trim().parse() == Ok(dial.port));
        let in_ranges = |list: &str| {
            dial.address.is_some_and(|address| {
                list.split(',').any(|range| crate::conditions::in_block(range.trim(), Some(address)))
            })
        };
        let is_included = setting("includeOutboundIPRanges").is_none_or(|list| list.trim() == "*" || in_ranges(list))
            || setting("includeOutboundPorts").is_some_and(has_port);
        let is_excluded = setting("excludeOutboundPorts").is_some_and(has_port)
            || setting("excludeOutboundIPRanges").is_some_and(in_ranges);
        if is_excluded || !is_included {
            let by = By::new(caller.object, "metadata.annotations traffic.sidecar.istio.io");
            trail.say_by("capture", &by, || format!("annotations of {} keep this from its sidecar", name()));
            return false;
        }
        trail.say("capture", || format!("the sidecar of {} takes it", name()));
        true
    }

    fn outbound(&self, caller: &Caller<'m>, dial: &Dial<'m>, request: &Request, mut trail: Trail) -> Branches<'m> {
        let scope = self.scope_of(caller);
        let dialled = if let Dialled::Pod(pod) = dial.to { Some(pod) } else { None };
        let layer = |layer| Sender { caller: *caller, scope: scope.clone(), layer, is_gateway: false, dialled };
        let (http, tcp) = (layer(Layer::Http), layer(Layer::Tcp));
        if self.has_refused_listener(caller.object, dial) {
            trail.say("listener", || format!("the proxy has refused its listener for port {}", dial.port));
            return self.passthrough(&tcp, dial, request, trail);
        }
        let is_http = request.protocol == Protocol::Http;
        // A listener for the address goes before one for all addresses.
        if let Some(at) = self.at_own_listener(&http, dial) {
            let service = &self.services[at];
            let Some(port) = service.port(dial.port) else { return self.passthrough(&tcp, dial, request, trail) };
            let protocol = port.protocol;
            trail.say("listener", || {
                let what =
                    protocol.map_or_else(|| "looks whether it is HTTP".to_owned(), |protocol| format!("is {protocol}"));
                format!("port {} of {} {what}", dial.port, service.host)
            });
            if is_http && protocol.is_none() {
                return self.to_service(&http, at, dial.port, request, trail);
            }
            return self.by_connection(&tcp, at, dial.port, request, trail);
        }
        let wildcard = self.with_port(dial.port).iter().copied().find(|at| {
            let service = &self.services[*at];
            let is_wide = |port: &crate::services::Port<'_>| {
                port.is_http() || !service.has_own_address(scope.captures_dns) && service.sort != Sort::Headless
            };
            service.port(dial.port).is_some_and(is_wide)
                && !matches!(service.sort, Sort::Alias(_))
                && self.serves(&scope, *at, dial.port)
        });
        let Some(wildcard) = wildcard else {
            if let Some(end) = own_page(dial.port, request, Answerer::ClientProxy) {
                trail.say("listener", || format!("port {} is the proxy's own, wherever it is dialled", dial.port));
                return only(trail, end.reaching(caller.object));
            }
            trail.say("listener", || format!("the sidecar knows no service for this address and port {}", dial.port));
            return self.passthrough(&tcp, dial, request, trail);
        };
        let service = &self.services[wildcard];
        let Some(port) = service.port(dial.port) else { return self.passthrough(&tcp, dial, request, trail) };
        if port.is_http() || port.protocol.is_none() {
            if is_http {
                return self.by_host(&http, dial, request, trail);
            }
            trail.say("listener", || {
                format!("the listener of port {} reads HTTP and lets everything else through", dial.port)
            });
            return self.passthrough(&tcp, dial, request, trail);
        }
        if port.is_tls() {
            return self.by_server_name(&tcp, dial, request, trail);
        }
        trail.say("listener", || format!("port {} belongs to {}", dial.port, service.host));
        self.by_connection(&tcp, wildcard, dial.port, request, trail)
    }

    /// Whether the client's proxy has no listener for what is dialled because it has refused the one that it was sent.
    fn has_refused_listener(&self, pod: &Object, dial: &Dial<'m>) -> bool {
        let refused =
            |address: &str| self.facts.has_refused(pod.namespace(), pod.name(), &format!("{address}_{}", dial.port));
        !self.facts.refused_listeners.is_empty()
            && (refused("0.0.0.0") || dial.address.is_some_and(|address| refused(&address.to_string())))
    }

    /// The service that has a listener for just the dialled address: one whose port is not known to be HTTP.
    fn at_own_listener(&self, sender: &Sender<'m>, dial: &Dial<'m>) -> Option<usize> {
        let is_bytes = |at: usize| self.services[at].port(dial.port).is_some_and(|port| !port.is_http());
        match dial.to {
            Dialled::Service(at) | Dialled::Headless(at) => {
                (is_bytes(at) && self.serves(&sender.scope, at, dial.port)).then_some(at)
            }
            // A headless Service has a listener for each of its pods.
            Dialled::Pod(pod) => self.with_port(dial.port).iter().copied().find(|at| {
                let service = &self.services[*at];
                service.sort == Sort::Headless
                    && is_bytes(*at)
                    && self.serves(&sender.scope, *at, dial.port)
                    && service
                        .endpoints(self.mesh)
                        .iter()
                        .any(|endpoint| endpoint.pod().is_some_and(|own| std::ptr::eq(own, pod)))
            }),
            Dialled::Outside => None,
        }
    }

    /// By the header `Host`, as the listener of an HTTP port for all addresses does it.
    fn by_host(&self, sender: &Sender<'m>, dial: &Dial<'m>, request: &Request, mut trail: Trail) -> Branches<'m> {
        let authority = request.authority();
        let name = host_of(&authority);
        if let Some(at) = self.named(sender, &name, dial.port) {
            trail.say("listener", || {
                format!("port {} is HTTP, and {authority} means {}", dial.port, self.services[at].host)
            });
            return self.to_service(sender, at, dial.port, request, trail);
        }
        let own = self.virtual_hosts.exactly(&sender.scope, &name);
        if let Some(service) = own.or_else(|| self.virtual_hosts.over(&sender.scope, &name)) {
            return self.by_virtual_service(sender, service, None, dial.port, request, trail);
        }
        trail.say("listener", || format!("port {} is HTTP, and no known service is called {authority}", dial.port));
        self.passthrough(sender, dial, request, trail)
    }

    /// The service that a host means to a proxy on an HTTP port.
    fn named(&self, sender: &Sender<'m>, name: &str, port: u16) -> Option<usize> {
        let fits = |at: &usize| {
            let is_http = |port: &crate::services::Port<'_>| {
                port.is_http() || port.protocol.is_none() && self.services[*at].addresses.is_empty()
            };
            self.services[*at].port(port).is_some_and(is_http) && self.serves(&sender.scope, *at, port)
        };
        if let Ok(address) = name.parse::<IpAddr>() {
            return self.at_address(address).filter(fits);
        }
        let entries = self.of_host(name).iter().copied().filter(|at| self.services[*at].is_entry());
        if let Some(at) = entries.into_iter().find(fits) {
            return Some(at);
        }
        let found = match self.in_cluster(sender.scope.namespace, name) {
            Some(Dialled::Service(at) | Dialled::Headless(at)) => match self.services[at].sort {
                Sort::Alias(target) => self.known_service(&sender.scope, target),
                _ => Some(at),
            },
            // A pod of a StatefulSet by its own name stands for its headless Service.
            Some(Dialled::Pod(_)) => name.split_once('.').and_then(|(_, service)| {
                match self.in_cluster(sender.scope.namespace, service)? {
                    Dialled::Headless(at) => Some(at),
                    Dialled::Service(_) | Dialled::Pod(_) | Dialled::Outside => None,
                }
            }),
            Some(Dialled::Outside) | None => None,
        };
        found.filter(fits).or_else(|| self.over_host(name).find(fits))
    }

    /// By the rules for a service's host, else to its endpoints.
    fn to_service(
        &self,
        sender: &Sender<'m>,
        at: usize,
        port: u16,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let service = &self.services[at];
        let caller = &sender.caller;
        let place = Place { port, gateways: None, labels: caller.workload.labels, namespace: caller.namespace() };
        if let Some(branches) = self.by_service_routes(sender, service, &place, request, &trail) {
            return branches;
        }
        let hosts = &self.virtual_hosts;
        let rules = hosts.exactly(&sender.scope, &service.host).or_else(|| hosts.over(&sender.scope, &service.host));
        match rules.filter(|rules| !rules.spec().get("http").is_empty()) {
            Some(rules) => self.by_virtual_service(sender, rules, Some(at), port, request, trail),
            None => {
                trail.say("route", || format!("no VirtualService for {}: straight to it", service.host));
                self.to_cluster(sender, at, port, None, None, request, trail)
            }
        }
    }

    fn by_virtual_service(
        &self,
        sender: &Sender<'m>,
        rules: &'m Object,
        _service: Option<usize>,
        port: u16,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let caller = &sender.caller;
        let place = Place { port, gateways: None, labels: caller.workload.labels, namespace: caller.namespace() };
        let Some(rule) = self.rule_of(rules, &place, request) else {
            let by = By::new(rules, "spec.http");
            trail.say_by("route", &by, || format!("no rule takes {} {}", request.method, request.path));
            return self.no_route(sender.answerer(), Some(by), trail);
        };
        self.apply(sender, port, &rule, request, trail)
    }

    /// By the connection alone: rules for TCP and TLS, else the service's endpoints.
    fn by_connection(
        &self,
        sender: &Sender<'m>,
        at: usize,
        port: u16,
        request: &Request,
        trail: Trail,
    ) -> Branches<'m> {
        let service = &self.services[at];
        let hosts = &self.virtual_hosts;
        let rules = hosts.exactly(&sender.scope, &service.host).or_else(|| hosts.over(&sender.scope, &service.host));
        let caller = &sender.caller;
        let place = Place { port, gateways: None, labels: caller.workload.labels, namespace: caller.namespace() };
        match rules.and_then(|rules| self.connection_rule(rules, &place, request)) {
            Some(rule) => self.apply(sender, port, &rule, request, trail),
            None => self.to_cluster(sender, at, port, None, None, request, trail),
        }
    }

    /// By the server name of the application's TLS.
    fn by_server_name(
        &self,
        sender: &Sender<'m>,
        dial: &Dial<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let name = request.server_name().filter(|_| request.protocol.is_tls()).unwrap_or_default();
        let fits = |at: &usize| {
            let service = &self.services[*at];
            !service.has_own_address(sender.scope.captures_dns)
                && service.port(dial.port).is_some_and(crate::services::Port::is_tls)
                && self.serves(&sender.scope, *at, dial.port)
        };
        let found = self.of_host(name).iter().copied().find(fits).or_else(|| self.over_host(name).find(fits));
        match found.filter(|_| !name.is_empty()) {
            Some(at) => {
                trail.say("listener", || {
                    format!("port {} is TLS, and {name} means {}", dial.port, self.services[at].object.origin())
                });
                self.by_connection(sender, at, dial.port, request, trail)
            }
            None => {
                trail
                    .say("listener", || format!("port {} is TLS, and no known service has the name {name}", dial.port));
                self.passthrough(sender, dial, request, trail)
            }
        }
    }

    /// What the proxy does with what it knows nothing of
    /// (<https://istio.io/latest/docs/tasks/traffic-management/egress/egress-control/>).
    fn passthrough(&self, sender: &Sender<'m>, dial: &Dial<'m>, request: &Request, mut trail: Trail) -> Branches<'m> {
        let scope = &sender.scope;
        let hidden = match dial.to {
            Dialled::Service(at) | Dialled::Headless(at) if !scope.knows(at) => {
                self.hidden_by(scope.namespace, scope.sidecar, at)
            }
            _ => None,
        };
        if scope.mode == OutboundMode::RegistryOnly {
            let by = hidden.or_else(|| scope.mode_by.clone());
            let says = || "REGISTRY_ONLY: what the proxy does not know is not sent".to_owned();
            match &scope.mode_by {
                Some(by) => trail.say_by("passthrough", by, says),
                None => trail.say("passthrough", says),
            }
            let end = match sender.layer {
                Layer::Http => End::new(Ending::Status(502), sender.answerer()).detail("direct_response"),
                Layer::Tcp => End::new(Ending::Reset, sender.answerer()).flag("UH"),
            };
            let remedy = match &by {
                Some(by) if by.object.kind() == Kind::Sidecar && by.field == "spec.egress" => {
                    format!("Add the host to `egress` of {}.", by.object.origin())
                }
                _ => "Create a ServiceEntry for the host.".to_owned(),
            };
            return only(trail, end.decided_if(by).remedy(remedy));
        }
        trail.say("passthrough", || "goes on as it is, without the mesh's TLS".to_owned());
        let branches = self.direct(dial, Some(sender.caller), sender.caller.address(), Some(hidden), request, trail);
        branches.into_iter().map(|branch| Branch { end: sender.relay(branch.end), ..branch }).collect()
    }

    /// What keeps a service from the proxies of a namespace.
    fn hidden_by(&self, namespace: &str, sidecar: Option<&'m Object>, at: usize) -> Option<By<'m>> {
        let service = &self.services[at];
        if self.mesh.is_visible(service.object, namespace) {
            return sidecar.map(|sidecar| By::new(sidecar, "spec.egress"));
        }
        let field =
            if service.is_entry() { "spec.exportTo" } else { "metadata.annotations networking.istio.io/exportTo" };
        Some(By::new(service.object, field))
    }

    /// Without a proxy, or past it: to an address as the cluster's network takes it. `past` is there where a proxy sends it,
    /// with what hides the service from that proxy.
    pub(crate) fn direct(
        &self,
        dial: &Dial<'m>,
        source: Option<Caller<'m>>,
        address: Option<IpAddr>,
        past: Option<Option<By<'m>>>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let transport = if request.protocol.is_tls() { Transport::ApplicationTls } else { Transport::Plain };
        let arrival = |port: u16| Arrival {
            port,
            transport,
            transport_by: past.clone().flatten(),
            source,
            address,
            is_past_proxy: past.is_some() && matches!(dial.to, Dialled::Service(_)),
            reads_http: false,
        };
        match dial.to {
            Dialled::Outside => {
                trail.say("network", || "leaves the mesh".to_owned());
                only(trail, End::new(Ending::Delivered, Answerer::Outside))
            }
            Dialled::Pod(pod) => self.arrive(pod, arrival(dial.port), request, trail),
            Dialled::Service(at) | Dialled::Headless(at) => {
                let service = &self.services[at];
                let is_headless = service.sort == Sort::Headless;
                let port = service.port(dial.port);
                if port.is_none() && !is_headless {
                    trail.say("network", || format!("{} has no port {}", service.host, dial.port));
                    trail.doubt(|| {
                        "whether such a connection times out or is refused depends on the cluster's network".to_owned()
                    });
                    let end = End::new(Ending::TimedOut, Answerer::Nobody).decided(service.object, "spec.ports");
                    return only(trail, end.remedy(format!("Use a port that {} has.", service.object.origin())));
                }
                let ready: Vec<_> = service.endpoints(self.mesh).iter().filter(|endpoint| endpoint.is_ready).collect();
                if ready.is_empty() {
                    trail.say("endpoints", || format!("{} has no endpoint that is ready", service.host));
                    let end = if is_headless {
                        End::new(Ending::NoName, Answerer::Resolver)
                    } else {
                        End::new(Ending::Refused, Answerer::Nobody)
                    };
                    let end = end.decided(service.object, "spec.selector");
                    return only(
                        trail,
                        end.remedy(format!("Find out why no pod of {} is ready.", service.object.origin())),
                    );
                }
                trail.say("endpoints", || format!("to one of {} endpoints of {}", ready.len(), service.host));
                #[expect(clippy::cast_precision_loss, reason = "a Service has some thousands of endpoints at most")]
                let share = 1.0 / ready.len() as f64;
                let mut branches = Vec::new();
                for endpoint in ready {
                    let target = match port {
                        Some(port) if !is_headless => endpoint.port(port),
                        _ => Some(dial.port),
                    };
                    let ways = match (endpoint.pod(), target) {
                        (Some(pod), Some(target)) => self.arrive(pod, arrival(target), request, trail.clone()),
                        (Some(pod), None) => {
                            only(trail.clone(), End::new(Ending::Refused, Answerer::Nobody).reaching(pod))
                        }
                        (None, _) => only(
                            trail.clone(),
                            End::new(Ending::Delivered, Answerer::Outside).reaching(endpoint.object),
                        ),
                    };
                    branches.extend(weighted(ways, share));
                }
                branches
            }
        }
    }
}

/// The host of an authority without its port, as Envoy compares it.
pub(crate) fn host_of(authority: &str) -> String {
    let without_port = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && !host.ends_with(':') => host,
        _ => authority,
    };
    without_port.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}
