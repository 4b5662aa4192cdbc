//! Finds `ServiceEntries` that call the port of HTTPS plain HTTP, and TLS that proxies make towards a port of plain HTTP.

use crate::client_tls::client_tls;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{DestinationRules, Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "net/https-to-http-port",
        reads: &[Kind::ServiceEntry, Kind::DestinationRule, Kind::Service, Kind::MeshConfig],
        reports: &[&NET0016, &NET0030],
        by_default: true,
        run,
    },
};

static NET0016: Code = Code {
    id: "NET0016",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/common-problems/network-issues/#sending-https-to-an-http-port",
    page: include_str!("pages/NET0016.md"),
};

static NET0030: Code = Code {
    id: "NET0030",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/tasks/traffic-management/egress/egress-tls-origination/",
    page: include_str!("pages/NET0030.md"),
};

const HTTPS_PORT: i64 = 443;
/// Where plain HTTP is spoken, unless somebody went to some trouble.
const HTTP_PORTS: [i64; 4] = [80, 8000, 8080, 8081];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let rules = DestinationRules::new(mesh);
    for entry in mesh.each(Kind::ServiceEntry) {
        for (port, index) in entry.spec().get("ports").items().zip(0..) {
            if let Some((rule, host)) = handshake_with_plain_http(&rules, entry, port) {
                messages.report(plain_http_gets_a_handshake(rule, entry, port, host));
            }
            if !is_plain_http(port) {
                continue;
            }
            let hosts: Vec<&str> =
                entry.spec().get("hosts").texts().filter(|host| !sends_tls(&rules, entry, host)).collect();
            if !hosts.is_empty() {
                let path = Path::spec().key("ports").index(index).key("protocol");
                messages.report(port_is_called_http(entry, port, &hosts).at(path));
            }
        }
    }
}

fn is_plain_http(port: View<'_>) -> bool {
    port.get("number").integer() == HTTPS_PORT
        && matches!(port.get("protocol").text().to_uppercase().as_str(), "HTTP" | "HTTP2")
}

/// Whether a `DestinationRule` has the proxy make TLS of what clients send in plain text.
fn sends_tls(rules: &DestinationRules<'_>, entry: &Object, host: &str) -> bool {
    let followed = rules.for_host(entry.namespace(), host, Some(entry.namespace()));
    followed.iter().flat_map(|rule| client_tls(rule)).any(|tls| tls.mode != "DISABLE" && tls.covers(HTTPS_PORT))
}

/// The rule that has proxies start TLS with a port of plain HTTP. The handshake goes to `targetPort`, and without one to the
/// very port that the application calls.
fn handshake_with_plain_http<'m>(
    rules: &DestinationRules<'m>,
    entry: &'m Object,
    port: View<'_>,
) -> Option<(&'m Object, &'m str)> {
    let number = port.get("number").integer();
    let target = port.field("targetPort").integer_if_any().filter(|target| *target != 0).unwrap_or(number);
    let is_http = matches!(port.get("protocol").text().to_uppercase().as_str(), "HTTP" | "HTTP2" | "GRPC");
    // Endpoints may name other ports by themselves.
    let has_endpoint_ports = entry.spec().get("endpoints").items().any(|endpoint| !endpoint.get("ports").is_empty());
    if !is_http || has_endpoint_ports || !HTTP_PORTS.contains(&target) {
        return None;
    }
    entry.spec().get("hosts").texts().find_map(|host| {
        let followed = rules.for_host(entry.namespace(), host, Some(entry.namespace()));
        let starts = |rule: &&Object| {
            let blocks = client_tls(rule).into_iter().filter(|tls| tls.subset.is_empty() && tls.covers(number));
            blocks.into_iter().any(|tls| matches!(tls.mode, "SIMPLE" | "MUTUAL"))
        };
        followed.into_iter().find(starts).map(|rule| (rule, host))
    })
}

fn plain_http_gets_a_handshake<'m>(rule: &'m Object, entry: &Object, port: View<'_>, host: &str) -> Message<'m> {
    let number = port.get("number").integer();
    let text = format!(
        "Proxies start TLS with port {number} of {host}, which speaks plain HTTP by what {} says: the handshake fails \
         (WRONG_VERSION_NUMBER), and requests get 503.",
        entry.origin()
    );
    let remedy = format!(
        "Where the application calls http://{host} and the proxy is to make HTTPS of it, send it to the port of HTTPS: kubectl \
         patch serviceentry {} -n {} --type json -p '[{{\"op\":\"add\",\"path\":\"/spec/ports/{}/targetPort\",\"value\":443}}]'. \
         Where {host} is to be called in plain HTTP, take tls out of DestinationRule {} for port {number}.",
        entry.name(),
        entry.namespace(),
        entry.spec().get("ports").items().position(|it| it.get("number").integer() == number).unwrap_or_default(),
        rule.full_name()
    );
    Message::new(&NET0030, rule, text).at(Path::spec().key("trafficPolicy")).remedy(remedy)
}

fn port_is_called_http<'m>(entry: &'m Object, port: View<'_>, hosts: &[&str]) -> Message<'m> {
    let (protocol, hosts) = (port.get("protocol").text(), hosts.join(", "));
    let text = format!(
        "Port 443 of {hosts} has the protocol {protocol}, and no DestinationRule makes TLS of it. Clients that send HTTPS \
         there get a TLS error (wrong version number) or 400."
    );
    let remedy = format!(
        "Set the protocol of port 443 in ServiceEntry {} to TLS, where clients send HTTPS themselves. Where the proxy is to \
         do it, add a DestinationRule for the host with tls.mode SIMPLE, and let clients send plain HTTP to port 443.",
        entry.full_name()
    );
    Message::new(&NET0016, entry, text).remedy(remedy)
}
