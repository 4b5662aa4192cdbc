//! Finds `ServiceEntries` of HTTP proxies that do not let CONNECT requests pass.

use std::collections::{BTreeMap, BTreeSet};

use super::http_proxies::{HttpProxy, http_proxies};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "egress/proxy-serviceentry-wrong",
        reads: &[Kind::Pod, Kind::Service, Kind::ServiceEntry, Kind::MeshConfig],
        reports: &[&EGR0004],
        by_default: true,
        run,
    },
};

static EGR0004: Code = Code {
    id: "EGR0004",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/http-proxy#istio-add-on-http-proxy-for-external-services",
    page: include_str!("pages/EGR0004.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut reported = BTreeSet::new();
    let mut of_proxies: BTreeMap<HttpProxy<'_>, Vec<&'m Object>> = BTreeMap::new();
    for ((namespace, proxy), pod) in http_proxies(mesh) {
        let entries = of_proxies.entry(proxy).or_insert_with(|| proxy.entries(mesh));
        let faults: Vec<_> =
            entries.iter().filter_map(|entry| Some((*entry, fault(mesh, entry, proxy, namespace)?))).collect();
        // One that is right is enough.
        if faults.len() < entries.len() {
            continue;
        }
        for (entry, fault) in faults {
            if reported.insert((entry.full_name(), proxy)) {
                messages.report(proxy_is_misdescribed(entry, proxy, pod, &fault));
            }
        }
    }
}

/// What keeps an entry from letting CONNECT requests of a namespace pass.
pub fn fault(mesh: &Mesh, entry: &Object, proxy: HttpProxy<'_>, namespace: &str) -> Option<String> {
    let spec = entry.spec();
    let mut ports = spec.get("ports").items().filter(|port| port.get("number").integer() == proxy.port);
    let Some(port) = ports.next() else { return Some(format!("has no port {}", proxy.port)) };
    let protocol = port.get("protocol").text();
    if !protocol.is_empty() && !protocol.eq_ignore_ascii_case("TCP") {
        return Some(format!("gives port {} the protocol {protocol} instead of TCP", proxy.port));
    }
    if spec.get("location").text() == "MESH_INTERNAL" {
        return Some("has the location MESH_INTERNAL, so that proxies send mutual TLS".to_owned());
    }
    if spec.get("addresses").is_empty() && entry.status().get("addresses").is_empty() {
        return Some(format!("has no addresses, so that it takes all traffic to port {}", proxy.port));
    }
    (!mesh.is_visible(entry, namespace)).then(|| format!("is not exported to namespace {namespace}"))
}

fn proxy_is_misdescribed<'m>(entry: &'m Object, proxy: HttpProxy<'_>, pod: &Object, fault: &str) -> Message<'m> {
    let HttpProxy { host, port } = proxy;
    let text = format!(
        "The entry of the HTTP proxy {host}:{port}, which {} uses, {fault}: CONNECT requests fail.",
        pod.origin()
    );
    let remedy = format!(
        "In ServiceEntry {}, set addresses: [PROXY-IP/32], location: MESH_EXTERNAL, ports: [{{number: {port}, name: tcp, \
         protocol: TCP}}], and export it to namespace {}.",
        entry.full_name(),
        pod.namespace()
    );
    Message::new(&EGR0004, entry, text).at(Path::spec().key("ports")).remedy(remedy)
}
