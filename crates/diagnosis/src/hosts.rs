//! Which hosts an object concerns, so that failed requests can be laid beside what is said about it.

use std::collections::BTreeSet;

use analyzers::destinations;
use mesh::{Kind, Mesh, Object, View, host};

/// The full names of the hosts, wildcards among them, whose requests an object decides over.
pub fn concerned(mesh: &Mesh, object: &Object) -> BTreeSet<String> {
    let namespace = object.namespace();
    let full = |host: &str| full_name(mesh, namespace, host);
    match object.kind() {
        Kind::VirtualService => {
            let hosts = object.spec().get("hosts").texts().map(full);
            let destinations = destinations::of(mesh, object);
            let destinations = destinations.iter().map(|destination| full(destination.view.get("host").text()));
            hosts.chain(destinations).collect()
        }
        Kind::DestinationRule => BTreeSet::from([full(object.spec().get("host").text())]),
        Kind::ServiceEntry => object.spec().get("hosts").texts().map(str::to_owned).collect(),
        Kind::Gateway => {
            let servers = object.spec().get("servers").items();
            servers
                .flat_map(|server| server.get("hosts").texts())
                .map(|host| host::of_server(host).1.to_owned())
                .collect()
        }
        Kind::HttpRoute | Kind::GrpcRoute => {
            let rules = object.spec().get("rules").items();
            let backends = rules.flat_map(|rule| rule.field("backendRefs").items());
            let backends = backends.map(|backend| {
                let place = backend.get("namespace").text_if_any().unwrap_or(namespace);
                host::fqdn(place, backend.get("name").text())
            });
            object.spec().get("hostnames").texts().map(str::to_owned).chain(backends).collect()
        }
        Kind::Service => BTreeSet::from([host::fqdn(namespace, object.name())]),
        Kind::AuthorizationPolicy | Kind::PeerAuthentication | Kind::RequestAuthentication => {
            of_selected(mesh, namespace, object.spec().path(&["selector", "matchLabels"]))
        }
        Kind::Pod => services(mesh.services_selecting(namespace, object.labels())),
        _ => BTreeSet::new(),
    }
}

/// The hosts of the Services in front of the pods that a policy selects.
fn of_selected(mesh: &Mesh, namespace: &str, selector: View<'_>) -> BTreeSet<String> {
    if selector.is_empty() {
        return services(mesh.in_namespace(Kind::Service, namespace));
    }
    let pods = mesh.labelled(Kind::Pod, selector, Some(namespace));
    pods.into_iter().flat_map(|pod| services(mesh.services_selecting(namespace, pod.labels()))).collect()
}

fn services<'m>(services: impl IntoIterator<Item = &'m Object>) -> BTreeSet<String> {
    services.into_iter().map(|service| host::fqdn(service.namespace(), service.name())).collect()
}

/// The full name of a host as a client in a namespace writes it: `cart`, `cart.shop`, `cart.shop.svc:8080`.
pub fn full_name(mesh: &Mesh, namespace: &str, host: &str) -> String {
    let host = host.rsplit_once(':').map_or(host, |(name, port)| if port.parse::<u16>().is_ok() { name } else { host });
    let host = host.strip_suffix(".svc").unwrap_or(host);
    if let Some((name, place)) = host.split_once('.')
        && !place.contains('.')
        && mesh.namespace(place).is_some()
    {
        return host::fqdn(place, name);
    }
    host::fqdn(namespace, host)
}

/// Whether a host is one of them.
pub fn is_among(hosts: &BTreeSet<String>, host: &str) -> bool {
    hosts.contains(host) || hosts.iter().any(|known| known.starts_with('*') && host::is_subset(host, known))
}
