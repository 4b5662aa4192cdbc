//! Finds routes to hosts and ports that nobody serves, and subsets that traffic through a gateway does not get.

use std::collections::{BTreeMap, BTreeSet};

use super::destinations::{self, Destination};
use super::shared::{IST0101, reference_not_found};
use super::{Analyzer, Message, Messages, Path, list, quoted, remedies};
use mesh::virtual_services::{SIDECARS, is_for_mesh};
use mesh::{Kind, Mesh, Object, View, host, is_ignored_namespace};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "virtualservice.DestinationHostAnalyzer",
    reads: &[Kind::ServiceEntry, Kind::VirtualService, Kind::Service],
    reports: &[&IST0101, &IST0112, &IST0140],
    by_default: true,
    run,
};

static IST0112: Code = Code {
    id: "IST0112",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0112/",
    page: include_str!("pages/IST0112.md"),
};

static IST0140: Code = Code {
    id: "IST0140",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/common-problems/network-issues/#route-rules-have-no-effect-on-ingress-gateway-requests",
    page: include_str!("pages/IST0140.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for service in mesh.each(Kind::VirtualService) {
        for destination in destinations::of(mesh, service) {
            if let Some(message) = check(mesh, service, destination) {
                messages.report(message);
            }
        }
    }
    check_gateways(mesh, messages);
}

fn check<'m>(mesh: &Mesh, service: &'m Object, destination: Destination<'m>) -> Option<Message<'m>> {
    let host = destination.view.get("host").text();
    let export_to = service.spec().field("exportTo").texts();
    let message = match mesh.hosts().look_up(service.namespace(), export_to, host) {
        // `istioctl` takes what it does not look at for missing.
        None if !mesh.is_compatible() && is_ignored_namespace(host::service_of(service.namespace(), host).0) => {
            return None;
        }
        None => {
            let what = if destination.is_mirror { "mirror host" } else { "host" };
            reference_not_found(service, what, host)
                .remedy_unless(mesh.is_compatible(), || remedies::host(mesh, service, host))
        }
        Some(known) => {
            let port = destination.view.get("port");
            let ports: Vec<i64> = known.ports().collect();
            let number = port.get("number").integer();
            if !port.is_map() && ports.len() > 1 {
                port_is_ambiguous(service, host, &ports)
            } else if port.is_map() && !ports.contains(&number) {
                let remedy = || format!("The ports of {host} are {}: route to one of them.", list(&ports));
                reference_not_found(service, "host:port", &format!("{host}:{number}"))
                    .remedy_unless(mesh.is_compatible(), remedy)
            } else {
                return None;
            }
        }
    };
    Some(message.at(destination.path))
}

/// Requests through a gateway follow the rules of the `VirtualService` that is bound to it, and not those that another
/// has for the host that they are sent on to.
///
/// `istioctl` compares hosts as they are written, and does not ask which of the two sidecars follow.
fn check_gateways<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let full = |service: &Object, host: &str| {
        if mesh.is_compatible() { host.to_owned() } else { host::fqdn(service.namespace(), host) }
    };
    let mut with_subsets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for service in mesh.each(Kind::VirtualService).filter(|it| mesh.is_compatible() || is_for_mesh(it)) {
        let own: BTreeSet<String> = service.spec().get("hosts").texts().map(|host| full(service, host)).collect();
        for (destination, _) in http_destinations(service) {
            let host = full(service, destination.get("host").text());
            if !destination.get("subset").text().is_empty() && own.contains(&host) {
                with_subsets.entry(host).or_default().insert(service.full_name());
            }
        }
    }
    let is_at_gateway = |service: &Object| {
        let gateways = service.spec().get("gateways");
        if mesh.is_compatible() { !gateways.is_empty() } else { gateways.texts().any(|gateway| gateway != SIDECARS) }
    };
    for service in mesh.each(Kind::VirtualService).filter(|it| is_at_gateway(it)) {
        let name = service.full_name();
        for (destination, path) in http_destinations(service) {
            if !destination.get("subset").text().is_empty() {
                continue;
            }
            let others = with_subsets.get(&full(service, destination.get("host").text())).into_iter().flatten();
            for other in others.filter(|other| mesh.is_compatible() || **other != name) {
                if messages.is_full() {
                    return;
                }
                messages.report(subset_has_no_effect(service, other).at(path.clone()));
            }
        }
    }
}

/// The destinations of HTTP routes. Where their place has the protocol, `istioctl` puts the name of the route.
fn http_destinations(service: &Object) -> impl Iterator<Item = (View<'_>, Path)> {
    service.spec().get("http").items().zip(0..).flat_map(|(rule, i)| {
        let name = rule.get("name").text();
        rule.get("route").items().zip(0..).map(move |(route, j)| {
            let path = Path::spec().key(name.to_owned()).index(i).key("route").index(j);
            (route.get("destination"), path.key("destination").key("host"))
        })
    })
}

fn port_is_ambiguous<'m>(service: &'m Object, host: &str, ports: &[i64]) -> Message<'m> {
    let (host, ports) = (quoted(host), list(ports));
    let text = format!(
        "This VirtualService routes to a service {host} that exposes multiple ports {ports}. Specifying a port in the \
         destination is required to disambiguate."
    );
    Message::new(&IST0112, service, text)
}

fn subset_has_no_effect<'m>(service: &'m Object, with_subset: &str) -> Message<'m> {
    let name = service.full_name();
    let text = format!("Subset in virtual service {with_subset} has no effect on ingress gateway {name} requests");
    Message::new(&IST0140, service, text)
}
