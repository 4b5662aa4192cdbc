//! How many look-ups the mesh makes: Envoy resolves each host of a `ServiceEntry` with DNS resolution by itself, in every
//! proxy that knows it, whether anybody calls it or not.
//!
//! See <https://istio.io/latest/docs/ops/configuration/traffic-management/dns/> and
//! <https://learn.microsoft.com/azure/aks/istio-scale#service-entry>.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::proxy_sample::ProxyPod;
use super::data::{DnsRefreshRate, EntryQueries, MeshDns};
use mesh::{Kind, Mesh, Object, View, Workload, host, sidecars};

/// Between these the TTL of most names lies.
const TTLS_S: (f64, f64) = (5.0, 60.0);
/// What Istio sets where nothing else is
/// (<https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-dns_refresh_rate>).
const DEFAULT_REFRESH_RATE: &str = "60s";
const NOTE: &str = "An estimate: hosts (times ports and subsets) times the proxies that know them, divided by the TTL. Envoy \
    looks a name up again when the TTL of its answer is over, which only the answers tell, and after dnsRefreshRate where \
    the look-up failed. Search domains and look-ups of the applications come on top.";

/// Proxies that know the same services.
struct Group<'m> {
    namespace: &'m str,
    sidecar: Option<&'m Object>,
    proxies: usize,
}

/// What all proxies together ask for. What some of them answered is added later.
pub(super) fn queries(mesh: &Mesh, proxies: &[ProxyPod], ttl_s: u32) -> MeshDns {
    let groups = groups(mesh, proxies);
    let subsets = subsets(mesh);
    let mut entries: Vec<EntryQueries> = mesh
        .each(Kind::ServiceEntry)
        .filter(|entry| is_resolved(entry))
        .map(|entry| of_entry(mesh, entry, &groups, &subsets, ttl_s))
        .collect();
    entries.sort_by(|a, b| (b.look_ups * b.proxies).cmp(&(a.look_ups * a.proxies)).then_with(|| key(a).cmp(&key(b))));
    let look_ups = entries.iter().map(|entry| entry.look_ups * entry.proxies).sum();
    MeshDns {
        proxies: proxies.len(),
        entries,
        look_ups,
        assumed_ttl_s: ttl_s,
        queries_per_s: per_second(look_ups, ttl_s.into()),
        least_queries_per_s: per_second(look_ups, TTLS_S.1),
        most_queries_per_s: per_second(look_ups, TTLS_S.0),
        percent_of_load: None,
        refresh_rates: refresh_rates(mesh),
        note: NOTE,
        asked: Vec::new(),
    }
}

fn key(entry: &EntryQueries) -> (&str, &str) {
    (&entry.namespace, &entry.name)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn per_second(look_ups: usize, ttl_s: f64) -> f64 {
    (look_ups as f64 / ttl_s * 100.0).round() / 100.0
}

fn is_resolved(entry: &Object) -> bool {
    entry.spec().get("resolution").text().starts_with("DNS")
}

fn groups<'m>(mesh: &'m Mesh, proxies: &[ProxyPod]) -> Vec<Group<'m>> {
    let mut groups: BTreeMap<(&str, Option<String>), Group<'m>> = BTreeMap::new();
    for proxy in proxies {
        let Some(pod) = mesh.find(Kind::Pod, &proxy.namespace, &proxy.name) else { continue };
        let sidecar = if proxy.is_gateway { None } else { mesh.sidecar_scope(Workload::of_pod(pod)) };
        let new = || Group { namespace: pod.namespace(), sidecar, proxies: 0 };
        groups.entry((pod.namespace(), sidecar.map(Object::full_name))).or_insert_with(new).proxies += 1;
    }
    groups.into_values().collect()
}

/// Subsets of each host: each is a cluster of its own, and resolves by itself.
fn subsets(mesh: &Mesh) -> BTreeMap<String, usize> {
    let mut subsets = BTreeMap::new();
    for rule in mesh.each(Kind::DestinationRule) {
        let name = host::fqdn(rule.namespace(), rule.spec().get("host").text());
        let count: &mut usize = subsets.entry(name).or_default();
        *count = (*count).max(rule.spec().get("subsets").items().count());
    }
    subsets
}

fn of_entry(
    mesh: &Mesh,
    entry: &Object,
    groups: &[Group<'_>],
    subsets: &BTreeMap<String, usize>,
    ttl_s: u32,
) -> EntryQueries {
    let spec = entry.spec();
    let hosts: Vec<&str> = spec.get("hosts").texts().collect();
    let resolution = spec.get("resolution").text();
    let ports = spec.get("ports").items().count().max(1);
    // Endpoints take the place of the host; without them a wildcard cannot be looked up.
    let endpoints = spec.get("endpoints");
    let names = endpoints.items().filter(|endpoint| is_name(endpoint.get("address"))).count();
    let names = if resolution == "DNS_ROUND_ROBIN" { names.min(1) } else { names };
    let of_host = |name: &str| {
        let own = if endpoints.is_empty() { usize::from(!name.starts_with('*')) } else { names };
        own * (1 + subsets.get(name).copied().unwrap_or_default())
    };
    let look_ups = ports * hosts.iter().map(|name| of_host(name)).sum::<usize>();
    let knows = |group: &&Group<'_>| {
        is_exported(mesh, entry, group.namespace)
            && hosts.iter().any(|name| is_imported(entry.namespace(), name, group))
    };
    let proxies = groups.iter().filter(knows).map(|group| group.proxies).sum();
    EntryQueries {
        namespace: entry.namespace().to_owned(),
        name: entry.name().to_owned(),
        resolution: resolution.to_owned(),
        hosts: hosts.into_iter().map(str::to_owned).collect(),
        look_ups,
        proxies,
        queries_per_s: per_second(look_ups * proxies, ttl_s.into()),
        unresolved_in: 0,
        asked: 0,
    }
}

fn is_name(address: View<'_>) -> bool {
    let text = address.text();
    !text.is_empty() && !text.starts_with("unix:") && text.parse::<IpAddr>().is_err()
}

fn is_exported(mesh: &Mesh, entry: &Object, to: &str) -> bool {
    let own = entry.spec().field("exportTo");
    let scopes =
        if own.is_empty() { mesh.config_of(entry.namespace()).setting(&["defaultServiceExportTo"]).value } else { own };
    host::scopes(entry.namespace(), scopes.texts()).into_iter().any(|scope| scope == "*" || scope == to)
}

fn is_imported(namespace: &str, name: &str, group: &Group<'_>) -> bool {
    group
        .sidecar
        .is_none_or(|sidecar| sidecars::imports(sidecars::egress_hosts(sidecar), group.namespace, namespace, name))
}

fn refresh_rates(mesh: &Mesh) -> Vec<DnsRefreshRate> {
    let rate = |revision: &str, config: &mesh::MeshConfig| {
        let setting = config.setting(&["dnsRefreshRate"]);
        let text = setting.value.written();
        DnsRefreshRate {
            revision: revision.to_owned(),
            value: if text.is_empty() { DEFAULT_REFRESH_RATE.to_owned() } else { text.to_owned() },
            set_by: setting.from.map(str::to_owned),
        }
    };
    if mesh.configs().is_empty() {
        return vec![rate("default", mesh.config())];
    }
    mesh.configs().iter().map(|(revision, config)| rate(revision, config)).collect()
}
