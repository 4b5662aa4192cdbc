//! Finds `ServiceEntries` that call the port of HTTPS plain HTTP.

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
        reports: &[&NET0016],
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

const HTTPS_PORT: i64 = 443;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let rules = DestinationRules::new(mesh);
    for entry in mesh.each(Kind::ServiceEntry) {
        for (port, index) in entry.spec().get("ports").items().zip(0..) {
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
