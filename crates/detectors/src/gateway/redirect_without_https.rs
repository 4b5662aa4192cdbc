//! Finds redirects to HTTPS for hosts that the gateway does not serve over HTTPS.

use std::collections::BTreeSet;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{HostIndex, Kind, Mesh, Server};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "gw/redirect-loop",
        reads: &[Kind::Gateway, Kind::Pod],
        reports: &[&GWY0020],
        by_default: true,
        run,
    },
};

static GWY0020: Code = Code {
    id: "GWY0020",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/networking/gateway/#ServerTLSSettings",
    page: include_str!("pages/GWY0020.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut seen = BTreeSet::new();
    for group in mesh.server_groups() {
        let with_tls = group.servers.iter().filter(|server| server.handling().is_tls());
        let hosts = HostIndex::new(with_tls.flat_map(|server| server.hosts()).map(|(_, host)| (host, ())));
        for server in group.servers.iter().filter(|server| server.redirects_to_https()) {
            let plain = server.hosts().map(|(_, host)| host).filter(|host| hosts.overlapping(host).next().is_none());
            let plain: Vec<&str> = plain.collect();
            let key = (server.gateway.namespace(), server.gateway.name(), server.index);
            if !plain.is_empty() && seen.insert(key) {
                messages.report(leads_nowhere(*server, &plain));
            }
        }
    }
}

fn leads_nowhere<'m>(server: Server<'m>, hosts: &[&str]) -> Message<'m> {
    let (port, hosts) = (server.port(), hosts.join(", "));
    let text = format!(
        "Port {port} redirects {hosts} to HTTPS, but no server of these proxies takes HTTPS for it. If a proxy in \
         front ends TLS and speaks HTTP to the gateway, every request is redirected again, without end."
    );
    let remedy = "Remove httpsRedirect where something in front of the gateway ends TLS, and redirect there; else add \
                  a server for port 443 with the hosts and their certificate.";
    let path = Path::spec().key("servers").index(server.index).key("tls").key("httpsRedirect");
    Message::new(&GWY0020, server.gateway, text).at(path).remedy(remedy)
}
