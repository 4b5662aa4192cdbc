//! The far side: whether the server's proxy takes the connection, what its policies say, and whether the application is there.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::answer::{Answerer, Ending};
use crate::authorization::{self, Asked, Decision, Peer};
use crate::network::Network;
use crate::request::{Caller, Protocol, Request};
use crate::services::declares;
use crate::tokens::Verdict;
use crate::trail::{Branches, By, End, Trail, only};
use mesh::{Kind, MutualTls, MutualTlsDecision, Object, Proxy, View, Workload, is_gateway, labels, protocol};

/// What a connection looks like on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    /// TLS of the application's own, as it comes.
    ApplicationTls,
    /// Istio's mutual TLS, with the client's identity.
    Mutual,
    /// TLS that the sending proxy begins, without the mesh's identity.
    Originated,
}

/// A connection that comes to a pod.
#[derive(Debug, Clone)]
pub(crate) struct Arrival<'m> {
    pub port: u16,
    pub transport: Transport,
    /// Who chose the transport.
    pub transport_by: Option<By<'m>>,
    /// Whose connection it is, as far as somebody in the cluster sends it.
    pub source: Option<Caller<'m>>,
    pub address: Option<IpAddr>,
    /// Whether a proxy sent it on as it was to a Service's address. If that leads back to the proxy's own pod, it does not come
    /// in again through the proxy.
    pub is_past_proxy: bool,
    /// Whether the sending proxy reads HTTP, and so says so to the receiving one.
    pub reads_http: bool,
}

/// What the proxy does with bytes on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Http,
    Tcp,
    /// It looks at what comes.
    Sniffed,
}

/// Who takes connections to a port of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Front {
    Gateway,
    WithoutProxy,
    /// The port is kept from the proxy.
    Excluded,
    Proxy,
}

/// All that stands before a port of a pod.
#[derive(Debug)]
pub(crate) struct Guards<'m> {
    front: Front,
    mutual_tls: MutualTlsDecision<'m>,
    reading: Reading,
    authentications: Vec<&'m Object>,
    pub policies: Vec<&'m Object>,
    /// Filters that may do anything.
    filters: Vec<&'m Object>,
    /// Where the proxy hands the traffic to.
    target: u16,
    is_declared: Option<bool>,
}

/// Ports of the proxy itself, which no traffic is taken away from
/// (<https://istio.io/latest/docs/ops/deployment/application-requirements/#ports-used-by-istio>).
pub(crate) const METRICS: u16 = 15090;
pub(crate) const HEALTH: u16 = 15021;
const AGENT: u16 = 15020;

/// What the proxy itself answers on its ports.
pub(crate) fn own_page<'m>(port: u16, request: &Request, by: Answerer) -> Option<End<'m>> {
    let page = match port {
        METRICS => "/stats/prometheus",
        HEALTH => "/healthz/ready",
        _ => return None,
    };
    if request.protocol != Protocol::Http {
        return Some(End::new(Ending::Reset, by));
    }
    let status = if request.path.starts_with(page) { 200 } else { 404 };
    Some(End::new(Ending::Status(status), by))
}

impl<'m> Network<'m> {
    /// What becomes of a connection at a port of a pod.
    pub(crate) fn arrive(
        &self,
        pod: &'m Object,
        arrival: Arrival<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        trail.passes(pod);
        if trail.is_deferred() {
            return only(trail, End::pending(pod, arrival, request));
        }
        self.meet(pod, &arrival, request, trail)
    }

