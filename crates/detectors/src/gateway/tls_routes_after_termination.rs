//! Finds `tls` routes behind servers that end TLS, which take `http` routes only.

use super::bound_routes::{BoundRoutes, READS, bound_routes};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Handling, Mesh, Server};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "gw/terminate-with-tls-route", reads: READS, reports: &[&GWY0013], by_default: true, run },
};

static GWY0013: Code = Code {
    id: "GWY0013",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/common-problems/network-issues/#gateway-to-virtual-service-tls-mismatch",
    page: include_str!("pages/GWY0013.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for bound in bound_routes(mesh).iter().filter(|bound| bound.has("tls") && !bound.has("http")) {
        let passes_through = bound.servers.iter().any(|server| server.handling() == Handling::Passthrough);
        let ending_tls = bound.servers.iter().find(|server| server.handling() == Handling::Https);
        if let Some(server) = ending_tls.filter(|_| !passes_through) {
            messages.report(routes_are_not_used(bound, *server));
        }
    }
}

fn routes_are_not_used<'m>(bound: &BoundRoutes<'m>, server: Server<'_>) -> Message<'m> {
    let gateway = server.gateway.full_name();
    let (port, mode) = (server.port(), server.tls_mode().unwrap_or_default());
    let text = format!(
        "Has tls routes only, but port {port} of Gateway {gateway} ends TLS (mode {mode}) and takes http routes: every \
         request is answered with 404.",
    );
    let remedy = format!("Write http routes, or set tls.mode of port {port} in Gateway {gateway} to PASSTHROUGH.");
    Message::new(&GWY0013, bound.service, text).at(Path::spec().key("tls")).remedy(remedy)
}
