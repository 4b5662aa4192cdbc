//! Requests that stand for all that go to a host: one for each rule, policy or route that tells requests apart.

use std::collections::BTreeSet;

use crate::network::Network;
use crate::request::{Protocol, Request};
use mesh::{Handling, Kind, Object, Server, View, Workload, host};

/// Requests of one host, so that a host with a thousand rules does not become a thousand questions.
const MOST: usize = 24;

/// What tells a request from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
}

impl Shape {
    fn plain() -> Self {
        Self { method: "GET".to_owned(), path: "/".to_owned(), headers: Vec::new() }
    }

    fn request(&self, base: &Request) -> Request {
        Request { method: self.method.clone(), path: self.path.clone(), headers: self.headers.clone(), ..base.clone() }
    }
}

/// A text that a `StringMatch` takes; none for a regular expression, of which nobody knows one.
fn example(wanted: View<'_>) -> Option<&str> {
    [wanted.get("exact"), wanted.get("prefix")].into_iter().find_map(View::text_if_any)
}

fn of_virtual_service(service: &Object, found: &mut BTreeSet<Shape>) {
    for wanted in service.spec().get("http").items().flat_map(|rule| rule.get("match").items()) {
        let mut shape = Shape::plain();
        if let Some(path) = example(wanted.get("uri")) {
            path.clone_into(&mut shape.path);
        }
        if let Some(method) = example(wanted.get("method")) {
            method.clone_into(&mut shape.method);
        }
        for (name, value) in wanted.get("headers").entries() {
            shape.headers.push((name.to_owned(), example(value).unwrap_or("x").to_owned()));
        }
        found.insert(shape);
    }
}

fn of_route(route: &Object, found: &mut BTreeSet<Shape>) {
    for wanted in route.spec().get("rules").items().flat_map(|rule| rule.get("matches").items()) {
        let mut shape = Shape::plain();
        if let Some(path) = wanted.path(&["path", "value"]).text_if_any() {
            path.clone_into(&mut shape.path);
        }
        if let Some(method) = wanted.get("method").text_if_any() {
            method.clone_into(&mut shape.method);
        }
        for header in wanted.get("headers").items() {
            shape.headers.push((header.get("name").text().to_owned(), header.get("value").text().to_owned()));
        }
        found.insert(shape);
    }
}

fn of_policy(policy: &Object, found: &mut BTreeSet<Shape>) {
    let operations = policy.spec().get("rules").items().flat_map(|rule| rule.get("to").items());
    for operation in operations.map(|to| to.get("operation")) {
        let texts = |field: &str| -> Vec<String> { operation.get(field).texts().map(str::to_owned).collect() };
        let (mut methods, mut paths) = (texts("methods"), texts("paths"));
        methods.push("GET".to_owned());
        paths.push("/".to_owned());
        for method in methods.iter().filter(|method| !method.contains('*')).take(4) {
            for path in paths.iter().take(8) {
                let path = path.replace("{**}", "x").replace("{*}", "x").replace('*', "");
                let path = if path.starts_with('/') { path } else { format!("/{path}") };
                found.insert(Shape { method: method.clone(), path, headers: Vec::new() });
            }
        }
    }
}

impl<'m> Network<'m> {
    /// Requests that stand for all that go to a target: what its rules, routes and policies tell apart.
    pub(crate) fn examples(&self, base: &Request) -> Vec<Request> {
        if base.protocol != Protocol::Http {
            return vec![base.clone()];
        }
        let mut found = BTreeSet::from([Shape::plain()]);
        for service in &self.virtual_hosts.services {
            let mut hosts = service.spec().get("hosts").texts();
            if hosts.any(|own| host::is_subset(&base.host, &host::fqdn(service.namespace(), own))) {
                of_virtual_service(service, &mut found);
            }
        }
        for at in self.of_host(&base.host) {
            let service = &self.services[*at];
            for route in [Kind::HttpRoute, Kind::GrpcRoute].into_iter().flat_map(|kind| self.mesh.each(kind)) {
                let mut parents = route.spec().field("parentRefs").items();
                if parents.any(|parent| {
                    parent.get("kind").text() == "Service" && parent.get("name").text() == service.object.name()
                }) {
                    of_route(route, &mut found);
                }
            }
            if let Some(pod) = service.endpoints(self.mesh).iter().find_map(crate::services::Endpoint::pod) {
                for policy in self.mesh.policies(Kind::AuthorizationPolicy, Workload::of_pod(pod)).iter() {
                    of_policy(policy, &mut found);
                }
            }
        }
        found.iter().take(MOST).map(|shape| shape.request(base)).collect()
    }

    /// The same from outside: for each host of each Gateway's server.
    pub(crate) fn outside_examples(&self) -> Vec<Request> {
        let mut bases: Vec<Request> = Vec::new();
        for gateway in self.mesh.each(Kind::Gateway) {
            for server in Server::all(gateway) {
                let is_tls = server.handling().is_tls();
                for (_, name) in server.hosts() {
                    bases.extend(base_of(name, server.port(), is_tls, server.handling() == Handling::Tcp));
                }
            }
        }
        for gateway in self.mesh.each(Kind::KubernetesGateway) {
            for listener in mesh::KubernetesListener::all(gateway) {
                let protocol = listener.view.get("protocol").text();
                let port = listener.view.get("port").integer();
                bases.extend(base_of(listener.host(), port, matches!(protocol, "HTTPS" | "TLS"), protocol == "TCP"));
            }
        }
        bases.sort_by(|a, b| (&a.host, a.port).cmp(&(&b.host, b.port)));
        bases.dedup_by(|a, b| (&a.host, a.port) == (&b.host, b.port));
        let mut requests = Vec::new();
        for base in bases {
            let mut found = BTreeSet::from([Shape::plain()]);
            for service in &self.virtual_hosts.services {
                if service.spec().get("hosts").texts().any(|own| host::overlap(&base.host, own)) {
                    of_virtual_service(service, &mut found);
                }
            }
            for route in self.mesh.each(Kind::HttpRoute) {
                let hosts = route.spec().get("hostnames");
                if hosts.is_empty() || hosts.texts().any(|own| host::overlap(&base.host, own)) {
                    of_route(route, &mut found);
                }
            }
            requests.extend(found.iter().take(MOST).map(|shape| shape.request(&base)));
        }
        requests
    }
}

/// A host with a wildcard stands for one of its names.
fn base_of(name: &str, port: i64, is_tls: bool, is_bytes: bool) -> Option<Request> {
    let name = match name.strip_prefix("*.") {
        Some(rest) => format!("any.{rest}"),
        None if name == "*" => "any.example".to_owned(),
        None => name.to_owned(),
    };
    let mut request = Request::http(&name, u16::try_from(port).ok()?);
    request.protocol = match (is_tls, is_bytes) {
        (true, _) => Protocol::Https,
        (false, true) => Protocol::Tcp,
        (false, false) => Protocol::Http,
    };
    Some(request)
}
