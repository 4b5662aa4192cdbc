//! Finds workloads that are told to call hosts which their proxies block.

use super::unknown_hosts::{READS, UnknownHost, place, unknown_hosts};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Mesh, Object, OutboundMode};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "egress/registry-only", reads: &READS, reports: &[&EGR0001], by_default: true, run },
};

static EGR0001: Code = Code {
    id: "EGR0001",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/tasks/traffic-management/egress/egress-control/",
    page: include_str!("pages/EGR0001.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for unknown in unknown_hosts(mesh, OutboundMode::RegistryOnly) {
        messages.report(host_is_blocked(&unknown));
    }
}

fn host_is_blocked<'m>(unknown: &UnknownHost<'m>) -> Message<'m> {
    let UnknownHost { pod, called, policy, hidden } = unknown;
    let (host, namespace) = (called.name, pod.namespace());
    let from = policy.from.as_deref().map(|from| format!(" ({from})")).unwrap_or_default();
    let text = format!(
        "It is told to call {host} ({}), which its proxy does not know, and the outbound traffic policy is \
         REGISTRY_ONLY{from}: requests get 502, TLS connections are reset (BlackHoleCluster).",
        place(called)
    );
    let remedy = match hidden.first() {
        Some(entry) => format!(
            "{} has the host, but namespace {namespace} does not get to know it: export it there (exportTo), and let the \
             Sidecar of {namespace}, if there is one, name {}/{host} among its egress hosts.",
            entry.origin(),
            entry.namespace(),
        ),
        None => format!(
            "Add a ServiceEntry in namespace {namespace}: hosts: [{host}], location: MESH_EXTERNAL, resolution: DNS, \
             ports: [{}].",
            port_of(called.scheme, called.port)
        ),
    };
    let pod: &'m Object = pod;
    Message::new(&EGR0001, pod, text).remedy(remedy)
}

fn port_of(scheme: &str, port: Option<u16>) -> String {
    let protocol = match scheme {
        "http" | "ws" => "HTTP",
        "https" | "wss" => "TLS",
        _ => "TCP",
    };
    let number = port.map_or_else(|| "PORT".to_owned(), |port| port.to_string());
    format!("{{number: {number}, name: {}, protocol: {protocol}}}", protocol.to_lowercase())
}