    /// The same where it has arrived.
    pub(crate) fn meet(
        &self,
        pod: &'m Object,
        arrival: &Arrival<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let port = arrival.port;
        let guards = self.guards(pod, port, || self.guards_of(pod, port));
        if pod.status().get("phase").text() == "Pending" {
            trail.say("server", || format!("{} does not run yet", pod.full_name()));
            trail.doubt(|| "a container of the pod may run already".to_owned());
            return only(trail, End::new(Ending::Refused, Answerer::Nobody).reaching(pod));
        }
        match guards.front {
            Front::Gateway => return self.at_gateway(pod, arrival, request, trail),
            Front::WithoutProxy => {
                trail.say("server", || format!("{} has no sidecar", pod.full_name()));
                return self.without_proxy(pod, arrival, &guards, trail);
            }
            Front::Excluded => {
                trail.say("server", || format!("port {port} goes past the sidecar of {}", pod.full_name()));
                return self.without_proxy(pod, arrival, &guards, trail);
            }
            Front::Proxy => {}
        }
        if let Some(end) = own_page(port, request, Answerer::ServerProxy) {
            trail.say("server", || format!("port {port} is the proxy's own"));
            return only(trail, end.reaching(pod));
        }
        if arrival.is_past_proxy && arrival.source.is_some_and(|caller| std::ptr::eq(caller.object, pod)) {
            trail.doubt(|| "a pod that calls itself through a Service's address goes past its own policies".to_owned());
            return only(trail, End::new(Ending::Delivered, Answerer::Application).reaching(pod));
        }
        if let Some(end) = self.refuses_all(pod) {
            trail.say("server", || "the proxy has refused its inbound listener, so nothing listens".to_owned());
            return only(trail, end);
        }
        self.through(pod, arrival, &guards, request, trail)
    }

