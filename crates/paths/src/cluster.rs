//! The cluster behind a destination: the `DestinationRule` in force, its subset, TLS towards the server, the endpoints.

use crate::answer::{Answerer, Ending};
use crate::locality;
use crate::names::{Dial, Dialled};
use crate::network::Network;
use crate::request::Request;
use crate::sender::{Layer, Sender};
use crate::server::{Arrival, Transport};
use crate::services::{Endpoint, Port, Service, Sort};
use crate::trail::{Branches, By, End, Trail, only, weighted};
use mesh::{MutualTls, Object, View, Workload, labels};

/// A part of a `DestinationRule`, with the way to it.
type Part<'m> = Option<(&'m Object, View<'m>, String)>;

/// What the rules in force say about a port of a service.
#[derive(Debug, Default)]
pub(crate) struct Policy<'m> {
    /// The `tls` block.
    tls: Part<'m>,
    pub locality: Part<'m>,
    pub has_outlier_detection: bool,
}

impl<'m> Network<'m> {
    /// What is in force for a port of a subset: the port's settings over those of the whole, the subset's over the host's
    /// (<https://istio.io/latest/docs/reference/config/networking/destination-rule/#TrafficPolicy>).
    fn policy(&self, rules: &[&'m Object], subset: Part<'m>, port: u16) -> Policy<'m> {
        let mut policy = Policy::default();
        let whole = rules.iter().find(|rule| rule.spec().field("trafficPolicy").is_map());
        let levels = [
            subset.map(|(rule, view, path)| (rule, view.field("trafficPolicy"), format!("{path}.trafficPolicy"))),
            whole.map(|rule| (*rule, rule.spec().field("trafficPolicy"), "spec.trafficPolicy".to_owned())),
        ];
        for (rule, view, path) in levels.into_iter().flatten() {
            let ports = view.field("portLevelSettings").items().zip(0..);
            let mut own = ports.filter(|(it, _)| it.path(&["port", "number"]).integer() == i64::from(port));
            let (view, path) = match own.next() {
                // Settings of a port take nothing from those above them.
                Some((own, index)) => (own, format!("{path}.portLevelSettings[{index}]")),
                None => (view, path),
            };
            if policy.tls.is_none() && view.get("tls").is_map() {
                policy.tls = Some((rule, view.get("tls"), format!("{path}.tls")));
            }
            let spread = view.path(&["loadBalancer", "localityLbSetting"]);
            if policy.locality.is_none() && spread.is_map() {
                policy.locality = Some((rule, spread, format!("{path}.loadBalancer.localityLbSetting")));
            }
            policy.has_outlier_detection |= view.field("outlierDetection").is_map();
        }
        policy
    }

