//! Finds rules by address at gateways that see the addresses of nodes instead of those of clients.

use std::collections::BTreeSet;

use crate::security::rules::{Part, Place, rules};
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, OWN_SETTINGS, Object, is_gateway, one_of_each};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "sec/authz-ipblocks",
        reads: &[Kind::AuthorizationPolicy, Kind::Pod, Kind::Service, Kind::ConfigMap],
        reports: &[&SEC0022],
        by_default: true,
        run,
    },
};

static SEC0022: Code = Code {
    id: "SEC0022",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/tasks/security/authorization/authz-ingress/#source-ip-address-of-the-original-client",
    page: include_str!("pages/SEC0022.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for policy in mesh.each(Kind::AuthorizationPolicy) {
        let by_address = rules(policy).flat_map(|rule| rule.parts).filter(|part| kind_of(part).is_some());
        let by_address: Vec<Part<'_>> = by_address.collect();
        if by_address.is_empty() {
            continue;
        }
        let pods = one_of_each(mesh.pods_under(policy));
        for part in &by_address {
            // How many addresses in front of a gateway are trusted decides over the address that remoteIpBlocks sees.
            let is_remote = kind_of(part) == Some(Address::Remote);
            let gateways = pods.iter().filter(|pod| is_gateway(pod) && !(is_remote && trusts_a_proxy(mesh, pod)));
            let services: BTreeSet<String> = gateways.flat_map(|pod| balanced_services(mesh, pod)).collect();
            if !services.is_empty() {
                let services: Vec<String> = services.into_iter().collect();
                messages.report(nodes_are_seen(policy, part, &services));
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Address {
    /// Of whoever opened the connection.
    Peer,
    /// By the header `X-Forwarded-For` or the PROXY protocol.
    Remote,
}

fn kind_of(part: &Part<'_>) -> Option<Address> {
    match (part.place, part.field) {
        (Place::From, "ipBlocks") | (Place::When, "source.ip") => Some(Address::Peer),
        (Place::From, "remoteIpBlocks") | (Place::When, "remote.ip") => Some(Address::Remote),
        _ => None,
    }
}

/// Whether the mesh, or the pod's own annotation, says how many proxies stand in front
/// (<https://istio.io/latest/docs/ops/configuration/traffic-management/network-topologies/>).
fn trusts_a_proxy(mesh: &Mesh, pod: &Object) -> bool {
    let topology = mesh.config_of(pod.namespace()).setting(&["defaultConfig", "gatewayTopology"]);
    topology.value.is_set() || pod.annotation(OWN_SETTINGS).is_some_and(|own| own.contains("gatewayTopology"))
}

/// The Services before a gateway that replace the address of the client by that of a node
/// (<https://kubernetes.io/docs/tasks/access-application-cluster/create-external-load-balancer/#preserving-the-client-source-ip>).
fn balanced_services(mesh: &Mesh, pod: &Object) -> Vec<String> {
    let services = mesh.services_selecting(pod.namespace(), pod.labels());
    let balanced = services.into_iter().filter(|service| {
        matches!(service.spec().get("type").text(), "LoadBalancer" | "NodePort")
            && service.spec().field("externalTrafficPolicy").text() != "Local"
    });
    balanced.map(Object::full_name).collect()
}

fn nodes_are_seen<'m>(policy: &'m Object, part: &Part<'_>, services: &[String]) -> Message<'m> {
    let text = format!(
        "{} compares the addresses of nodes, not of clients: externalTrafficPolicy of Service {} is Cluster.",
        part.name(),
        names(services)
    );
    let (namespace, name) = services[0].split_once('/').unwrap_or(("", &services[0]));
    let remedy = format!(
        "kubectl patch service {name} -n {namespace} --type merge -p '{{\"spec\":{{\"externalTrafficPolicy\":\"Local\"}}}}'. Where \
         another proxy stands in front, use remoteIpBlocks and set gatewayTopology.numTrustedProxies."
    );
    Message::new(&SEC0022, policy, text).at(path_of(part)).remedy(remedy)
}

fn path_of(part: &Part<'_>) -> Path {
    part.path.clone()
}
