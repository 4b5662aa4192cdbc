//! Finds routes of gateways that send plain HTTP to a port which expects TLS, or TLS to a port of plain HTTP.

use super::bound_routes::{BoundRoutes, bound_routes};
use crate::{Certainty, Detector};
use analyzers::destinations::{self, Destination};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Handling, Kind, Mesh, Object, View, host, protocol};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "gw/double-tls",
        reads: &[Kind::Gateway, Kind::VirtualService, Kind::Service, Kind::DestinationRule],
        reports: &[&GWY0015],
        by_default: true,
        run,
    },
};

static GWY0015: Code = Code {
    id: "GWY0015",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/configuration/traffic-management/tls-configuration/",
    page: include_str!("pages/GWY0015.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for bound in bound_routes(mesh) {
        for destination in destinations::of(mesh, bound.service).into_iter().filter(|it| !it.is_mirror) {
            let Some((service, port)) = port_of(mesh, bound.service, &destination) else { continue };
            let is_http = destination.path.to_string().contains(".http[");
            let number = port.get("port").integer();
            let expects_tls = matches!(protocol_of(port), Some("HTTPS" | "TLS"));
            let expects_http = matches!(protocol_of(port), Some("HTTP" | "HTTP2" | "GRPC" | "GRPC-Web"));
            if is_http && ends_tls(&bound) && expects_tls && !originates_tls(mesh, service, number) {
                messages.report(sends_plain(&bound, &destination, service, number));
            } else if !is_http && passes_tls(&bound) && expects_http {
                messages.report(sends_tls(&bound, &destination, service, number));
            }
        }
    }
}

fn ends_tls(bound: &BoundRoutes<'_>) -> bool {
    bound.servers.iter().any(|server| matches!(server.handling(), Handling::Http | Handling::Https))
}

fn passes_tls(bound: &BoundRoutes<'_>) -> bool {
    bound.servers.iter().any(|server| server.handling() == Handling::Passthrough)
}

/// The Service of a destination and its port: the only one, where the destination names none.
fn port_of<'m>(mesh: &'m Mesh, from: &Object, destination: &Destination<'m>) -> Option<(&'m Object, View<'m>)> {
    let service = mesh.service_of_host(from.namespace(), destination.view.get("host").text())?;
    let number = destination.view.get("port").get("number").integer_if_any();
    let mut ports = service.spec().get("ports").items();
    let port = match number {
        Some(number) => ports.find(|port| port.get("port").integer() == number)?,
        None => ports.next().filter(|_| ports.next().is_none())?,
    };
    Some((service, port))
}

fn protocol_of(port: View<'_>) -> Option<&'static str> {
    let application = port.get("appProtocol").text_if_any();
    protocol::of_port(port.get("port").integer(), port.get("name").text(), port.get("protocol").text(), application)
}

/// Whether any rule for the host starts TLS, wherever it is: which of several rules holds is not asked here.
fn originates_tls(mesh: &Mesh, service: &Object, port: i64) -> bool {
    let name = host::fqdn(service.namespace(), service.name());
    mesh.each(Kind::DestinationRule).any(|rule| {
        let wanted = host::fqdn(rule.namespace(), rule.spec().get("host").text());
        host::is_subset(&name, &wanted) && policies(rule).any(|policy| starts_tls(policy, port))
    })
}

/// The policy of a rule and those of its subsets.
fn policies(rule: &Object) -> impl Iterator<Item = View<'_>> {
    let subsets = rule.spec().get("subsets").items();
    std::iter::once(rule.spec()).chain(subsets).map(|holder| holder.field("trafficPolicy"))
}

fn starts_tls(policy: View<'_>, port: i64) -> bool {
    let is_tls = |settings: View<'_>| matches!(settings.path(&["tls", "mode"]).text(), "SIMPLE" | "MUTUAL");
    let mut of_ports = policy.field("portLevelSettings").items();
    is_tls(policy) || of_ports.any(|settings| settings.path(&["port", "number"]).integer() == port && is_tls(settings))
}

fn sends_plain<'m>(bound: &BoundRoutes<'m>, destination: &Destination<'_>, service: &Object, port: i64) -> Message<'m> {
    let name = service.full_name();
    let text = format!(
        "The gateway sends plain HTTP to port {port} of Service {name}, whose name says TLS, and no DestinationRule \
         starts TLS towards it: the answer is 400 or 503."
    );
    let remedy = format!(
        "Add a DestinationRule for host {} with portLevelSettings for port {port} and tls.mode SIMPLE. If the port \
         takes plain HTTP, name it http.",
        host::fqdn(service.namespace(), service.name()),
    );
    Message::new(&GWY0015, bound.service, text).at(destination.path.clone()).remedy(remedy)
}

fn sends_tls<'m>(bound: &BoundRoutes<'m>, destination: &Destination<'_>, service: &Object, port: i64) -> Message<'m> {
    let name = service.full_name();
    let text = format!(
        "The gateway passes TLS through to port {port} of Service {name}, whose name says plain HTTP: the handshake \
         fails."
    );
    let remedy = "Send to the port of the Service that takes TLS, or end TLS at the gateway (mode SIMPLE) and write \
                  http routes.";
    Message::new(&GWY0015, bound.service, text).at(destination.path.clone()).remedy(remedy)
}
