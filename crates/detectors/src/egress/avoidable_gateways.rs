//! Finds egress gateways that workloads may go around.

use std::collections::{BTreeMap, BTreeSet};

use super::routes::Routes;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, OutboundMode, Workload, own_containers};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Hint,
    rule: Analyzer {
        name: "egress/bypass",
        reads: &[
            Kind::VirtualService,
            Kind::Gateway,
            Kind::ServiceEntry,
            Kind::Service,
            Kind::Pod,
            Kind::Sidecar,
            Kind::Namespace,
            Kind::MeshConfig,
        ],
        reports: &[&EGR0016],
        by_default: true,
        run,
    },
};

static EGR0016: Code = Code {
    id: "EGR0016",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/tasks/traffic-management/egress/egress-gateway/#additional-security-considerations",
    page: include_str!("pages/EGR0016.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let routes = Routes::new(mesh);
    let mut by_gateway: BTreeMap<String, (&Object, BTreeSet<&str>)> = BTreeMap::new();
    for way_in in &routes.ways_in {
        let hosts = by_gateway.entry(way_in.gateway.full_name()).or_insert((way_in.gateway, BTreeSet::new()));
        hosts.1.extend(way_in.hosts());
    }
    if by_gateway.is_empty() {
        return;
    }
    let free = free_namespaces(mesh);
    if !free.is_empty() {
        for (gateway, hosts) in by_gateway.into_values() {
            messages.report(gateway_may_be_avoided(gateway, &hosts, &free));
        }
    }
}

/// The namespaces with applications whose proxies let traffic to unknown hosts pass.
fn free_namespaces(mesh: &Mesh) -> BTreeSet<&str> {
    let mut free = BTreeSet::new();
    for pod in mesh.each(Kind::Pod) {
        let workload = Workload::of_pod(pod);
        let is_application = workload.has_proxy() && own_containers(pod).next().is_some();
        if is_application
            && !free.contains(pod.namespace())
            && mesh.outbound_policy(workload).mode == OutboundMode::AllowAny
        {
            free.insert(pod.namespace());
        }
    }
    free
}

fn gateway_may_be_avoided<'m>(gateway: &'m Object, hosts: &BTreeSet<&str>, free: &BTreeSet<&str>) -> Message<'m> {
    let hosts: Vec<&str> = hosts.iter().copied().collect();
    let names: Vec<&str> = free.iter().take(5).copied().collect();
    let more = if free.len() > 5 { ", …" } else { "" };
    let text = format!(
        "Traffic for {} goes through this gateway, but the outbound traffic policy of namespaces {}{more} is ALLOW_ANY: what \
         an application sends to another name, port or address of the same server goes around it.",
        hosts.join(", "),
        names.join(", ")
    );
    let remedy = "Where it must not be avoided, set outboundTrafficPolicy.mode REGISTRY_ONLY (mesh configuration or Sidecar), \
                  and let NetworkPolicies allow only the gateway's pods to leave the cluster.";
    Message::new(&EGR0016, gateway, text).at(Path::name()).remedy(remedy)
}
