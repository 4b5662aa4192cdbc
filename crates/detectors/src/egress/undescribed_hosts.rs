//! Finds workloads that are told to call hosts which pass their proxies undescribed.

use std::collections::BTreeMap;

use super::unknown_hosts::{READS, UnknownHost, unknown_hosts};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Mesh, OutboundMode};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "egress/passthrough", reads: &READS, reports: &[&EGR0002], by_default: true, run },
};

static EGR0002: Code = Code {
    id: "EGR0002",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/tasks/traffic-management/egress/egress-control/#envoy-passthrough-to-external-services",
    page: include_str!("pages/EGR0002.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut by_namespace: BTreeMap<&str, Vec<UnknownHost<'m>>> = BTreeMap::new();
    for unknown in unknown_hosts(mesh, OutboundMode::AllowAny) {
        by_namespace.entry(unknown.pod.namespace()).or_default().push(unknown);
    }
    for hosts in by_namespace.values() {
        messages.report(hosts_pass_undescribed(mesh, hosts));
    }
}

fn hosts_pass_undescribed<'m>(mesh: &'m Mesh, hosts: &[UnknownHost<'m>]) -> Message<'m> {
    let first = &hosts[0];
    let namespace = first.pod.namespace();
    let names: Vec<&str> = hosts.iter().take(5).map(|unknown| unknown.called.name).collect();
    let more = if hosts.len() > 5 { format!(" and {} more", hosts.len() - 5) } else { String::new() };
    let text = format!(
        "Workloads of namespace {namespace} are told to call outside hosts that no ServiceEntry describes: {}{more}. Their \
         traffic passes (PassthroughCluster), without routes, policies or metrics of its own.",
        names.join(", ")
    );
    let remedy = format!(
        "Add ServiceEntries in namespace {namespace} for the hosts that matter, and leave the others as they are."
    );
    Message::new(&EGR0002, mesh.namespace(namespace).unwrap_or(first.pod), text).remedy(remedy)
}
