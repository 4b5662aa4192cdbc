//! Finds ways through an egress gateway that lack a half, lead back to the gateway, or miss its ports.

use std::collections::{BTreeMap, BTreeSet};

use super::routes::{Hop, READS, Routes};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Mesh, host};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "egress/vs-loop", reads: &READS, reports: &[&EGR0013], by_default: true, run },
};

static EGR0013: Code = Code {
    id: "EGR0013",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/tasks/traffic-management/egress/egress-gateway/",
    page: include_str!("pages/EGR0013.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let routes = Routes::new(mesh);
    // A Service may have several Gateways behind it; one that fits is enough.
    let mut by_place: BTreeMap<(String, String), Vec<&Hop<'m>>> = BTreeMap::new();
    for way_in in &routes.ways_in {
        by_place.entry((way_in.service.full_name(), way_in.path.to_string())).or_default().push(way_in);
    }
    for ways_in in by_place.values() {
        let way_in = ways_in[0];
        for name in way_in.hosts().collect::<BTreeSet<_>>() {
            let goes_on = |way_in: &&&Hop<'_>| routes.leads_on(way_in.gateway, name);
            let with_rule: Vec<&Hop<'_>> = ways_in.iter().filter(goes_on).copied().collect();
            if with_rule.is_empty() {
                messages.report(gateway_has_no_rule(way_in, name));
            } else if !with_rule.iter().any(|way_in| listens(way_in, name)) {
                messages.report(gateway_does_not_listen(way_in, name));
            }
        }
    }
    for out in &routes.ways_out {
        let (namespace, name) = host::service_of("", &out.host);
        let fronts = routes.fronts(out.gateway);
        if fronts.iter().any(|front| front.namespace() == namespace && front.name() == name) {
            messages.report(gateway_sends_to_itself(out));
        }
    }
}

/// Whether a server of the gateway listens for a host on the port that sidecars send it to.
fn listens(way_in: &Hop<'_>, name: &str) -> bool {
    let mut servers = way_in.gateway.spec().get("servers").items().filter(|server| {
        let mut hosts = server.get("hosts").texts();
        hosts.any(|host| host::overlap(host::of_server(host).1, name))
    });
    servers.any(|server| way_in.port.is_none_or(|port| server.path(&["port", "number"]).integer() == port))
}

fn gateway_has_no_rule<'m>(way_in: &Hop<'m>, name: &str) -> Message<'m> {
    let gateway = way_in.gateway.full_name();
    let text = format!(
        "Sidecars send requests for {name} to {}, but no VirtualService has a rule for {name} at Gateway {gateway}: the \
         gateway answers 404 (NR) or resets the connection.",
        way_in.host
    );
    let remedy = format!(
        "In VirtualService {}, add {gateway} to gateways, and a rule with match gateways: [{gateway}] that sends to {name}.",
        way_in.service.full_name()
    );
    Message::new(&EGR0013, way_in.service, text).at(way_in.path.clone()).remedy(remedy)
}

fn gateway_does_not_listen<'m>(way_in: &Hop<'m>, name: &str) -> Message<'m> {
    let gateway = way_in.gateway.full_name();
    let port = way_in.port.map(|port| format!(" on port {port}")).unwrap_or_default();
    let text = format!(
        "Sidecars send requests for {name} to {}{port}, but Gateway {gateway} has no server for {name}{port}: the gateway \
         refuses them.",
        way_in.host
    );
    let remedy = format!(
        "Add a server for {name}{port} to Gateway {gateway}, or correct the port of the destination in VirtualService {}.",
        way_in.service.full_name()
    );
    Message::new(&EGR0013, way_in.service, text).at(way_in.path.clone()).remedy(remedy)
}

fn gateway_sends_to_itself<'m>(out: &Hop<'m>) -> Message<'m> {
    let gateway = out.gateway.full_name();
    let hosts: Vec<&str> = out.hosts().collect();
    let hosts = hosts.join(", ");
    let text = format!(
        "The rule applies at Gateway {gateway} as well and sends requests for {hosts} to {}, which is that gateway itself: \
         they go round in a circle.",
        out.host
    );
    let remedy = format!(
        "Give this rule of VirtualService {} a match with gateways: [mesh], and add one for gateways: [{gateway}] that sends \
         to {hosts}.",
        out.service.full_name()
    );
    Message::new(&EGR0013, out.service, text).at(out.path.clone()).remedy(remedy)
}
