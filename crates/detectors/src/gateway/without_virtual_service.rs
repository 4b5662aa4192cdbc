//! Finds Gateways that no `VirtualService` is bound to.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, Server};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/vs-not-bound",
        reads: &[Kind::Gateway, Kind::VirtualService],
        reports: &[&GWY0006],
        by_default: true,
        run,
    },
};

static GWY0006: Code = Code {
    id: "GWY0006",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-deploy-ingress",
    page: include_str!("pages/GWY0006.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let bindings = mesh.bindings();
    for gateway in mesh.each(Kind::Gateway) {
        let needs_routes = Server::all(gateway).any(needs_routes);
        if needs_routes && bindings.of(gateway).is_empty() {
            messages.report(nothing_is_bound(gateway));
        }
    }
}

/// A redirect to HTTPS works by itself, and `AUTO_PASSTHROUGH` sends to Services by the server name
/// (<https://istio.io/latest/docs/reference/config/networking/gateway/#ServerTLSSettings-TLSmode>).
fn needs_routes(server: Server<'_>) -> bool {
    !server.redirects_to_https() && server.tls_mode() != Some("AUTO_PASSTHROUGH")
}

fn nothing_is_bound(gateway: &Object) -> Message<'_> {
    let name = gateway.full_name();
    let text = format!("No VirtualService names Gateway {name}: every request to it is answered with 404.");
    let remedy = format!("Add `gateways: [{name}]` to the VirtualService of its hosts, or delete the Gateway.");
    Message::new(&GWY0006, gateway, text).at(Path::name()).remedy(remedy)
}
