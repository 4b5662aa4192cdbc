//! Finds servers that Istio leaves out because another has their port already, with another protocol.

use std::collections::BTreeMap;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Handling, Kind, Mesh, Object, Server};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/port-protocol-conflict",
        reads: &[Kind::Gateway, Kind::Pod],
        reports: &[&GWY0012],
        by_default: true,
        run,
    },
};

static GWY0012: Code = Code {
    id: "GWY0012",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/networking/gateway/",
    page: include_str!("pages/GWY0012.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut left_out: BTreeMap<(&str, &str, usize), (Server<'m>, Server<'m>)> = BTreeMap::new();
    for group in mesh.server_groups() {
        let mut servers = group.servers;
        // Istio goes through Gateways by age, and the first server on a port decides.
        servers.sort_by_key(|server| (age(server.gateway), server.index));
        let mut first: BTreeMap<(i64, &str), Server<'m>> = BTreeMap::new();
        for server in servers {
            let first = *first.entry((server.port(), server.view.get("bind").text())).or_insert(server);
            if !is_same(first, server) && !share(first.handling(), server.handling()) {
                let key = (server.gateway.namespace(), server.gateway.name(), server.index);
                left_out.insert(key, (server, first));
            }
        }
    }
    for (server, first) in left_out.into_values() {
        messages.report(port_is_taken(server, first));
    }
}

fn age(gateway: &Object) -> (&str, &str, &str) {
    (gateway.metadata().get("creationTimestamp").text(), gateway.namespace(), gateway.name())
}

fn is_same(a: Server<'_>, b: Server<'_>) -> bool {
    std::ptr::eq(a.gateway, b.gateway) && a.index == b.index
}

/// Hosts tell servers of plain HTTP apart, and server names those with TLS; nothing tells other bytes apart.
fn share(first: Handling, second: Handling) -> bool {
    match first {
        Handling::Http => second == Handling::Http,
        Handling::Https | Handling::TerminatedTls | Handling::Passthrough => second.is_tls(),
        Handling::Tcp => false,
    }
}

fn port_is_taken<'m>(server: Server<'m>, first: Server<'_>) -> Message<'m> {
    let port = server.port();
    let named = |server: Server<'_>| format!("{} ({})", server.view.path(&["port", "name"]).text(), server.protocol());
    let text = format!(
        "Server {} on port {port} conflicts with server {} of Gateway {}, which has that port of the same proxies: \
         Istio leaves this one out.",
        named(server),
        named(first),
        first.gateway.full_name(),
    );
    let remedy = "Give it another port number, or the same protocol: servers share a port only if all of them are \
                  plain HTTP, or all have TLS.";
    let path = Path::spec().key("servers").index(server.index).key("port");
    Message::new(&GWY0012, server.gateway, text).at(path).remedy(remedy)
}
