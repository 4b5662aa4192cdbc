//! Finds `DestinationRule`s that wrap what is TLS already into TLS again.

use std::collections::{BTreeSet, HashSet};

use crate::client_tls::{ClientTls, client_tls};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{HostIndex, Kind, Mesh, Object, View, host};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/double-tls-egress",
        reads: &[Kind::DestinationRule, Kind::ServiceEntry, Kind::VirtualService],
        reports: &[&NET0017],
        by_default: true,
        run,
    },
};

static NET0017: Code = Code {
    id: "NET0017",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/common-problems/network-issues/#double-tls",
    page: include_str!("pages/NET0017.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let entries: Vec<(&str, &Object)> = mesh
        .each(Kind::ServiceEntry)
        .flat_map(|entry| entry.spec().get("hosts").texts().map(move |host| (host, entry)))
        .collect();
    let by_host = HostIndex::new(entries.iter().zip(0..).map(|((host, _), position)| (*host, position)));
    let plain = plain_destinations(mesh);
    for rule in mesh.each(Kind::DestinationRule) {
        let host = host::fqdn(rule.namespace(), rule.spec().get("host").text());
        for tls in client_tls(rule).into_iter().filter(|tls| matches!(tls.mode, "SIMPLE" | "MUTUAL")) {
            let positions: BTreeSet<usize> = by_host.overlapping(&host).collect();
            for (entry_host, entry) in positions.into_iter().map(|position| entries[position]) {
                let is_plain = |port: i64| plain.contains(&(entry_host, port)) || plain.contains(&(entry_host, 0));
                let doubled = tls_ports(entry).find(|port| tls.covers(*port) && !is_plain(*port));
                if let Some(port) = doubled.filter(|_| host::is_subset(entry_host, &host)) {
                    messages.report(tls_is_wrapped_again(rule, &tls, (entry, entry_host, port)));
                }
            }
        }
    }
}

/// The ports to which clients are to send TLS themselves.
fn tls_ports(entry: &Object) -> impl Iterator<Item = i64> {
    let ports = entry.spec().get("ports").items();
    let is_tls = |port: &View<'_>| matches!(port.get("protocol").text().to_uppercase().as_str(), "HTTPS" | "TLS");
    ports.filter(is_tls).map(|port| port.get("number").integer())
}

/// Hosts and ports that http rules send requests to, such as those of an egress gateway that makes TLS of them. Port 0
/// stands for all.
fn plain_destinations(mesh: &Mesh) -> HashSet<(&str, i64)> {
    let rules = mesh.each(Kind::VirtualService).flat_map(|service| service.spec().get("http").items());
    let destinations = rules.flat_map(|rule| rule.get("route").items()).map(|route| route.get("destination"));
    destinations
        .map(|destination| (destination.get("host").text(), destination.path(&["port", "number"]).integer()))
        .collect()
}

fn tls_is_wrapped_again<'m>(
    rule: &'m Object,
    tls: &ClientTls<'_>,
    (entry, host, port): (&Object, &str, i64),
) -> Message<'m> {
    let text = format!(
        "Clients send TLS to port {port} of {host} ({}), and tls.mode {} wraps it into TLS again: the server understands \
         neither (WRONG_VERSION_NUMBER).",
        entry.origin(),
        tls.mode
    );
    let remedy = format!(
        "Remove the tls block from DestinationRule {}, if clients send HTTPS. If the proxy is to do it, give port {port} of \
         ServiceEntry {} the protocol HTTP and let clients send http://{host}:{port}.",
        rule.full_name(),
        entry.full_name()
    );
    Message::new(&NET0017, rule, text).at(tls.path.clone().key("mode")).remedy(remedy)
}
