//! Finds `NetworkPolicies` that cut proxies off istiod or the cluster's DNS, or cut istiod off everybody.

use std::collections::BTreeMap;

use crate::wording::some_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::network_policies::{Direction, Peer, lets_in, lets_out};
use mesh::{Kind, Mesh, Object, Proxy, REVISION};
use report::{Code, Severity};

/// The usual address of a DNS cache on the node.
const NODE_CACHE: &str = "169.254.20.10";

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "cp/netpol-blocks-istiod",
        reads: &[
            Kind::NetworkPolicy,
            Kind::Namespace,
            Kind::Pod,
            Kind::Service,
            Kind::Deployment,
            Kind::StatefulSet,
            Kind::DaemonSet,
            Kind::Job,
        ],
        reports: &[&CPL0106],
        by_default: true,
        run,
    },
};

static CPL0106: Code = Code {
    id: "CPL0106",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/deployment/application-requirements/#ports-used-by-istio",
    page: include_str!("pages/CPL0106.md"),
};

/// Where proxies get their configuration and certificates.
const PROXIES: i64 = 15012;
/// Where the API server asks about pods and configuration.
const WEBHOOKS: i64 = 15017;
const DNS: i64 = 53;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let istiods = istiods(mesh);
    for istiod in &istiods {
        let policies = mesh.network_policies(istiod.pod, Direction::Ingress);
        let closed: Vec<i64> =
            [PROXIES, WEBHOOKS].into_iter().filter(|port| !lets_in(&policies, istiod.pod, *port, "TCP")).collect();
        if let Some(policy) = policies.first().filter(|_| !closed.is_empty()) {
            messages.report(nobody_reaches_istiod(policy, istiod.pod, &closed));
            break;
        }
    }
    let dns = dns(mesh);
    let mut cut_off: BTreeMap<&str, CutOff<'m>> = BTreeMap::new();
    for (workload, pods) in mesh.workloads() {
        let Some(proxy) = pods.into_iter().find_map(Proxy::of) else { continue };
        let policies = mesh.network_policies(proxy.pod, Direction::Egress);
        let Some(policy) = policies.first().copied() else { continue };
        let own = |peer: &&Peer<'_>| proxy.revision().is_none_or(|revision| revision_of(peer.pod) == revision);
        let mut reached = istiods.iter().filter(own).peekable();
        let no_istiod = reached.peek().is_some() && !reached.any(|peer| lets_out(&policies, peer, PROXIES, "TCP"));
        let no_dns = !dns.is_empty() && !dns.iter().any(|peer| lets_out(&policies, peer, DNS, "UDP"));
        if no_istiod || no_dns {
            let found = cut_off.entry(workload.namespace()).or_insert_with(|| CutOff {
                policy,
                no_istiod: false,
                no_dns: false,
                workloads: Vec::new(),
            });
            found.no_istiod |= no_istiod;
            found.no_dns |= no_dns;
            found.workloads.push(workload.name());
        }
    }
    for (namespace, found) in cut_off {
        messages.report(proxies_are_cut_off(mesh, namespace, &found));
    }
}

/// Workloads of a namespace whose proxies do not get out.
struct CutOff<'m> {
    policy: &'m Object,
    no_istiod: bool,
    no_dns: bool,
    workloads: Vec<&'m str>,
}

fn istiods(mesh: &Mesh) -> Vec<Peer<'_>> {
    let pods = mesh.in_namespace(Kind::Pod, mesh.istio_namespace()).filter(|pod| pod.label("app") == Some("istiod"));
    pods.filter_map(|pod| Peer::of(mesh, pod)).collect()
}

/// The cluster's DNS. A cache on the node is reached by an address of the node's own, which counts as well
/// (<https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/>).
fn dns(mesh: &Mesh) -> Vec<Peer<'_>> {
    let pods = mesh.in_namespace(Kind::Pod, "kube-system").filter(|pod| pod.label("k8s-app") == Some("kube-dns"));
    let mut peers: Vec<Peer<'_>> = pods.filter_map(|pod| Peer::of(mesh, pod)).collect();
    for peer in &mut peers {
        peer.addresses.push(NODE_CACHE);
    }
    peers
}

fn revision_of(istiod: &Object) -> &str {
    istiod.label(REVISION).unwrap_or("default")
}

fn nobody_reaches_istiod<'m>(policy: &'m Object, istiod: &Object, closed: &[i64]) -> Message<'m> {
    let ports: Vec<String> = closed.iter().map(i64::to_string).collect();
    let text = format!(
        "No policy lets anybody in to TCP {} of pod {}: {PROXIES} is where proxies get their configuration, {WEBHOOKS} \
         where the API server asks about new pods and objects.",
        ports.join(" and "),
        istiod.name()
    );
    let remedy = format!(
        "Allow ingress to {PROXIES} and {WEBHOOKS} (and 15014 for metrics) from everywhere in NetworkPolicy {}.",
        policy.full_name()
    );
    Message::new(&CPL0106, policy, text).remedy(remedy)
}

fn proxies_are_cut_off<'m>(mesh: &Mesh, namespace: &str, found: &CutOff<'m>) -> Message<'m> {
    let mut ends = Vec::new();
    if found.no_istiod {
        ends.push(format!("istiod (TCP {PROXIES} in {})", mesh.istio_namespace()));
    }
    if found.no_dns {
        ends.push(format!("the cluster's DNS (UDP {DNS} in kube-system), which knows istiod's name"));
    }
    let text =
        format!("NetworkPolicies keep the proxies of {} from {}.", some_of(&found.workloads), ends.join(", and from "));
    let rule = |target: &str, port: i64, protocol: &str| {
        format!(
            "{{to: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {target}}}}}}}], ports: \
             [{{port: {port}, protocol: {protocol}}}]}}"
        )
    };
    let mut rules = Vec::new();
    if found.no_istiod {
        rules.push(rule(mesh.istio_namespace(), PROXIES, "TCP"));
    }
    if found.no_dns {
        rules.push(rule("kube-system", DNS, "UDP"));
    }
    let remedy = format!(
        "Add a NetworkPolicy to namespace {namespace} with podSelector: {{}}, policyTypes: [Egress] and egress: [{}]",
        rules.join(", ")
    );
    Message::new(&CPL0106, found.policy, text).at(Path::spec().key("egress")).remedy(remedy)
}
