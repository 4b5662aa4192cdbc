//! Finds http rules for hosts whose ports are not taken for HTTP.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::virtual_services::is_for_mesh;
use mesh::{Kind, Mesh, Object, View, protocol};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Hint,
    rule: Analyzer {
        name: "net/rules-not-seen",
        reads: &[Kind::VirtualService, Kind::Service],
        reports: &[&NET0022],
        by_default: true,
        run,
    },
};

static NET0022: Code = Code {
    id: "NET0022",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/ops/common-problems/network-issues/#route-rules-dont-seem-to-affect-traffic-flow",
    page: include_str!("pages/NET0022.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for rules in mesh.each(Kind::VirtualService).filter(|service| is_for_mesh(service)) {
        if rules.spec().get("http").is_empty() {
            continue;
        }
        for (host, index) in rules.spec().get("hosts").texts().zip(0..) {
            let Some(service) = mesh.service_of_host(rules.namespace(), host) else { continue };
            let mut ports = service.spec().get("ports").items().peekable();
            if ports.peek().is_some() && ports.all(is_opaque) {
                messages.report(rules_do_not_apply(rules, service).at(Path::spec().key("hosts").index(index)));
            }
        }
    }
}

/// Whether a port's traffic is passed on unread. Where no protocol is declared, proxies look for HTTP in it.
fn is_opaque(port: View<'_>) -> bool {
    let (name, transport) = (port.get("name").text(), port.get("protocol").text());
    let protocol =
        protocol::of_port(port.get("port").integer(), name, transport, port.get("appProtocol").text_if_any());
    !matches!(protocol, None | Some("HTTP" | "HTTP2" | "GRPC" | "GRPC-Web" | "HTTP_PROXY"))
}

fn rules_do_not_apply<'m>(rules: &'m Object, service: &Object) -> Message<'m> {
    let names: Vec<&str> = service.spec().get("ports").items().map(|port| port.get("name").text()).collect();
    let text = format!(
        "The http rules do not apply to {}: none of its ports ({}) is declared as HTTP, so proxies pass its traffic on \
         unread.",
        service.full_name(),
        names.join(", ")
    );
    let remedy = format!(
        "If the application speaks HTTP, set appProtocol: http on the port of Service {} (or grpc, http2); if not, write \
         the rules under tcp or tls.",
        service.full_name()
    );
    Message::new(&NET0022, rules, text).remedy(remedy)
}
