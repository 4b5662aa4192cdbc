//! A request at a gateway: the server that takes the connection, TLS, policies, the route
//! (<https://istio.io/latest/docs/reference/config/networking/gateway/>).

use std::cmp::Reverse;

use crate::answer::{Answerer, Ending};
use crate::authorization::Peer;
use crate::gates::{Gate, nearness};
use crate::matching::{self, Place};
use crate::network::Network;
use crate::request::{Caller, Client, Protocol, Request};
use crate::routing::Rule;
use crate::sender::{Layer, Sender};
use crate::server::{Arrival, Transport, own_page};
use crate::trail::{Branches, By, End, Trail, only};
use crate::walk::host_of;
use mesh::{Handling, Kind, Object, View, Workload, host, is_ready};

impl<'m> Network<'m> {
    /// The way of somebody outside who names a host and not an address: DNS is taken to lead to a gateway that has the host.
    pub(crate) fn by_gateway_host(
        &self,
        client: &Client<'m>,
        request: &Request,
        trail: &Trail,
    ) -> Option<Branches<'m>> {
        let services = self.mesh.gateway_services();
        let name = request.host.to_ascii_lowercase();
        let mut best: Option<(usize, &'m Object, &'m Object, u16)> = None;
        for found in &services {
            let Some(pod) = found.pods.iter().find(|pod| is_ready(pod)).or(found.pods.first()) else { continue };
            for gate in self.gates(pod).into_iter().filter(|gate| gate.number == request.port) {
                let Some(near) = gate.nearness(&name) else { continue };
                if best.is_none_or(|(other, ..)| near > other) {
                    best = Some((near, found.service, pod, gate.port));
                }
            }
        }
        let (_, service, pod, port) = best?;
        let mut trail = trail.clone();
        let by = By::new(service, "");
        trail.say_by("name", &by, || format!("taken to lead to {}", service.full_name()));
        trail.doubt(|| format!("where DNS outside of the cluster leads {name} was not looked up"));
        let Client::Outside { address } = client else { return None };
        let transport = if request.protocol.is_tls() { Transport::ApplicationTls } else { Transport::Plain };
        let arrival = Arrival {
            port,
            transport,
            transport_by: None,
            source: None,
            address: *address,
            is_past_proxy: false,
            reads_http: false,
        };
        Some(self.arrive(pod, arrival, request, trail))
    }

    /// What becomes of a connection at a port of a gateway's pod.
    pub(crate) fn at_gateway(
        &self,
        pod: &'m Object,
        arrival: &Arrival<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let port = arrival.port;
        if let Some(end) = own_page(port, request, Answerer::Gateway) {
            return only(trail, end.reaching(pod));
        }
        let gates: Vec<Gate<'m>> = self.gates(pod).into_iter().filter(|gate| gate.port == port).collect();
        let refused = self.facts.has_refused(pod.namespace(), pod.name(), &format!("0.0.0.0_{port}"));
        let Some(first) = gates.first().filter(|_| !refused) else {
            trail.say("gateway", || format!("no Gateway makes {} listen on port {port}", pod.full_name()));
            let end = End::new(Ending::Refused, Answerer::Nobody).reaching(pod);
            return only(
                trail,
                end.remedy(format!("Create a Gateway with a server for port {port} that selects this pod.")),
            );
        };
        if first.handling.is_tls() {
            return self.at_tls_gate(pod, &gates, arrival, request, trail);
        }
        let is_tls = request.protocol.is_tls()
            || arrival.transport == Transport::Mutual
            || arrival.transport == Transport::Originated;
        if is_tls && first.handling == Handling::Http {
            let by = By::new(first.object, format!("{}.port.protocol", first.path));
            trail.say_by("gateway", &by, || format!("port {port} takes plain HTTP, and this is TLS"));
            let end = End::new(Ending::TlsFailed, Answerer::Gateway).flag("DPE").reaching(pod);
            return only(
                trail,
                end.decided_if(Some(by)).remedy("Use http for this port, or https at a port that takes TLS.".into()),
            );
        }
        if first.handling == Handling::Tcp {
            return self.by_gate_connection(pod, first, arrival, request, trail);
        }
        let plain: Vec<&Gate<'m>> = gates.iter().filter(|gate| gate.handling == Handling::Http).collect();
        self.by_gate_host(pod, &plain, arrival, request, trail)
    }

    /// TLS: the server is chosen by the server name.
    fn at_tls_gate(
        &self,
        pod: &'m Object,
        gates: &[Gate<'m>],
        arrival: &Arrival<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let port = arrival.port;
        let refused =
            || End::new(Ending::Reset, Answerer::Gateway).flag("NR").detail("filter_chain_not_found").reaching(pod);
        // A sidecar may speak TLS on behalf of an application that does not.
        let is_by_proxy = matches!(arrival.transport, Transport::Mutual | Transport::Originated);
        if !request.protocol.is_tls() && !is_by_proxy {
            trail.say("gateway", || format!("port {port} takes TLS, and this is plain text"));
            let end = refused().decided_if(gates.first().map(|gate| By::new(gate.object, gate.path.clone())));
            return only(trail, end.remedy("Use https for this port.".into()));
        }
        let name = if is_by_proxy && !request.protocol.is_tls() {
            host_of(&request.authority())
        } else {
            request.server_name().unwrap_or_default().to_ascii_lowercase()
        };
        let near = |gate: &&Gate<'m>| gate.nearness(&name).filter(|near| !name.is_empty() || *near == 0);
        let Some(gate) = gates.iter().filter(|gate| near(gate).is_some()).max_by_key(|gate| near(gate)) else {
            let what = if name.is_empty() { "no server name".to_owned() } else { format!("server name {name}") };
            trail.say("gateway", || format!("no server on port {port} is for {what}"));
            return only(
                trail,
                refused().remedy(format!("Add {name} to the hosts of a Gateway's server on this port.")),
            );
        };
        let by = By::new(gate.object, gate.path.clone());
        trail.say_by("gateway", &by, || format!("server name {name} is one of its hosts"));
        if gate.handling == Handling::Passthrough {
            if gate.is_automatic {
                trail.unknown(|| "AUTO_PASSTHROUGH leads to what the server name encodes".to_owned());
            }
            return self.by_gate_connection(pod, gate, arrival, request, trail);
        }
        match self.has_certificates(gate) {
            Some(true) => {}
            Some(false) => {
                let missing = gate
                    .secrets
                    .iter()
                    .find(|(namespace, name)| self.mesh.find(Kind::Secret, namespace, name).is_none());
                let (namespace, secret) = missing.copied().unwrap_or_default();
                let field = if gate.listener.is_some() { "tls.certificateRefs" } else { "tls.credentialName" };
                let by = By::new(gate.object, format!("{}.{field}", gate.path));
                trail.say_by("gateway", &by, || {
                    format!("Secret {namespace}/{secret} is not there, so TLS cannot begin")
                });
                let end = End::new(Ending::Reset, Answerer::Gateway).reaching(pod).decided_if(Some(by));
                return only(trail, end.remedy(format!("Create Secret {secret} in namespace {namespace}.")));
            }
            None => trail.doubt(|| "Secrets could not be read".to_owned()),
        }
        let awaited = gate.secrets.iter().find(|secret| self.facts.awaits(pod.namespace(), pod.name(), **secret));
        if let Some((namespace, secret)) = awaited {
            let by = By::new(gate.object, gate.path.clone());
            trail.say_by("gateway", &by, || {
                format!("Secret {namespace}/{secret} is there, but the proxy has not got it")
            });
            let end = End::new(Ending::Reset, Answerer::Gateway).reaching(pod).decided_if(Some(by));
            let remedy = format!(
                "See why istiod does not send Secret {namespace}/{secret} to this gateway: its log, and its rights to read Secrets."
            );
            return only(trail, end.remedy(remedy));
        }
        if gate.demands_certificate && !request.has_certificate && arrival.transport != Transport::Mutual {
            let by = By::new(gate.object, format!("{}.tls.mode", gate.path));
            trail.say_by("gateway", &by, || "demands a certificate of the client".to_owned());
            let end = End::new(Ending::TlsFailed, Answerer::Gateway).reaching(pod).decided_if(Some(by));
            return only(trail, end.remedy("Send a client certificate.".into()));
        }
        if gate.handling == Handling::Https {
            // TLS ends here: what follows is HTTP.
            return self.by_gate_host(pod, &[gate], arrival, request, trail);
        }
        self.by_gate_connection(pod, gate, arrival, request, trail)
    }

    fn gateway_sender(&self, pod: &'m Object, layer: Layer) -> Sender<'m> {
        let caller = Caller::of_pod(pod);
        Sender { caller, scope: self.scope_of(&caller), layer, is_gateway: true, dialled: None }
    }

    /// HTTP: by the header `Host`.
    fn by_gate_host(
        &self,
        pod: &'m Object,
        gates: &[&Gate<'m>],
        arrival: &Arrival<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let sender = self.gateway_sender(pod, Layer::Http);
        let authority = request.authority();
        let name = host_of(&authority);
        if request.protocol == Protocol::Tcp {
            trail.doubt(|| "the gateway reads HTTP here, and the client sends something else".to_owned());
            return only(trail, End::new(Ending::Reset, Answerer::Gateway).flag("DPE").reaching(pod));
        }
        let inside = &Request { protocol: Protocol::Http, authority: Some(authority.clone()), ..request.clone() };
        if let Some(end) = self.gateway_policies(pod, arrival, request, &mut trail) {
            return only(trail, end.reaching(pod));
        }
        let redirecting = gates.iter().find(|gate| gate.redirects_to_https && gate.nearness(&name).is_some());
        if let Some(gate) = redirecting {
            let by = By::new(gate.object, format!("{}.tls.httpsRedirect", gate.path));
            trail.say_by("gateway", &by, || "redirects to https".to_owned());
            return only(trail, End::new(Ending::Status(301), Answerer::Gateway).reaching(pod).decided_if(Some(by)));
        }
        if let Some(branches) = self.by_kubernetes_routes(&sender, gates, arrival.port, inside, &trail) {
            return branches;
        }
        let found = self.bound(pod, gates, &name);
        let Some(gate) = gates.first() else { return self.no_route(Answerer::Gateway, None, trail) };
        if found.is_empty() {
            trail.say("route", || format!("no VirtualService that is bound here has the host {name}"));
            let has_host = gates.iter().any(|gate| gate.nearness(&name).is_some());
            let field = if has_host { gate.path.clone() } else { format!("{}.hosts", gate.path) };
            return self.no_route(Answerer::Gateway, Some(By::new(gate.object, field)), trail);
        }
        let references: Vec<String> = gates.iter().map(|gate| gate.reference()).collect();
        // A VirtualService matches the port of the Gateway, whatever the pod listens on.
        let place =
            Place { port: gate.number, gateways: Some(&references), labels: View::MISSING, namespace: pod.namespace() };
        match self.first_rule(&found, &place, inside) {
            Some(rule) => self.apply(&sender, gate.number, &rule, inside, trail),
            None => {
                let by = found.first().map(|service| By::new(service, "spec.http"));
                trail.say("route", || format!("no rule for {name} takes {} {}", request.method, request.path));
                self.no_route(Answerer::Gateway, by, trail)
            }
        }
    }

    /// The `VirtualService`s that are bound to one of the gates and have the nearest host, the oldest first.
    fn bound(&self, pod: &Object, gates: &[&Gate<'m>], name: &str) -> Vec<&'m Object> {
        let mut found: Vec<(usize, &'m Object)> = Vec::new();
        for service in &self.virtual_hosts.services {
            if service.spec().get("gateways").is_empty() || !self.mesh.is_visible(service, pod.namespace()) {
                continue;
            }
            let near =
                gates.iter().filter(|gate| gate.listener.is_none() && is_bound(service, gate)).filter_map(|gate| {
                    let hosts = service.spec().get("hosts").texts().map(|own| host::fqdn(service.namespace(), own));
                    let pairs = hosts.flat_map(|own| {
                        let open =
                            gate.hosts.iter().filter(|(scope, _)| *scope == "*" || *scope == service.namespace());
                        open.filter_map(|(_, wanted)| narrower(&own, wanted)).collect::<Vec<_>>()
                    });
                    pairs.filter_map(|domain| nearness(&domain, name)).max()
                });
            if let Some(near) = near.max() {
                found.push((near, service));
            }
        }
        let best = found.iter().map(|(near, _)| *near).max();
        found.into_iter().filter(|(near, _)| Some(*near) == best).map(|(_, service)| service).collect()
    }

    /// The rules of several `VirtualService`s for one host are one list, in which those that take everything come last.
    fn first_rule(&self, services: &[&'m Object], place: &Place<'_>, request: &Request) -> Option<Rule<'m>> {
        let rules = services.iter().filter_map(|service| self.rule_of(service, place, request));
        let mut rules: Vec<Rule<'m>> = rules.collect();
        rules.sort_by_key(|rule| takes_all(rule.matched));
        rules.into_iter().next()
    }

    /// Bytes, or TLS that goes on as it is.
    fn by_gate_connection(
        &self,
        pod: &'m Object,
        gate: &Gate<'m>,
        arrival: &Arrival<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let sender = self.gateway_sender(pod, Layer::Tcp);
        if let Some(branches) = self.by_kubernetes_connection(&sender, gate, request, &trail) {
            return branches;
        }
        let references = [gate.reference()];
        let place =
            Place { port: gate.number, gateways: Some(&references), labels: View::MISSING, namespace: pod.namespace() };
        let name = request.server_name().unwrap_or_default();
        let bound = self.virtual_hosts.services.iter().filter(|service| {
            is_bound(service, gate) && self.mesh.is_visible(service, pod.namespace()) && {
                let mut hosts = service.spec().get("hosts").texts();
                gate.handling == Handling::Tcp || hosts.any(|own| nearness(own, name).is_some())
            }
        });
        let _ = arrival;
        let rule = bound.filter_map(|service| self.connection_rule(service, &place, request)).next();
        let inside = if gate.handling == Handling::TerminatedTls {
            Request { protocol: Protocol::Tcp, ..request.clone() }
        } else {
            request.clone()
        };
        match rule {
            Some(rule) => self.apply(&sender, gate.number, &rule, &inside, trail),
            None => {
                let by = By::new(gate.object, gate.path.clone());
                trail.say_by("route", &by, || "no VirtualService that is bound here takes the connection".to_owned());
                let end = End::new(Ending::Reset, Answerer::Gateway).flag("NR").reaching(pod);
                only(trail, end.decided_if(Some(by)))
            }
        }
    }

    /// Policies that hold for the gateway itself.
    fn gateway_policies(
        &self,
        pod: &'m Object,
        arrival: &Arrival<'m>,
        request: &Request,
        trail: &mut Trail,
    ) -> Option<End<'m>> {
        let workload = Workload::of_pod(pod);
        let all = |kind| -> Vec<&'m Object> { self.mesh.policies(kind, workload).iter().collect() };
        let (authentications, policies) = (all(Kind::RequestAuthentication), all(Kind::AuthorizationPolicy));
        let account = arrival.source.filter(|_| arrival.transport == Transport::Mutual);
        let account = account.map(|caller| (caller.namespace(), caller.account));
        let peer = Peer { account, address: arrival.address, remote: arrival.address };
        for plugin in self.mesh.policies(Kind::WasmPlugin, workload).iter() {
            trail.doubt(|| format!("what {} does is not known", plugin.origin()));
        }
        self.policed(&authentications, &policies, arrival.port, true, &peer, request, trail, Answerer::Gateway)
    }
}

fn is_bound(service: &Object, gate: &Gate<'_>) -> bool {
    let reference = gate.reference();
    service.spec().get("gateways").texts().any(|name| {
        let (namespace, name) = host::reference(service.namespace(), name);
        reference.strip_prefix(namespace).and_then(|rest| rest.strip_prefix('/')) == Some(name)
    })
}

/// What two hosts have in common.
fn narrower(own: &str, wanted: &str) -> Option<String> {
    if host::is_subset(own, wanted) {
        return Some(own.to_owned());
    }
    host::is_subset(wanted, own).then(|| wanted.to_owned())
}

/// Whether a match takes every request, so that its rule comes after those of others.
fn takes_all(matched: View<'_>) -> bool {
    let uri = matched.get("uri");
    let only_uri = matched.entries().all(|(key, _)| matches!(key, "uri" | "gateways" | "name"));
    let takes_root = uri.get("prefix").text() == "/" || uri.get("regex").text() == ".*";
    matched.is_empty() || only_uri && (uri.is_empty() || takes_root)
}

/// The most exact first, for the rules of the Gateway API.
pub(crate) fn by_exactness<T>(mut found: Vec<(u8, usize, bool, usize, usize, T)>) -> Option<T> {
    found.sort_by_key(|(kind, length, method, headers, query, _)| Reverse((*kind, *length, *method, *headers, *query)));
    found.into_iter().next().map(|(.., found)| found)
}

/// Whether a header or a query parameter of the Gateway API's matches takes a value.
pub(crate) fn value_takes(wanted: View<'_>, value: Option<&str>) -> bool {
    let Some(value) = value else { return false };
    let text = wanted.get("value").text();
    if wanted.get("type").text() == "RegularExpression" { matching::is_whole_match(text, value) } else { text == value }
}