    /// A proxy that could not load its inbound listener: connections are refused.
    fn refuses_all(&self, pod: &'m Object) -> Option<End<'m>> {
        if !self.facts.has_refused(pod.namespace(), pod.name(), "virtualInbound") {
            return None;
        }
        let own = self.envoy_filters(pod).first().copied();
        let end = End::new(Ending::Refused, Answerer::Nobody).reaching(pod);
        let remedy = own.map(|filter| format!("Remove or correct {}.", filter.origin()));
        let end = end.decided_if(own.map(|filter| By::new(filter, "spec.configPatches")));
        Some(match remedy {
            Some(remedy) => end.remedy(remedy),
            None => end,
        })
    }

    fn envoy_filters(&self, pod: &'m Object) -> Vec<&'m Object> {
        let root = self.mesh.config_of(pod.namespace()).root_namespace.as_str();
        let mut places = vec![pod.namespace()];
        if root != pod.namespace() {
            places.push(root);
        }
        let all = places.into_iter().flat_map(|place| self.mesh.in_namespace(Kind::EnvoyFilter, place));
        let selects =
            |filter: &&Object| labels::matches(filter.spec().path(&["workloadSelector", "labels"]), pod.labels());
        all.filter(selects).collect()
    }

    fn guards_of(&self, pod: &'m Object, port: u16) -> Guards<'m> {
        let workload = Workload::of_pod(pod);
        let number = i64::from(port);
        let inbound = self.mesh.inbound_ports(pod);
        let own = inbound.iter().find(|inbound| inbound.number == number);
        let mut reading = match own.map(|own| own.protocol) {
            Some(Some(protocol)) if protocol::is_http(protocol) => Reading::Http,
            Some(Some(_)) => Reading::Tcp,
            Some(None) | None => Reading::Sniffed,
        };
        let mut target = port;
        if let Some(sidecar) = self.mesh.sidecar_scope(workload) {
            let mut listeners = sidecar.spec().get("ingress").items();
            let listener = listeners.find(|it| it.path(&["port", "number"]).integer() == number);
            if let Some(listener) = listener {
                let named = listener.path(&["port", "protocol"]).text().to_ascii_uppercase();
                reading = match named.as_str() {
                    "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" => Reading::Http,
                    "" => Reading::Sniffed,
                    _ => Reading::Tcp,
                };
                let endpoint = listener.field("defaultEndpoint").text();
                target = endpoint.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(port);
            }
        }
        let mut filters = self.envoy_filters(pod);
        filters.retain(|filter| touches_inbound(filter));
        filters.extend(self.mesh.policies(Kind::WasmPlugin, workload).iter());
        let front = if is_gateway(pod) {
            Front::Gateway
        } else if Proxy::of(pod).is_none() || pod.spec().field("hostNetwork").truth() {
            Front::WithoutProxy
        } else if is_excluded(pod, port) {
            Front::Excluded
        } else {
            Front::Proxy
        };
        Guards {
            front,
            mutual_tls: self.mesh.mutual_tls(workload, Some(number)),
            reading,
            authentications: self.mesh.policies(Kind::RequestAuthentication, workload).iter().collect(),
            policies: self.mesh.policies(Kind::AuthorizationPolicy, workload).iter().collect(),
            filters,
            target,
            is_declared: declares(pod, target),
        }
    }

    fn through(
        &self,
        pod: &'m Object,
        arrival: &Arrival<'m>,
        guards: &Arc<Guards<'m>>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let refused = |trail: Trail, by: Option<By<'m>>, remedy: String| {
            let end = End::new(Ending::Reset, Answerer::ServerProxy).flag("NR").detail("filter_chain_not_found");
            only(trail, end.reaching(pod).decided_if(by).remedy(remedy))
        };
        let mode = guards.mutual_tls.mode;
        let policy = guards.mutual_tls.policy.map(|policy| {
            let mut levels = policy.spec().field("portLevelMtls").entries();
            let is_for_port = levels.any(|(port, _)| port.parse() == Ok(arrival.port));
            By::new(policy, if is_for_port { "spec.portLevelMtls" } else { "spec.mtls.mode" })
        });
        if mode == MutualTls::Strict && arrival.transport != Transport::Mutual {
            let what =
                if arrival.transport == Transport::Plain { "plain text" } else { "TLS without the mesh's certificate" };
            let says = || format!("{} takes mutual TLS only, and this is {what}", pod.full_name());
            match &policy {
                Some(by) => trail.say_by("server", by, says),
                None => trail.say("server", says),
            }
            let remedy = match &arrival.transport_by {
                Some(by) => format!("Set the TLS mode of {} to ISTIO_MUTUAL, or remove it.", by.object.origin()),
                None => "Give the client a sidecar.".to_owned(),
            };
            return refused(trail, arrival.transport_by.clone().or(policy), remedy);
        }
        if arrival.transport == Transport::Mutual
            && let Some(source) = arrival.source
            && self
                .facts
                .are_strangers((source.object.namespace(), source.object.name()), (pod.namespace(), pod.name()))
        {
            trail.say("server", || "the two proxies trust no authority in common".to_owned());
            let end = End::new(Ending::TlsFailed, Answerer::ServerProxy).reaching(pod);
            let remedy = "Give both control planes the same root certificate, or certificates under a common one.";
            return only(trail, end.remedy(remedy.to_owned()));
        }
        if mode == MutualTls::Disable && arrival.transport == Transport::Mutual {
            trail.say("server", || format!("{} takes plain text only", pod.full_name()));
            return only(trail, End::new(Ending::TlsFailed, Answerer::ServerProxy).reaching(pod).decided_if(policy));
        }
        let reading = self.reading(arrival, guards.reading, request);
        if guards.reading == Reading::Http
            && matches!(arrival.transport, Transport::ApplicationTls | Transport::Originated)
        {
            trail.say("server", || format!("{} expects HTTP here, and this is TLS", pod.full_name()));
            return refused(
                trail,
                arrival.transport_by.clone(),
                "Name the port for what the application speaks.".to_owned(),
            );
        }
        for filter in &guards.filters {
            trail.doubt(|| format!("what {} does is not known", filter.origin()));
        }
        if reading == Reading::Http && matches!(request.protocol, Protocol::Tcp | Protocol::Tls) {
            trail.doubt(|| "the proxy reads HTTP here, and the client sends something else".to_owned());
            return only(trail, End::new(Ending::Reset, Answerer::ServerProxy).flag("DPE").reaching(pod));
        }
        if let Some(end) = self.guarded(pod, arrival, guards, reading == Reading::Http, request, &mut trail) {
            return only(trail, end);
        }
        self.application(pod, guards, reading, trail)
    }

    /// As what the server's proxy takes the bytes. What a client's proxy reads as HTTP it announces as such, unless istiod was
    /// told to leave that out.
    fn reading(&self, arrival: &Arrival<'m>, reading: Reading, request: &Request) -> Reading {
        if reading != Reading::Sniffed {
            return reading;
        }
        let is_http = match arrival.transport {
            Transport::Plain => request.protocol == Protocol::Http,
            Transport::Mutual => arrival.reads_http && self.announces_http(),
            Transport::ApplicationTls | Transport::Originated => false,
        };
        if is_http { Reading::Http } else { Reading::Tcp }
    }

    fn announces_http(&self) -> bool {
        !self.mesh.istiods().any(|istiod| istiod.variable("PILOT_ENABLE_ALPN_FILTER") == Some("false"))
    }

    /// What tokens and policies say; none where they let it pass.
    fn guarded(
        &self,
        pod: &'m Object,
        arrival: &Arrival<'m>,
        guards: &Guards<'m>,
        is_http: bool,
        request: &Request,
        trail: &mut Trail,
    ) -> Option<End<'m>> {
        let account = arrival.source.filter(|_| arrival.transport == Transport::Mutual);
        let peer = Peer {
            account: account.map(|caller| (caller.namespace(), caller.account)),
            address: arrival.address,
            remote: arrival.address,
        };
        self.policed(
            &guards.authentications,
            &guards.policies,
            arrival.port,
            is_http,
            &peer,
            request,
            trail,
            Answerer::ServerProxy,
        )
        .map(|end| end.reaching(pod))
    }

    /// What tokens and policies at a proxy say; none where they let the request pass.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the question")]
    pub(crate) fn policed(
        &self,
        authentications: &[&'m Object],
        policies: &[&'m Object],
        port: u16,
        is_http: bool,
        peer: &Peer<'m>,
        request: &Request,
        trail: &mut Trail,
        by_whom: Answerer,
    ) -> Option<End<'m>> {
        let mut has_valid_token = false;
        if is_http {
            match self.judge_token(authentications, request) {
                Verdict::None => {}
                Verdict::Valid => has_valid_token = true,
                Verdict::Refused { status, detail, by } => {
                    trail.say_by("server", &by, || format!("refuses the token: {}", detail.replace('_', " ")));
                    let end = End::new(Ending::Status(status), by_whom)
                        .detail(format!("jwt_authn_access_denied{{{detail}}}"));
                    return Some(
                        end.decided_if(Some(by)).remedy("Send a token that the issuer named there has signed.".into()),
                    );
                }
            }
        }
        let asked = Asked { trust_domains: &self.trust_domains, peer, request, port, is_http, has_valid_token };
        match authorization::decide(policies, &asked) {
            Decision::Allowed => None,
            Decision::Elsewhere(by) => {
                trail.unknown(|| format!("the authorizer that {} names decides", by.object.origin()));
                None
            }
            Decision::Denied { by, detail } => {
                let who = peer.account.map_or_else(
                    || "a caller without identity".to_owned(),
                    |(namespace, account)| format!("{namespace}/{account}"),
                );
                let why = if detail == "none" { "is allowed by no rule" } else { "is denied" };
                trail.say_by("server", &by, || format!("{who} {why}"));
                let ending = if is_http { Ending::Status(403) } else { Ending::Reset };
                let remedy = if detail == "none" {
                    format!("Add a rule to {} that allows this caller, if it should be allowed.", by.object.origin())
                } else {
                    format!("Change {}, if this caller should be allowed.", by.object.origin())
                };
                let detail: Cow<'static, str> = format!("rbac_access_denied_matched_policy[{detail}]").into();
                Some(End::new(ending, by_whom).detail(detail).decided_if(Some(by)).remedy(remedy))
            }
        }
    }

    /// Behind the proxy.
    fn application(&self, pod: &'m Object, guards: &Guards<'m>, reading: Reading, mut trail: Trail) -> Branches<'m> {
        if guards.is_declared == Some(false) {
            let port = guards.target;
            trail.say("application", || format!("no container of {} declares port {port}", pod.full_name()));
            trail.doubt(|| format!("a container may listen on port {port} without declaring it"));
            let end = if reading == Reading::Http {
                let detail = "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}";
                End::new(Ending::Status(503), Answerer::ServerProxy).flag("URX,UF").detail(detail)
            } else {
                End::new(Ending::Reset, Answerer::ServerProxy).flag("UF,URX")
            };
            let service = self.mesh.inbound_ports(pod).into_iter().find(|it| it.number == i64::from(port));
            let end = match service {
                Some(inbound) => end.decided(inbound.service, "spec.ports targetPort"),
                None => end,
            };
            return only(
                trail,
                end.reaching(pod).remedy("Point targetPort to a port on which the container listens.".into()),
            );
        }
        trail.say("application", || format!("{} gets it", self.mesh.workload_of(pod).full_name()));
        only(trail, End::new(Ending::Delivered, Answerer::Application).reaching(pod))
    }

    fn without_proxy(
        &self,
        pod: &'m Object,
        arrival: &Arrival<'m>,
        guards: &Guards<'m>,
        mut trail: Trail,
    ) -> Branches<'m> {
        if arrival.transport == Transport::Mutual {
            trail.say("server", || "nothing there speaks mutual TLS".to_owned());
            let end = End::new(Ending::TlsFailed, Answerer::Application).reaching(pod);
            return only(trail, end.decided_if(arrival.transport_by.clone()));
        }
        let port = arrival.port;
        if port == AGENT {
            return only(trail, End::new(Ending::Delivered, Answerer::Application).reaching(pod));
        }
        if guards.is_declared == Some(false) {
            trail.say("application", || format!("no container of {} declares port {port}", pod.full_name()));
            trail.doubt(|| format!("a container may listen on port {port} without declaring it"));
            return only(trail, End::new(Ending::Refused, Answerer::Nobody).reaching(pod));
        }
        trail.say("application", || format!("{} gets it", self.mesh.workload_of(pod).full_name()));
        only(trail, End::new(Ending::Delivered, Answerer::Application).reaching(pod))
    }
}

/// Whether traffic to a port is kept from the proxy
/// (<https://istio.io/latest/docs/reference/config/annotations/#SidecarTrafficExcludeInboundPorts>).
fn is_excluded(pod: &Object, port: u16) -> bool {
    let list = |key: &str| pod.annotation(&format!("traffic.sidecar.istio.io/{key}"));
    let has = |list: &str| list.split(',').any(|it| it.trim().parse() == Ok(port));
    let excluded = list("excludeInboundPorts").is_some_and(has) || port == AGENT;
    let included = list("includeInboundPorts").is_none_or(|list| list.trim() == "*" || has(list));
    excluded || !included
}

/// Whether an `EnvoyFilter` may change what happens to requests that come in: some patch is for that side, or for any.
fn touches_inbound(filter: &Object) -> bool {
    filter.spec().field("configPatches").items().any(|patch: View<'_>| {
        let is_filter = matches!(
            patch.field("applyTo").text(),
            "HTTP_FILTER"
                | "NETWORK_FILTER"
                | "FILTER_CHAIN"
                | "LISTENER"
                | "HTTP_ROUTE"
                | "VIRTUAL_HOST"
                | "ROUTE_CONFIGURATION"
        );
        let context = patch.get("match").get("context").text();
        is_filter && matches!(context, "" | "ANY" | "SIDECAR_INBOUND")
    })
}
