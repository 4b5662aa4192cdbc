//! Finds ports of protocols in which the server speaks first, without a declared protocol.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View, is_control_plane, protocol};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer { name: "net/server-first", reads: &[Kind::Service], reports: &[&NET0012], by_default: true, run },
};

static NET0012: Code = Code {
    id: "NET0012",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/#server-first-protocols",
    page: include_str!("pages/NET0012.md"),
};

/// Where the server greets the client. Istio itself takes 25, 53, 3306 and 27017 for TCP, but only as the port of the
/// Service, not as the one that it leads to.
const SERVER_FIRST: [(i64, &str); 9] = [
    (21, "FTP"),
    (22, "SSH"),
    (25, "SMTP"),
    (110, "POP3"),
    (143, "IMAP"),
    (587, "SMTP"),
    (3306, "MySQL"),
    (4222, "NATS"),
    (5900, "VNC"),
];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for service in mesh.each(Kind::Service).filter(|service| !is_control_plane(service)) {
        for (port, index) in service.spec().get("ports").items().zip(0..) {
            if let Some((number, name)) = server_first(port) {
                let path = Path::spec().key("ports").index(index);
                messages.report(protocol_is_guessed(service, port, number, name).at(path));
            }
        }
    }
}

fn server_first(port: View<'_>) -> Option<(i64, &'static str)> {
    let number = port.get("port").integer();
    let (name, transport) = (port.get("name").text(), port.get("protocol").text());
    if protocol::of_port(number, name, transport, port.get("appProtocol").text_if_any()).is_some() {
        return None;
    }
    let target = port.get("targetPort").integer();
    SERVER_FIRST.into_iter().find(|(known, _)| *known == number || *known == target)
}

fn protocol_is_guessed<'m>(service: &'m Object, port: View<'_>, known: i64, name: &str) -> Message<'m> {
    let number = port.get("port").integer();
    let text = format!(
        "Port {number} (name {:?}) declares no protocol and leads to {known}, the port of {name}, where the server speaks \
         first. The proxy waits for the client's first bytes to guess the protocol, so connections stall.",
        port.get("name").text()
    );
    let remedy = format!(
        "Set appProtocol: tcp on port {number} of Service {}, or let its name begin with tcp-.",
        service.full_name()
    );
    Message::new(&NET0012, service, text).remedy(remedy)
}
