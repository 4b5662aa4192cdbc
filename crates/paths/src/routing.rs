//! What a rule of a `VirtualService` does with a request: answers it, fails it on purpose, changes it, sends it on
//! (<https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRoute>).

use crate::answer::{Answerer, Ending};
use crate::matching::{self, Place};
use crate::network::Network;
use crate::request::Request;
use crate::sender::Sender;
use crate::trail::{Branches, By, End, Trail, only, weighted};
use mesh::{Kind, Object, View, host};

/// A rule, and the object that it stands in.
#[derive(Debug, Clone)]
pub(crate) struct Rule<'m> {
    pub object: &'m Object,
    pub view: View<'m>,
    /// The way to it.
    pub path: String,
    /// The match that took the request.
    pub matched: View<'m>,
}

impl<'m> Network<'m> {
    /// The first rule of a `VirtualService` that takes a request. Rules that another one is delegated to count in its place.
    pub(crate) fn rule_of(&self, service: &'m Object, place: &Place<'_>, request: &Request) -> Option<Rule<'m>> {
        for (view, index) in service.spec().get("http").items().zip(0..) {
            let Some(matched) = matching::rule_takes(view, service.namespace(), place, request) else { continue };
            if matched.is_empty() && !applies_by_default(service, place) {
                continue;
            }
            if matched.get("gateways").is_empty() && !applies_by_default(service, place) {
                continue;
            }
            let delegate = view.get("delegate");
            if delegate.is_map() {
                let namespace = delegate.get("namespace").text_if_any().unwrap_or(service.namespace());
                let found = self.mesh.find(Kind::VirtualService, namespace, delegate.get("name").text());
                let Some(target) = found else { continue };
                let rules = target.spec().get("http").items().zip(0..);
                let mut taken = rules.filter_map(|(view, index)| {
                    let matched = matching::rule_takes(view, namespace, place, request)?;
                    Some(Rule { object: target, view, path: format!("spec.http[{index}]"), matched })
                });
                if let Some(rule) = taken.next() {
                    return Some(rule);
                }
                continue;
            }
            return Some(Rule { object: service, view, path: format!("spec.http[{index}]"), matched });
        }
        None
    }

    /// What the rule does with the request.
    pub(crate) fn apply(
        &self,
        sender: &Sender<'m>,
        port: u16,
        rule: &Rule<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let by = By::new(rule.object, rule.path.clone());
        let (view, path) = (rule.view, &rule.path);
        if view.get("redirect").is_map() {
            let code = view.path(&["redirect", "redirectCode"]).integer();
            let status = u16::try_from(code).ok().filter(|code| *code != 0).unwrap_or(301);
            trail.say_by("route", &by, || format!("redirects with {status}"));
            let end = End::new(Ending::Status(status), sender.answerer()).detail("direct_response");
            return only(trail, end.decided(rule.object, format!("{path}.redirect")));
        }
        let direct = view.field("directResponse");
        if direct.is_map() {
            let status = u16::try_from(direct.get("status").integer()).unwrap_or(503);
            trail.say_by("route", &by, || format!("answers {status} itself"));
            let end = End::new(Ending::Status(status), sender.answerer()).detail("direct_response");
            return only(trail, end.decided(rule.object, format!("{path}.directResponse")));
        }
        let aborted = self.abort(sender, rule, &trail);
        let rest = 1.0 - aborted.as_ref().map_or(0.0, |(share, _)| *share);
        let mut branches = aborted.map(|(_, branches)| branches).unwrap_or_default();
        if rest > 0.0 {
            let changed = rewritten(rule, request);
            let request = changed.as_ref().unwrap_or(request);
            branches.extend(weighted(self.destinations(sender, port, rule, request, trail), rest));
        }
        branches
    }

    /// The requests that a fault fails on purpose.
    fn abort(&self, sender: &Sender<'m>, rule: &Rule<'m>, trail: &Trail) -> Option<(f64, Branches<'m>)> {
        let abort = rule.view.get("fault").get("abort");
        let status = abort.field("httpStatus");
        if !abort.is_map() || !status.is_set() {
            return None;
        }
        let percentage = abort.path(&["percentage", "value"]);
        let percent = if percentage.is_set() { percentage.number() } else { abort.field("percent").number() };
        let share = (percent / 100.0).clamp(0.0, 1.0);
        if share == 0.0 {
            return None;
        }
        let field = format!("{}.fault.abort", rule.path);
        let by = By::new(rule.object, field.clone());
        let mut trail = trail.clone();
        let status = u16::try_from(status.integer()).unwrap_or(503);
        trail.say_by("route", &by, || format!("fails {percent} % of the requests with {status} on purpose"));
        let end = End::new(Ending::Status(status), sender.answerer()).flag("FI").detail("fault_filter_abort");
        let end = end.decided(rule.object, field).remedy(format!("Remove the fault from {}.", rule.object.origin()));
        let branches = weighted(only(trail, end), share).collect();
        Some((share, branches))
    }

    fn destinations(
        &self,
        sender: &Sender<'m>,
        port: u16,
        rule: &Rule<'m>,
        request: &Request,
        trail: Trail,
    ) -> Branches<'m> {
        let routes: Vec<View<'m>> = rule.view.get("route").items().collect();
        if routes.is_empty() {
            let end = End::new(Ending::Status(404), sender.answerer()).flag("NR").detail("route_not_found");
            return only(trail, end.decided(rule.object, rule.path.clone()));
        }
        let weight = |route: &View<'_>| route.get("weight").number();
        let total: f64 = routes.iter().map(weight).sum();
        let mut branches = Vec::new();
        for (index, route) in routes.iter().enumerate() {
            let share = if total > 0.0 {
                weight(route) / total
            } else if routes.len() == 1 {
                1.0
            } else {
                0.0
            };
            if share == 0.0 {
                continue;
            }
            let by = By::new(rule.object, format!("{}.route[{index}].destination", rule.path));
            let mut trail = trail.clone();
            let destination = route.get("destination");
            let name = host::fqdn(rule.object.namespace(), destination.get("host").text());
            let subset = destination.get("subset").text_if_any().filter(|subset| !subset.is_empty());
            trail.say_by("route", &by, || {
                let part = subset.map(|subset| format!(" subset {subset}")).unwrap_or_default();
                let percent = if share < 1.0 { format!("{:.0} % ", share * 100.0) } else { String::new() };
                format!("{percent}to {name}{part}")
            });
            let wanted = destination.get("port").get("number").integer_if_any().and_then(|it| u16::try_from(it).ok());
            branches.extend(weighted(self.to_host(sender, &name, wanted, port, subset, &by, request, trail), share));
        }
        branches
    }

    /// Sends to a host that a route names. Without a port it is the service's only one, or that of the listener.
    #[expect(clippy::too_many_arguments, reason = "each is one part of a destination")]
    pub(crate) fn to_host(
        &self,
        sender: &Sender<'m>,
        name: &str,
        wanted: Option<u16>,
        listener: u16,
        subset: Option<&str>,
        by: &By<'m>,
        request: &Request,
        mut trail: Trail,
    ) -> Branches<'m> {
        let found = self.known_service(&sender.scope, name);
        let service = found.map(|at| &self.services[at]);
        let port = wanted.or_else(|| match service {
            Some(service) if service.ports.len() == 1 => service.ports.first().map(|port| port.number),
            _ => None,
        });
        let port = port.unwrap_or(listener);
        let Some(at) = found.filter(|at| self.services[*at].port(port).is_some()) else {
            let why = match service {
                None if self.of_host(name).is_empty() => format!("no Service or ServiceEntry has the host {name}"),
                None => format!("{name} is not visible to this proxy"),
                Some(_) => format!("{name} has no port {port}"),
            };
            trail.say("cluster", || why);
            let end = sender.ends(503).flag("NC").detail("cluster_not_found").decided_if(Some(by.clone()));
            let remedy = format!("Correct the destination in {}, or create what it names.", by.object.origin());
            return only(trail, end.remedy(remedy));
        };
        self.to_cluster(sender, at, port, subset, Some(by), request, trail)
    }

    /// A proxy that has no route for a request.
    pub(crate) fn no_route(&self, by: Answerer, why: Option<By<'m>>, trail: Trail) -> Branches<'m> {
        let end = End::new(Ending::Status(404), by).flag("NR").detail("route_not_found");
        only(trail, end.decided_if(why))
    }
}

