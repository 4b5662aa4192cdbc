//! Finds networks whose endpoints are to come from a cluster that nobody knows.

use std::collections::BTreeSet;

use super::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "meshnetworks.MeshNetworksAnalyzer",
    reads: &[Kind::MeshNetworks, Kind::Secret],
    reports: &[&IST0126],
    by_default: true,
    run,
};

static IST0126: Code = Code {
    id: "IST0126",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#Network-NetworkEndpoints",
    page: include_str!("pages/IST0126.md"),
};

/// The registries that every istiod has.
const BUILT_IN: [&str; 3] = ["Mock", "Kubernetes", "External"];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut known: BTreeSet<&str> = BUILT_IN.into();
    for secret in mesh.each(Kind::Secret) {
        // Each key of such a Secret is a cluster.
        if secret.label("istio/multiCluster") == Some("true") {
            known.extend(secret.root().get("data").entries().map(|(cluster, _)| cluster));
        }
    }
    for networks in mesh.each(Kind::MeshNetworks) {
        for (name, network) in networks.spec().get("networks").entries() {
            for endpoint in network.get("endpoints").items() {
                let registry = endpoint.field("fromRegistry").text();
                if !registry.is_empty() && !known.contains(registry) {
                    messages.report(registry_is_unknown(networks, registry, name));
                }
            }
        }
    }
}

fn registry_is_unknown<'m>(networks: &'m Object, registry: &str, network: &str) -> Message<'m> {
    Message::new(&IST0126, networks, format!("Unknown service registry {registry} in network {network}"))
}