    /// Sends to a port of a service that the proxy knows.
    #[expect(clippy::too_many_arguments, reason = "each is one part of a destination")]
    pub(crate) fn to_cluster(
        &self,
        sender: &Sender<'m>,
        at: usize,
        number: u16,
        subset: Option<&str>,
        by: Option<&By<'m>>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let service = &self.services[at];
        let rules = self.rules.for_host(sender.scope.namespace, &service.host, Some(service.namespace()));
        let mut part: Part<'m> = None;
        if let Some(name) = subset {
            let subsets =
                rules.iter().flat_map(|rule| rule.spec().get("subsets").items().zip(0..).map(move |it| (*rule, it)));
            let mut named = subsets.filter(|(_, (view, _))| view.get("name").text() == name);
            let Some((rule, (view, index))) = named.next() else {
                trail.say("cluster", || {
                    format!("no DestinationRule in force defines subset {name} of {}", service.host)
                });
                let end = sender.ends(503).flag("NC").detail("cluster_not_found").decided_if(by.cloned());
                let remedy =
                    format!("Define subset {name} in a DestinationRule for {}, or route to one that is.", service.host);
                return only(trail, end.remedy(remedy));
            };
            part = Some((rule, view, format!("spec.subsets[{index}]")));
        }
        let subset_labels = part.as_ref().map_or(View::MISSING, |(_, view, _)| view.get("labels"));
        let policy = self.policy(&rules, part, number);
        if let Some((rule, _, path)) = &policy.tls {
            let by = By::new(rule, path.clone());
            let mode = policy.tls.as_ref().map_or("", |(_, tls, _)| tls.get("mode").text());
            trail.say_by("cluster", &by, || format!("TLS mode {mode} towards {}", service.host));
        }
        if service.sort == Sort::Original {
            return self.to_original(sender, service, request, trail);
        }
        let Some(port) = service.port(number) else { return only(trail, sender.ends(503).flag("NC")) };
        let cluster = format!("outbound|{number}|{}|{}", subset.unwrap_or_default(), service.host);
        self.to_endpoints(sender, service, port, &cluster, subset_labels, &policy, request, trail)
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of a cluster")]
    fn to_endpoints(
        &self,
        sender: &Sender<'m>,
        service: &Service<'m>,
        port: &Port<'m>,
        cluster: &str,
        subset: View<'_>,
        policy: &Policy<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let all = service.endpoints(self.mesh);
        let keeps_address = service.sort == Sort::Headless && !sender.is_gateway;
        let is_meant = |endpoint: &Endpoint<'m>| match sender.dialled.filter(|_| keeps_address) {
            Some(pod) => endpoint.pod().is_some_and(|own| std::ptr::eq(own, pod)),
            None => endpoint.is_ready,
        };
        let target_of = |endpoint: &Endpoint<'m>| if keeps_address { Some(port.number) } else { endpoint.port(port) };
        let object = sender.caller.object;
        let chosen: Vec<(&Endpoint<'m>, f64)> = all
            .iter()
            .filter(|endpoint| {
                is_meant(endpoint) && labels::matches(subset, endpoint.labels) && self.resolves(endpoint)
            })
            .map(|endpoint| (endpoint, endpoint.weight))
            .collect();
        let is_ejected = |(endpoint, _): &(&Endpoint<'m>, f64)| {
            target_of(endpoint).is_some_and(|target| {
                let address = format!("{}:{target}", endpoint.address);
                self.facts.is_ejected(object.namespace(), object.name(), cluster, &address)
            })
        };
        let (put_aside, mut chosen): (Vec<_>, Vec<_>) = chosen.into_iter().partition(is_ejected);
        let ejected = put_aside.len();
        let spread = locality::spread(self, &sender.caller, policy, &mut chosen);
        trail.say("endpoints", || {
            let ejected =
                if ejected > 0 { format!(", {ejected} put aside by outlier detection") } else { String::new() };
            format!("{} of {} endpoints of {cluster} can be used{ejected}", chosen.len(), all.len())
        });
        if chosen.is_empty() {
            let end = sender.ends(503).flag("UH").detail("no_healthy_upstream");
            let end = end.decided(service.object, if all.is_empty() { "spec.selector" } else { "" });
            let end = match spread {
                Some(by) => end
                    .decided_if(Some(by))
                    .remedy("Name a locality where endpoints run, or remove `distribute`.".into()),
                None if ejected > 0 => {
                    let rule = policy
                        .has_outlier_detection
                        .then(|| self.rules.for_host(sender.scope.namespace, &service.host, Some(service.namespace())));
                    let rule = rule.and_then(|rules| rules.first().copied());
                    end.decided_if(rule.map(|rule| By::new(rule, "spec.trafficPolicy.outlierDetection")))
                }
                None => end.remedy(format!("Find out why no pod of {} is ready.", service.object.origin())),
            };
            // They come back after a while, and then it may go well.
            let mut later = Vec::new();
            for (endpoint, _) in put_aside {
                let Some(target) = target_of(endpoint) else { continue };
                let mut trail = trail.clone();
                trail.doubt(|| "outlier detection lets endpoints back after a while".to_owned());
                later.extend(weighted(self.to_endpoint(sender, endpoint, target, policy, request, trail), 0.0));
            }
            let mut branches = only(trail, end);
            branches.append(&mut later);
            return branches;
        }
        if policy.has_outlier_detection && chosen.len() == 1 {
            trail.say("endpoints", || "outlier detection may put the only endpoint aside after errors".to_owned());
        }
        let total: f64 = chosen.iter().map(|(_, weight)| weight).sum();
        let mut branches = Vec::new();
        for (endpoint, weight) in chosen {
            let Some(target) = target_of(endpoint) else { continue };
            let end = self.to_endpoint(sender, endpoint, target, policy, request, trail.clone());
            branches.extend(weighted(end, weight / total));
        }
        branches
    }

    fn to_endpoint(
        &self,
        sender: &Sender<'m>,
        endpoint: &Endpoint<'m>,
        port: u16,
        policy: &Policy<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let (transport, by) = self.transport(endpoint, port, policy, request, &mut trail);
        let arrival = Arrival {
            port,
            transport,
            transport_by: by,
            source: Some(sender.caller),
            address: sender.caller.address(),
            is_past_proxy: false,
            reads_http: sender.layer == Layer::Http,
        };
        let branches = match endpoint.pod() {
            Some(pod) => self.arrive(pod, arrival, request, trail),
            None => self.to_address(endpoint, arrival, request, trail),
        };
        branches.into_iter().map(|branch| crate::trail::Branch { end: sender.relay(branch.end), ..branch }).collect()
    }

    /// To an endpoint that is only an address or a name, which may still be one of the cluster.
    fn to_address(
        &self,
        endpoint: &Endpoint<'m>,
        arrival: Arrival<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        if let Some(pod) = endpoint.address.parse().ok().and_then(|address| self.pod_at(address)) {
            return self.arrive(pod, arrival, request, trail);
        }
        let named = self.in_cluster(endpoint.object.namespace(), &endpoint.address);
        if let Some(Dialled::Service(at) | Dialled::Headless(at)) = named
            && arrival.transport != Transport::Originated
        {
            let address = self.services[at].addresses.first().copied();
            let dial = Dial { to: Dialled::Service(at), address, port: arrival.port };
            return self.direct(&dial, arrival.source, arrival.address, None, request, trail);
        }
        trail.say("endpoints", || format!("leaves the cluster to {}:{}", endpoint.address, arrival.port));
        only(trail, End::new(Ending::Delivered, Answerer::Outside).reaching(endpoint.object))
    }

    /// What the connection to an endpoint looks like: as the rule says, else mutual TLS where the other side takes it
    /// (<https://istio.io/latest/docs/ops/configuration/traffic-management/tls-configuration/#auto-mtls>).
    fn transport(
        &self,
        endpoint: &Endpoint<'m>,
        port: u16,
        policy: &Policy<'m>,
        request: &Request,
        trail: &mut Trail,
    ) -> (Transport, Option<By<'m>>) {
        let as_sent = if request.protocol.is_tls() { Transport::ApplicationTls } else { Transport::Plain };
        if let Some((rule, tls, path)) = &policy.tls {
            let by = Some(By::new(rule, format!("{path}.mode")));
            return match tls.get("mode").text() {
                "ISTIO_MUTUAL" => (Transport::Mutual, by),
                "SIMPLE" | "MUTUAL" => (Transport::Originated, by),
                _ => (as_sent, by),
            };
        }
        let setting = self.mesh.config().setting(&["enableAutoMtls"]);
        if setting.value.written() == "false" || !endpoint.takes_mutual_tls() {
            return (as_sent, None);
        }
        if let Some(pod) = endpoint.pod() {
            let decision = self.mesh.mutual_tls(Workload::of_pod(pod), Some(i64::from(port)));
            if decision.mode == MutualTls::Disable {
                trail.say("cluster", || "plain text, since the server takes no mutual TLS".to_owned());
                return (as_sent, None);
            }
        }
        (Transport::Mutual, None)
    }

    /// Whether an endpoint that is a name resolves.
    fn resolves(&self, endpoint: &Endpoint<'m>) -> bool {
        if endpoint.address.parse::<std::net::IpAddr>().is_ok() || endpoint.pod().is_some() {
            return true;
        }
        if self.in_cluster(endpoint.object.namespace(), &endpoint.address).is_some() {
            return true;
        }
        self.facts.addresses_of(&endpoint.address).is_none_or(|addresses| !addresses.is_empty())
    }

    /// A `ServiceEntry` that leaves the address as it was dialled.
    fn to_original(
        &self,
        sender: &Sender<'m>,
        service: &Service<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        trail.say("endpoints", || format!("goes on to the address that was dialled ({})", service.object.origin()));
        let _ = (sender, request);
        only(trail, End::new(Ending::Delivered, Answerer::Outside).reaching(service.object))
    }
}