/// Whether rules that name no gateways hold at a place.
fn applies_by_default(service: &Object, place: &Place<'_>) -> bool {
    let gateways = service.spec().get("gateways");
    if gateways.is_empty() {
        return place.gateways.is_none();
    }
    gateways.texts().any(|gateway| place.is_named(gateway, service.namespace()))
}

/// The request as it goes on, where the rule changes it.
fn rewritten(rule: &Rule<'_>, request: &Request) -> Option<Request> {
    let rewrite = rule.view.get("rewrite");
    let headers = rule.view.get("headers").get("request");
    if !rewrite.is_map() && !headers.is_map() {
        return None;
    }
    let mut request = request.clone();
    if let Some(authority) = rewrite.get("authority").text_if_any() {
        request.authority = Some(authority.to_owned());
    }
    if let Some(uri) = rewrite.get("uri").text_if_any() {
        let path = request.path_only().to_owned();
        let query = request.path[path.len()..].to_owned();
        let prefix = rule.matched.get("uri").get("prefix").text_if_any();
        let rest = prefix.and_then(|prefix| path.strip_prefix(prefix));
        request.path = match rest {
            Some(rest) => format!("{uri}{rest}{query}"),
            None if prefix.is_none() && rule.matched.get("uri").is_map() => format!("{uri}{query}"),
            None => format!("{uri}{}{query}", path.trim_start_matches('/')),
        };
    }
    let pattern = rewrite.field("uriRegexRewrite");
    if let Ok(regex) = regex::Regex::new(pattern.get("match").text())
        && pattern.is_map()
    {
        // Envoy writes groups as `\1`.
        let text = pattern.get("rewrite").text();
        let text = regex::Regex::new(r"\\(\d)").map_or(text.into(), |group| group.replace_all(text, "$${$1}"));
        request.path = regex.replace_all(&request.path, text.as_ref()).into_owned();
    }
    for name in headers.get("remove").texts() {
        request.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }
    for field in ["set", "add"] {
        for (name, value) in headers.get(field).entries() {
            if name.eq_ignore_ascii_case(":authority") || name.eq_ignore_ascii_case("host") {
                request.authority = Some(value.written().to_owned());
            } else {
                request.headers.push((name.to_owned(), value.written().to_owned()));
            }
        }
    }
    Some(request)
}
