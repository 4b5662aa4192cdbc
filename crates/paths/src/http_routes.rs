//! Routes of the Gateway API, at gateways and for Services
//! (<https://gateway-api.sigs.k8s.io/reference/spec/#httproute>).

use crate::answer::Ending;
use crate::gates::{Gate, nearness};
use crate::gateway::{by_exactness, value_takes};
use crate::matching::{self, Place};
use crate::network::Network;
use crate::request::Request;
use crate::sender::Sender;
use crate::services::Service;
use crate::trail::{Branches, By, End, Trail, only, weighted};
use crate::walk::host_of;
use mesh::{Kind, Object, View, host, labels};

const GROUP: &str = "gateway.networking.k8s.io";

/// A rule that takes a request.
struct Taken<'m> {
    route: &'m Object,
    rule: View<'m>,
    path: String,
    matched: View<'m>,
}

fn or<'v>(view: View<'v>, default: &'v str) -> &'v str {
    view.text_if_any().filter(|text| !text.is_empty()).unwrap_or(default)
}

impl<'m> Network<'m> {
    /// By the routes at the listeners of a Gateway of the Gateway API; none where there is no such listener for the host.
    pub(crate) fn by_kubernetes_routes(
        &self,
        sender: &Sender<'m>,
        gates: &[&Gate<'m>],
        _port: u16,
        request: &Request,
        trail: &Trail,
    ) -> Option<Branches<'m>> {
        let name = host_of(&request.authority());
        let own = gates.iter().filter(|gate| gate.listener.is_some() && gate.nearness(&name).is_some());
        let gate = own.max_by_key(|gate| gate.nearness(&name))?;
        let mut found: Vec<(usize, &'m Object)> = Vec::new();
        for kind in [Kind::HttpRoute, Kind::GrpcRoute] {
            for route in self.mesh.each(kind).filter(|route| self.is_attached(route, gate)) {
                let hosts = route.spec().get("hostnames");
                let near = if hosts.is_empty() {
                    gate.nearness(&name)
                } else {
                    hosts.texts().filter_map(|own| nearness(own, &name)).max()
                };
                found.extend(near.map(|near| (near, route)));
            }
        }
        let best = found.iter().map(|(near, _)| *near).max();
        let mut routes: Vec<&Object> =
            found.into_iter().filter(|(near, _)| Some(*near) == best).map(|(_, route)| route).collect();
        routes.sort_by_key(|route| route.age());
        let mut trail = trail.clone();
        let by = By::new(gate.object, gate.path.clone());
        trail.say_by("gateway", &by, || format!("takes {name} on port {}", gate.number));
        match take(&routes, request) {
            Some(taken) => Some(self.apply_taken(sender, &taken, request, trail)),
            None => {
                let by = routes.first().map_or(by, |route| By::new(route, "spec.rules"));
                trail.say_by("route", &by, || format!("no route takes {} {}", request.method, request.path));
                Some(self.no_route(sender.answerer(), Some(by), trail))
            }
        }
    }

    /// By routes that have a Service as their parent.
    pub(crate) fn by_service_routes(
        &self,
        sender: &Sender<'m>,
        service: &Service<'m>,
        place: &Place<'_>,
        request: &Request,
        trail: &Trail,
    ) -> Option<Branches<'m>> {
        if service.is_entry() {
            return None;
        }
        let names = |route: &&Object| {
            // Routes of the service's namespace are for all; those of another one for callers there.
            let is_for_caller = route.namespace() == service.namespace() || route.namespace() == sender.scope.namespace;
            is_for_caller
                && route.spec().field("parentRefs").items().any(|parent| {
                    let port = parent.get("port").integer();
                    parent.get("kind").text() == "Service"
                        && parent.get("name").text() == service.object.name()
                        && or(parent.get("namespace"), route.namespace()) == service.namespace()
                        && (port == 0 || port == i64::from(place.port))
                })
        };
        let all = [Kind::HttpRoute, Kind::GrpcRoute].into_iter().flat_map(|kind| self.mesh.each(kind));
        let mut routes: Vec<&'m Object> = all.filter(names).collect();
        if routes.is_empty() {
            return None;
        }
        // A caller's own routes go before those of the service.
        let own: Vec<&'m Object> =
            routes.iter().copied().filter(|route| route.namespace() == sender.scope.namespace).collect();
        if !own.is_empty() {
            routes = own;
        }
        routes.sort_by_key(|route| route.age());
        let mut trail = trail.clone();
        match take(&routes, request) {
            Some(taken) => Some(self.apply_taken(sender, &taken, request, trail)),
            None => {
                let by = routes.first().map(|route| By::new(route, "spec.rules"));
                trail.say("route", || format!("no route takes {} {}", request.method, request.path));
                Some(self.no_route(sender.answerer(), by, trail))
            }
        }
    }

