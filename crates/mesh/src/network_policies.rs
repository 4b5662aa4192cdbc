//! What `NetworkPolicies` let through
//! (<https://kubernetes.io/docs/concepts/services-networking/network-policies/>).
//!
//! Only Kubernetes' own policies are known here. Where addresses decide and are not known, a connection counts as let
//! through.

use std::net::IpAddr;

use super::kind::Kind;
use super::labels::selector_matches;
use super::object::Object;
use super::snapshot::Mesh;
use super::view::View;

/// Which way a connection goes, seen from the pod that a policy selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ingress,
    Egress,
}

/// The other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer<'m> {
    pub namespace: &'m Object,
    pub pod: &'m Object,
    /// Of the pod, and of Services in front of it.
    pub addresses: Vec<&'m str>,
}

impl<'m> Peer<'m> {
    /// A pod, and the Services of its namespace that select it. `None` if its namespace is not known.
    pub fn of(mesh: &'m Mesh, pod: &'m Object) -> Option<Self> {
        let namespace = mesh.namespace(pod.namespace())?;
        let services = mesh.services_selecting(pod.namespace(), pod.labels());
        let of_services = services.into_iter().map(|service| service.spec().get("clusterIP").text());
        let own = pod.status().get("podIPs").items().map(|address| address.get("ip").text());
        let own = own.chain([pod.status().get("podIP").text()]);
        Some(Self { namespace, pod, addresses: own.chain(of_services).filter(|it| !it.is_empty()).collect() })
    }
}

impl Mesh {
    /// The policies that limit a pod in a direction. Without any, everything passes.
    pub fn network_policies(&self, pod: &Object, direction: Direction) -> Vec<&Object> {
        let policies = self.in_namespace(Kind::NetworkPolicy, pod.namespace());
        let selecting =
            policies.filter(|policy| selector_matches(policy.spec().get("podSelector"), |key| pod.label(key)));
        selecting.filter(|policy| limits(policy, direction)).collect()
    }
}

/// Without `policyTypes` a policy limits what comes in, and what goes out if it has rules for that.
fn limits(policy: &Object, direction: Direction) -> bool {
    let types = policy.spec().get("policyTypes");
    match direction {
        Direction::Ingress => types.is_empty() || types.texts().any(|name| name == "Ingress"),
        Direction::Egress if types.is_empty() => policy.spec().get("egress").is_set(),
        Direction::Egress => types.texts().any(|name| name == "Egress"),
    }
}

/// Whether one of these policies, all of one namespace, lets a connection out to a port of a peer.
pub fn lets_out(policies: &[&Object], peer: &Peer<'_>, port: i64, protocol: &str) -> bool {
    policies.iter().any(|policy| {
        policy.spec().get("egress").items().any(|rule| {
            let peers = rule.get("to");
            let names_peer = peers.is_empty() || peers.items().any(|to| is_peer(to, policy.namespace(), peer));
            names_peer && has_port(rule, peer.pod, port, protocol)
        })
    })
}

/// Whether one of these policies lets anybody in to a port of a pod.
pub fn lets_in(policies: &[&Object], pod: &Object, port: i64, protocol: &str) -> bool {
    let rules = policies.iter().flat_map(|policy| policy.spec().get("ingress").items());
    rules.into_iter().any(|rule| has_port(rule, pod, port, protocol))
}

fn is_peer(to: View<'_>, home: &str, peer: &Peer<'_>) -> bool {
    let block = to.get("ipBlock");
    if block.is_map() {
        let is_within = |range: &str, address: &str| contains(range, address).unwrap_or(true);
        let is_excepted =
            |address: &str| block.get("except").texts().any(|range| contains(range, address) == Some(true));
        let range = block.get("cidr").text();
        return peer.addresses.is_empty()
            || peer.addresses.iter().any(|address| is_within(range, address) && !is_excepted(address));
    }
    let namespaces = to.get("namespaceSelector");
    let is_there = if namespaces.is_set() {
        selector_matches(namespaces, |key| peer.namespace.label(key))
    } else {
        peer.namespace.name() == home
    };
    is_there && selector_matches(to.get("podSelector"), |key| peer.pod.label(key))
}

fn has_port(rule: View<'_>, pod: &Object, port: i64, protocol: &str) -> bool {
    let ports = rule.get("ports");
    ports.is_empty()
        || ports.items().any(|allowed| {
            let is_protocol = match allowed.get("protocol").text() {
                "" => protocol == "TCP",
                named => named == protocol,
            };
            let first = allowed.get("port");
            let is_port = match first.integer_if_any() {
                Some(first) => (first..=allowed.get("endPort").integer_if_any().unwrap_or(first)).contains(&port),
                None if first.is_set() => is_named(pod, first.text(), port),
                None => true,
            };
            is_protocol && is_port
        })
}

