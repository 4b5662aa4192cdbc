//! The outside hosts that workloads are told to call and that their proxies do not know.

use std::collections::BTreeMap;

use mesh::{
    CalledHost, Kind, Mesh, Object, OutboundMode, OutboundPolicy, ServiceEntries, Workload, called_hosts,
    own_containers,
};

/// One host, as one workload's proxy sees it.
pub(super) struct UnknownHost<'m> {
    pub(super) pod: &'m Object,
    pub(super) called: CalledHost<'m>,
    pub(super) policy: OutboundPolicy,
    /// Entries that are there but that this proxy does not get to know.
    pub(super) hidden: Vec<&'m Object>,
}

/// What is read to find them.
pub(super) const READS: [Kind; 6] =
    [Kind::Pod, Kind::Service, Kind::ServiceEntry, Kind::Sidecar, Kind::Namespace, Kind::MeshConfig];

/// Each host once for a namespace, with the first pod that is told to call it, where proxies treat it in this way.
pub(super) fn unknown_hosts(mesh: &Mesh, mode: OutboundMode) -> Vec<UnknownHost<'_>> {
    let entries = ServiceEntries::new(mesh);
    let mut found: BTreeMap<(&str, &str), UnknownHost<'_>> = BTreeMap::new();
    for pod in mesh.each(Kind::Pod) {
        let workload = Workload::of_pod(pod);
        if !workload.has_proxy() || goes_another_way(pod) {
            continue;
        }
        for called in called_hosts(pod) {
            let key = (pod.namespace(), called.name);
            if found.contains_key(&key) || mesh.is_cluster_host(called.name) || is_excluded(pod, called.port) {
                continue;
            }
            let policy = mesh.outbound_policy(workload);
            if policy.mode == mode && entries.known_to(workload, called.name).is_empty() {
                let hidden = entries.of_host(called.name);
                found.insert(key, UnknownHost { pod, called, policy, hidden });
            }
        }
    }
    found.into_values().collect()
}

/// Whether traffic to the outside may leave a pod past its proxy, or through an HTTP proxy of the network.
fn goes_another_way(pod: &Object) -> bool {
    let annotated = |key: &str| pod.annotation(&format!("traffic.sidecar.istio.io/{key}")).unwrap_or_default();
    let includes = annotated("includeOutboundIPRanges");
    !matches!(includes, "" | "*")
        || !annotated("excludeOutboundIPRanges").is_empty()
        || pod.annotation("sidecar.istio.io/interceptionMode") == Some("NONE")
        || has_http_proxy(pod)
}

fn has_http_proxy(pod: &Object) -> bool {
    let mut variables = own_containers(pod).flat_map(|container| container.get("env").items());
    variables.any(|variable| {
        let name = variable.get("name").text().to_ascii_uppercase();
        matches!(name.as_str(), "HTTP_PROXY" | "HTTPS_PROXY" | "ALL_PROXY")
    })
}

fn is_excluded(pod: &Object, port: Option<u16>) -> bool {
    let list = pod.annotation("traffic.sidecar.istio.io/excludeOutboundPorts").unwrap_or_default();
    list.split(',')
        .map(str::trim)
        .any(|entry| entry == "*" || entry.parse().ok().is_some_and(|entry| port == Some(entry)))
}

/// Where the name stands: `variable UPSTREAMS of container ledger`.
pub(super) fn place(called: &CalledHost<'_>) -> String {
    match called.variable {
        Some(variable) => format!("variable {variable} of container {}", called.container),
        None => format!("an argument of container {}", called.container),
    }
}