    /// By routes for TLS and TCP at a listener.
    pub(crate) fn by_kubernetes_connection(
        &self,
        sender: &Sender<'m>,
        gate: &Gate<'m>,
        request: &Request,
        trail: &Trail,
    ) -> Option<Branches<'m>> {
        gate.listener?;
        let name = request.server_name().unwrap_or_default();
        let all = [Kind::TlsRoute, Kind::TcpRoute].into_iter().flat_map(|kind| self.mesh.each(kind));
        let fits = |route: &&Object| {
            let hosts = route.spec().get("hostnames");
            self.is_attached(route, gate)
                && (hosts.is_empty() || hosts.texts().any(|own| nearness(own, name).is_some()))
        };
        let mut routes: Vec<&'m Object> = all.filter(fits).collect();
        routes.sort_by_key(|route| route.age());
        let mut trail = trail.clone();
        let Some(route) = routes.first() else {
            let by = By::new(gate.object, gate.path.clone());
            trail.say_by("route", &by, || "no route is attached here".to_owned());
            return Some(only(trail, sender.ends(404).flag("NR").decided_if(Some(by))));
        };
        let rule = route.spec().get("rules").items().next().unwrap_or(View::MISSING);
        let taken = Taken { route, rule, path: "spec.rules[0]".to_owned(), matched: View::MISSING };
        Some(self.to_backends(sender, &taken, request, trail))
    }

    /// Whether a route is attached to a listener, and may be.
    fn is_attached(&self, route: &Object, gate: &Gate<'m>) -> bool {
        let Some(listener) = gate.listener else { return false };
        let named = route.spec().field("parentRefs").items().any(|parent| {
            let (section, port) = (parent.field("sectionName").text(), parent.get("port").integer());
            or(parent.get("kind"), "Gateway") == "Gateway"
                && or(parent.get("group"), GROUP) == GROUP
                && parent.get("name").text() == gate.object.name()
                && or(parent.get("namespace"), route.namespace()) == gate.object.namespace()
                && (section.is_empty() || section == listener.name())
                && (port == 0 || port == i64::from(gate.number))
        });
        let namespaces = listener.view.field("allowedRoutes").get("namespaces");
        named
            && match or(namespaces.get("from"), "Same") {
                "All" => true,
                "Selector" => self.mesh.namespace(route.namespace()).is_some_and(|namespace| {
                    labels::selector_matches(namespaces.get("selector"), |key| namespace.label(key))
                }),
                _ => route.namespace() == gate.object.namespace(),
            }
    }

    fn apply_taken(&self, sender: &Sender<'m>, taken: &Taken<'m>, request: &Request, mut trail: Trail) -> Branches<'m> {
        let by = By::new(taken.route, taken.path.clone());
        let mut changed: Option<Request> = None;
        for filter in taken.rule.get("filters").items() {
            match filter.get("type").text() {
                "RequestRedirect" => {
                    let code = filter.field("requestRedirect").field("statusCode").integer();
                    let status = u16::try_from(code).ok().filter(|code| *code != 0).unwrap_or(302);
                    trail.say_by("route", &by, || format!("redirects with {status}"));
                    let end = End::new(Ending::Status(status), sender.answerer()).detail("direct_response");
                    return only(trail, end.decided_if(Some(by)));
                }
                "URLRewrite" => {
                    rewrite(changed.get_or_insert_with(|| request.clone()), filter.field("urlRewrite"), taken.matched)
                }
                "RequestHeaderModifier" => {
                    let request = changed.get_or_insert_with(|| request.clone());
                    let modifier = filter.field("requestHeaderModifier");
                    for name in modifier.get("remove").texts() {
                        request.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
                    }
                    for header in modifier.get("set").items().chain(modifier.get("add").items()) {
                        request
                            .headers
                            .push((header.get("name").text().to_owned(), header.get("value").text().to_owned()));
                    }
                }
                "ExtensionRef" => {
                    trail.doubt(|| format!("{} names an extension, whose effect is not known", taken.route.origin()))
                }
                _ => {}
            }
        }
        self.to_backends(sender, taken, changed.as_ref().unwrap_or(request), trail)
    }

    fn to_backends(&self, sender: &Sender<'m>, taken: &Taken<'m>, request: &Request, trail: Trail) -> Branches<'m> {
        let backends: Vec<View<'m>> = taken.rule.field("backendRefs").items().collect();
        let weight =
            |backend: &View<'_>| backend.get("weight").integer_if_any().map_or(1.0, |_| backend.get("weight").number());
        let total: f64 = backends.iter().map(weight).sum();
        let unusable = |mut trail: Trail, by: By<'m>, why: String| {
            trail.say_by("cluster", &by, || why);
            let end = sender.ends(500).flag("NC").detail("cluster_not_found");
            only(trail, end.decided_if(Some(by)).remedy(format!("Correct the backends of {}.", taken.route.origin())))
        };
        if total <= 0.0 {
            let by = By::new(taken.route, format!("{}.backendRefs", taken.path));
            return unusable(trail, by, "no backend gets any of the requests".to_owned());
        }
        let mut branches = Vec::new();
        for (index, backend) in backends.iter().enumerate().filter(|(_, backend)| weight(backend) > 0.0) {
            let share = weight(backend) / total;
            let by = By::new(taken.route, format!("{}.backendRefs[{index}]", taken.path));
            let mut trail = trail.clone();
            let name = backend.get("name").text();
            let namespace = or(backend.get("namespace"), taken.route.namespace());
            let kind = or(backend.get("kind"), "Service");
            let full = if kind == "Hostname" { name.to_owned() } else { host::fqdn(namespace, name) };
            let port = u16::try_from(backend.get("port").integer()).unwrap_or_default();
            trail.say_by("route", &by, || {
                let percent = if share < 1.0 { format!("{:.0} % ", share * 100.0) } else { String::new() };
                format!("{percent}to {full}:{port}")
            });
            let known = self.of_host(&full).iter().copied().find(|at| self.services[*at].port(port).is_some());
            let ways = if kind != "Service" && kind != "Hostname" {
                unusable(trail, by, format!("{kind} is no backend that Istio knows"))
            } else if namespace != taken.route.namespace() && !self.is_granted(taken.route, namespace, name) {
                unusable(
                    trail,
                    by,
                    format!("no ReferenceGrant in {namespace} lets routes of {} send to it", taken.route.namespace()),
                )
            } else if let Some(at) = known {
                self.to_cluster(sender, at, port, None, Some(&by), request, trail)
            } else {
                unusable(trail, by, format!("there is no {full} with port {port}"))
            };
            branches.extend(weighted(ways, share));
        }
        branches
    }

    fn is_granted(&self, route: &Object, namespace: &str, name: &str) -> bool {
        self.mesh.in_namespace(Kind::ReferenceGrant, namespace).any(|grant| {
            let spec = grant.spec();
            let from = spec.get("from").items().any(|from| {
                from.get("kind").text() == route.kind().name() && from.get("namespace").text() == route.namespace()
            });
            let to = spec.get("to").items().any(|to| {
                to.get("kind").text() == "Service" && (to.get("name").is_empty() || to.get("name").text() == name)
            });
            from && to
        })
    }
}

