//! Finds Service ports whose name does not tell their protocol.

use super::shared::target_port_text;
use super::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View, is_control_plane, protocol};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "service.PortNameAnalyzer",
    reads: &[Kind::Service],
    reports: &[&IST0118, &IST0150],
    by_default: true,
    run,
};

static IST0118: Code = Code {
    id: "IST0118",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0118/",
    page: include_str!("pages/IST0118.md"),
};

static IST0150: Code = Code {
    id: "IST0150",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/",
    page: include_str!("pages/IST0150.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for service in mesh.each(Kind::Service) {
        if is_control_plane(service) || is_of_gateway(service) {
            continue;
        }
        let is_external = service.spec().get("type").text() == "ExternalName";
        for (port, index) in service.spec().get("ports").items().zip(0..) {
            if is_external && (tells_nothing(port) || port.get("name").text() == "tcp") {
                messages.report(external_port_is_misnamed(service, index));
            } else if !is_external && tells_nothing(port) {
                messages.report(name_tells_no_protocol(service, port, index));
            }
        }
    }
}

/// Services that Istio makes for Gateways of the Gateway API are named by the Gateways' listeners.
fn is_of_gateway(service: &Object) -> bool {
    let controller = service.label("gateway.istio.io/managed").unwrap_or_default();
    let ours = ["istio.io-gateway-controller", "istio.io-mesh-controller", "istio.io-eastwest-controller"];
    ours.contains(&controller)
}

fn tells_nothing(port: View<'_>) -> bool {
    protocol::of_service_port(port).is_none()
}

fn path(index: usize) -> Path {
    Path::spec().key("ports").index(index).key("port")
}

fn name_tells_no_protocol<'m>(service: &'m Object, port: View<'_>, index: usize) -> Message<'m> {
    let (name, number, target) = (port.get("name").text(), port.get("port").integer(), target_port_text(port));
    let text = format!(
        "Port name {name} (port: {number}, targetPort: {target}) doesn't follow the naming convention of Istio port."
    );
    Message::new(&IST0118, service, text).at(path(index))
}

fn external_port_is_misnamed(service: &Object, index: usize) -> Message<'_> {
    let text = "Port name for ExternalName service is invalid. Proxy may prevent tcp named ports and unmatched traffic \
                for ports serving TCP protocol from being forwarded correctly";
    Message::new(&IST0150, service, text).at(path(index))
}
