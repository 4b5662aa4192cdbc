//! Finds `http` routes behind servers that pass TLS through, which take `tls` routes only.

use super::bound_routes::{BoundRoutes, READS, bound_routes};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Handling, Mesh, Server};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/passthrough-with-http-route",
        reads: READS,
        reports: &[&GWY0014],
        by_default: true,
        run,
    },
};

static GWY0014: Code = Code {
    id: "GWY0014",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/common-problems/network-issues/#gateway-to-virtual-service-tls-mismatch",
    page: include_str!("pages/GWY0014.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for bound in bound_routes(mesh).iter().filter(|bound| bound.has("http") && !bound.has("tls")) {
        // The routes may be meant for another port of the same Gateways.
        let is_used = bound.servers.iter().any(|server| matches!(server.handling(), Handling::Http | Handling::Https));
        let passing = bound.servers.iter().find(|server| server.handling() == Handling::Passthrough);
        if let Some(server) = passing.filter(|_| !is_used) {
            messages.report(routes_are_not_used(bound, *server));
        }
    }
}

fn routes_are_not_used<'m>(bound: &BoundRoutes<'m>, server: Server<'_>) -> Message<'m> {
    let gateway = server.gateway.full_name();
    let (port, mode) = (server.port(), server.tls_mode().unwrap_or_default());
    let text = format!(
        "Has http routes only, but port {port} of Gateway {gateway} does not end TLS (mode {mode}) and takes tls \
         routes: connections are reset.",
    );
    let remedy = format!(
        "Write tls routes that match sniHosts, or end TLS at the gateway: tls.mode SIMPLE with a credentialName for \
         port {port} in Gateway {gateway}."
    );
    Message::new(&GWY0014, bound.service, text).at(Path::spec().key("http")).remedy(remedy)
}
