//! Finds ports of Services whose declared protocol and number, or two declarations, contradict each other.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View, protocol};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "net/protocol-mismatch",
        reads: &[Kind::Service],
        reports: &[&NET0013],
        by_default: true,
        run,
    },
};

static NET0013: Code = Code {
    id: "NET0013",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/#explicit-protocol-selection",
    page: include_str!("pages/NET0013.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for service in mesh.each(Kind::Service) {
        for (port, index) in service.spec().get("ports").items().zip(0..) {
            if let Some(contradiction) = contradiction(port) {
                let path = Path::spec().key("ports").index(index).key("name");
                messages.report(port_contradicts_itself(service, port, &contradiction).at(path));
            }
        }
    }
}

/// Families of protocols of which one cannot be taken for another.
#[derive(PartialEq, Eq, Clone, Copy)]
enum Family {
    Http,
    Tls,
}

fn family(protocol: &str) -> Option<Family> {
    match protocol {
        "HTTP" | "HTTP2" | "GRPC" | "GRPC-Web" | "HTTP_PROXY" => Some(Family::Http),
        "HTTPS" | "TLS" => Some(Family::Tls),
        _ => None,
    }
}

fn contradiction(port: View<'_>) -> Option<String> {
    let (name, number) = (port.get("name").text(), port.get("port").integer());
    let application = port.get("appProtocol").text_if_any();
    let of = |name: &str, application| family(protocol::of_port(0, name, "TCP", application)?);
    let (declared, by_name) = (of(name, application)?, of(name, None));
    if let Some(application) = application
        && by_name.is_some_and(|by_name| by_name != declared)
    {
        return Some(format!(
            "its name {name} and its appProtocol {application} say different things, and appProtocol wins"
        ));
    }
    let target = port.get("targetPort").integer_if_any().unwrap_or(number);
    let is_secure = |number: i64| matches!(number, 443 | 8443);
    let is_plain = |number: i64| matches!(number, 80 | 8080);
    match declared {
        Family::Http if is_secure(number) && is_secure(target) => {
            Some(format!("port {number} is used for TLS, and {} declares HTTP", how(name, application)))
        }
        Family::Tls if is_plain(number) && is_plain(target) => {
            Some(format!("port {number} is used for plain HTTP, and {} declares TLS", how(name, application)))
        }
        Family::Http | Family::Tls => None,
    }
}

fn how(name: &str, application: Option<&str>) -> String {
    application.map_or_else(|| format!("its name {name}"), |application| format!("appProtocol {application}"))
}

fn port_contradicts_itself<'m>(service: &'m Object, port: View<'_>, contradiction: &str) -> Message<'m> {
    let number = port.get("port").integer();
    let text = format!(
        "Port {number} contradicts itself: {contradiction}. If the application speaks something else than is declared, \
         requests fail with 400 or 503 (DPE, UPE, WRONG_VERSION_NUMBER)."
    );
    let remedy = format!(
        "Set appProtocol of port {number} in Service {} to what the application speaks, and name the port alike.",
        service.full_name()
    );
    Message::new(&NET0013, service, text).remedy(remedy)
}