fn is_named(pod: &Object, name: &str, port: i64) -> bool {
    let mut ports = pod.spec().get("containers").items().flat_map(|container| container.get("ports").items());
    ports.any(|it| it.get("name").text() == name && it.get("containerPort").integer() == port)
}

/// Whether a range such as `10.0.0.0/8` contains an address; `None` where either cannot be read.
fn contains(range: &str, address: &str) -> Option<bool> {
    let (first, length) = range.split_once('/')?;
    let (first, address): (IpAddr, IpAddr) = (first.parse().ok()?, address.parse().ok()?);
    let length: u32 = length.parse().ok()?;
    let (first, address, all) = match (first, address) {
        (IpAddr::V4(first), IpAddr::V4(address)) => (u128::from(u32::from(first)), u128::from(u32::from(address)), 32),
        (IpAddr::V6(first), IpAddr::V6(address)) => (u128::from(first), u128::from(address), 128_u32),
        _ => return Some(false),
    };
    let host_bits = all.checked_sub(length)?;
    Some(first.checked_shr(host_bits).unwrap_or(0) == address.checked_shr(host_bits).unwrap_or(0))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{Extent, MeshBuilder, Settings};

    #[test]
    fn ranges_contain_addresses() {
        assert_eq!(contains("10.0.0.0/8", "10.200.1.1"), Some(true));
        assert_eq!(contains("10.0.0.0/8", "11.0.0.1"), Some(false));
        assert_eq!(contains("0.0.0.0/0", "192.168.0.1"), Some(true));
        assert_eq!(contains("::/0", "fd00::1"), Some(true));
        assert_eq!(contains("fd00::/64", "10.0.0.1"), Some(false));
        assert_eq!(contains("10.0.0.0/40", "10.0.0.1"), None);
        assert_eq!(contains("10.0.0.0", "?"), None);
    }

    const WORLD: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: mesh, labels: {name: mesh}}
---
apiVersion: v1
kind: Pod
metadata: {name: istiod, namespace: mesh, labels: {app: istiod}}
spec: {containers: [{ports: [{name: xds, containerPort: 15012}]}]}
status: {podIP: 10.1.0.9}
---
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop, labels: {app: cart}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: shop}
spec:
  podSelector: {matchLabels: {app: cart}}
  policyTypes: [Egress]
  egress: [RULE]
";

    fn reaches_istiod(rule: &str) -> bool {
        let mut builder = MeshBuilder::new(Settings {
            runtime_kinds: true,
            extent: Extent::Whole,
            ..Settings::new(jiff::Timestamp::UNIX_EPOCH)
        });
        builder.add_files(&[("mesh.yaml", WORLD.replace("RULE", rule).as_str())]);
        let mesh = builder.build();
        assert!(mesh.malformed().is_empty(), "{:?}", mesh.malformed());
        let pod = mesh.find(Kind::Pod, "shop", "cart").unwrap();
        let policies = mesh.network_policies(pod, Direction::Egress);
        assert!(mesh.network_policies(pod, Direction::Ingress).is_empty());
        assert_eq!(policies.len(), 1);
        let peer = Peer::of(&mesh, mesh.find(Kind::Pod, "mesh", "istiod").unwrap()).unwrap();
        lets_out(&policies, &peer, 15012, "TCP")
    }

    #[test]
    fn rules_name_peers_and_ports() {
        for (rule, expected) in [
            ("", false),
            ("{}", true),
            ("{ports: [{port: 443}]}", false),
            ("{ports: [{port: 15000, endPort: 15100}]}", true),
            ("{ports: [{port: xds}]}", true),
            ("{ports: [{port: 15012, protocol: UDP}]}", false),
            ("{to: [{namespaceSelector: {}}]}", true),
            ("{to: [{namespaceSelector: {matchLabels: {name: other}}}]}", false),
            (
                "{to: [{namespaceSelector: {matchLabels: {name: mesh}}, podSelector: {matchLabels: {app: istiod}}}]}",
                true,
            ),
            ("{to: [{podSelector: {}}]}", false),
            ("{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}", true),
            ("{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]}", false),
            ("{to: [{ipBlock: {cidr: 192.168.0.0/16}}]}", false),
        ] {
            assert_eq!(reaches_istiod(rule), expected, "{rule}");
        }
    }
}