/// The rule that takes a request: the most exact path, then method, headers, query; then the oldest route and its first rule.
fn take<'m>(routes: &[&'m Object], request: &Request) -> Option<Taken<'m>> {
    let mut found = Vec::new();
    for route in routes {
        for (rule, index) in route.spec().get("rules").items().zip(0..) {
            let path = format!("spec.rules[{index}]");
            let matches = rule.get("matches");
            if matches.is_empty() {
                found.push((0, 1, false, 0, 0, Taken { route, rule, path, matched: View::MISSING }));
                continue;
            }
            for matched in matches.items() {
                if let Some((kind, length)) = path_takes(route, matched, request)
                    && others_take(matched, request)
                {
                    let has_method = matched.get("method").is_set();
                    let (headers, query) =
                        (matched.get("headers").items().count(), matched.field("queryParams").items().count());
                    found.push((
                        kind,
                        length,
                        has_method,
                        headers,
                        query,
                        Taken { route, rule, path: path.clone(), matched },
                    ));
                }
            }
        }
    }
    by_exactness(found)
}

/// Whether a path is taken, and how exactly: the kind of match, and its length.
fn path_takes(route: &Object, matched: View<'_>, request: &Request) -> Option<(u8, usize)> {
    let path = request.path_only();
    if route.kind() == Kind::GrpcRoute {
        let (service, method) = path.trim_start_matches('/').split_once('/')?;
        let wanted = matched.get("method");
        let fits = |field: &str, value: &str| wanted.get(field).is_empty() || wanted.get(field).text() == value;
        let length = wanted.get("service").text().len() + wanted.get("method").text().len();
        return (fits("service", service) && fits("method", method)).then_some((u8::from(length > 0), length));
    }
    let wanted = matched.get("path");
    let value = or(wanted.get("value"), "/");
    match or(wanted.get("type"), "PathPrefix") {
        "Exact" => (path == value).then_some((2, value.len())),
        "RegularExpression" => matching::is_whole_match(value, path).then_some((1, value.len())),
        // A prefix ends where a segment ends.
        _ => {
            let prefix = value.trim_end_matches('/');
            let rest = path.strip_prefix(prefix)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((1, value.len()))
        }
    }
}

fn others_take(matched: View<'_>, request: &Request) -> bool {
    let method = matched.get("method");
    (method.is_map() || method.is_empty() || method.text() == request.method)
        && matched.get("headers").items().all(|it| value_takes(it, request.header(it.get("name").text())))
        && matched.field("queryParams").items().all(|it| value_takes(it, request.query(it.get("name").text())))
}

fn rewrite(request: &mut Request, wanted: View<'_>, matched: View<'_>) {
    if let Some(name) = wanted.get("hostname").text_if_any() {
        request.authority = Some(name.to_owned());
    }
    let path = wanted.get("path");
    let query = request.path[request.path_only().len()..].to_owned();
    match path.get("type").text() {
        "ReplaceFullPath" => request.path = format!("{}{query}", path.field("replaceFullPath").text()),
        "ReplacePrefixMatch" => {
            let prefix = matched.get("path").get("value").text().trim_end_matches('/');
            let rest = request.path_only().strip_prefix(prefix).unwrap_or_default().to_owned();
            let new = path.field("replacePrefixMatch").text().trim_end_matches('/');
            request.path =
                if new.is_empty() && rest.is_empty() { format!("/{query}") } else { format!("{new}{rest}{query}") };
        }
        _ => {}
    }
}
