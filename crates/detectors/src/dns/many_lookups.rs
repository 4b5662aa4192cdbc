//! Finds meshes whose proxies look up many names.

use std::collections::BTreeMap;

use crate::wording::counted;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, Workload, host, is_finished, sidecars};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "dns/strict-dns-many",
        reads: &[Kind::ServiceEntry, Kind::Sidecar, Kind::Pod, Kind::Deployment, Kind::Namespace, Kind::ConfigMap],
        reports: &[&DNS0004],
        by_default: true,
        run,
    },
};

static DNS0004: Code = Code {
    id: "DNS0004",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-scale#service-entry",
    page: include_str!("pages/DNS0004.md"),
};

/// How long an answer is assumed to hold; `CoreDNS` gives its own answers this long.
const TTL_SECONDS: usize = 30;
/// Look-ups per second that are worth a word.
const MANY_PER_SECOND: usize = 100;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let entries: Vec<Entry<'_>> = mesh.each(Kind::ServiceEntry).filter_map(Entry::of).collect();
    if entries.is_empty() {
        return;
    }
    let proxies = proxies(mesh);
    let lookups = lookups(mesh, &entries, &proxies);
    let total: usize = lookups.iter().sum();
    // The entry that costs most stands for all.
    let dearest = entries.iter().zip(&lookups).max_by_key(|(_, lookups)| **lookups);
    if let Some((entry, of_entry)) = dearest
        && total / TTL_SECONDS >= MANY_PER_SECOND
    {
        messages.report(many_are_resolved(entry, entries.len(), proxies.values().sum(), total, *of_entry));
    }
}

/// A `ServiceEntry` whose names every proxy that sees it resolves by itself.
struct Entry<'m> {
    object: &'m Object,
    hosts: Vec<&'m str>,
    /// Names that are resolved for each host: its own, or those of its endpoints.
    names: usize,
    scopes: Vec<&'m str>,
}

impl<'m> Entry<'m> {
    fn of(object: &'m Object) -> Option<Self> {
        let spec = object.spec();
        if !matches!(spec.get("resolution").text(), "DNS" | "DNS_ROUND_ROBIN") {
            return None;
        }
        let addresses = spec.get("endpoints").items().map(|endpoint| endpoint.get("address").text());
        let (all, named) = addresses.fold((0, 0), |(all, named), address| {
            (all + 1, named + usize::from(address.parse::<std::net::IpAddr>().is_err()))
        });
        let names = if all == 0 { 1 } else { named };
        let scopes = host::scopes(object.namespace(), spec.field("exportTo").texts());
        (names > 0).then(|| Self { object, hosts: spec.get("hosts").texts().collect(), names, scopes })
    }

    fn is_visible(&self, namespace: &str) -> bool {
        self.scopes.iter().any(|scope| *scope == "*" || *scope == namespace)
    }

    /// The names that are resolved where the `egress.hosts` of a `Sidecar` limit what is known.
    fn names_imported(&self, egress: &[&str], home: &str) -> usize {
        if !self.is_visible(home) {
            return 0;
        }
        let is_imported = |host: &&&str| sidecars::imports(egress.iter().copied(), home, self.object.namespace(), host);
        self.names * self.hosts.iter().filter(is_imported).count()
    }

    /// The names that are resolved where nothing limits it, by these proxies of each namespace.
    fn lookups(&self, unlimited: &BTreeMap<&str, usize>, all_unlimited: usize) -> usize {
        let proxies = match self.scopes[..] {
            ["*"] => all_unlimited,
            ref scopes => scopes.iter().filter_map(|scope| unlimited.get(scope)).sum(),
        };
        proxies * self.names * self.hosts.len()
    }
}

/// How many names are resolved for each entry, over all proxies.
fn lookups(mesh: &Mesh, entries: &[Entry<'_>], proxies: &BTreeMap<Scope<'_>, usize>) -> Vec<usize> {
    let mut by_namespace: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (entry, index) in entries.iter().zip(0..) {
        by_namespace.entry(entry.object.namespace()).or_default().push(index);
    }
    let mut lookups = vec![0; entries.len()];
    let mut unlimited: BTreeMap<&str, usize> = BTreeMap::new();
    for ((home, limit), count) in proxies {
        let Some(sidecar) = limit.and_then(|(namespace, name)| mesh.find(Kind::Sidecar, namespace, name)) else {
            *unlimited.entry(home).or_default() += count;
            continue;
        };
        let egress = sidecars::egress_hosts(sidecar);
        let seen: Vec<usize> = match sidecars::imported_namespaces(egress.iter().copied(), home) {
            None => (0..entries.len()).collect(),
            Some(names) => names.iter().filter_map(|name| by_namespace.get(name)).flatten().copied().collect(),
        };
        for index in seen {
            lookups[index] += count * entries[index].names_imported(&egress, home);
        }
    }
    let all_unlimited = unlimited.values().sum();
    for (entry, lookups) in entries.iter().zip(&mut lookups) {
        *lookups += entry.lookups(&unlimited, all_unlimited);
    }
    lookups
}

/// What proxies that see the same have in common: their namespace, and namespace and name of the `Sidecar` in force.
type Scope<'m> = (&'m str, Option<(&'m str, &'m str)>);

/// How many proxies there are of each scope: the pods, or the replicas that are wanted where there are more.
fn proxies(mesh: &Mesh) -> BTreeMap<Scope<'_>, usize> {
    let scope =
        |workload: Workload<'_>| mesh.sidecar_scope(workload).map(|sidecar| (sidecar.namespace(), sidecar.name()));
    let mut proxies: BTreeMap<Scope<'_>, usize> = BTreeMap::new();
    for pod in mesh.each(Kind::Pod) {
        let workload = Workload::of_pod(pod);
        if workload.has_proxy() && !is_finished(pod) {
            *proxies.entry((pod.namespace(), scope(workload))).or_default() += 1;
        }
    }
    let mut wanted: BTreeMap<Scope<'_>, usize> = BTreeMap::new();
    for deployment in mesh.each(Kind::Deployment) {
        let workload = Workload::of_deployment(deployment);
        if mesh.is_in_mesh(workload) {
            let replicas = deployment.spec().get("replicas").integer_if_any().unwrap_or(1);
            let wanted = wanted.entry((deployment.namespace(), scope(workload))).or_default();
            *wanted += usize::try_from(replicas).unwrap_or(0);
        }
    }
    for (scope, count) in wanted {
        let running = proxies.entry(scope).or_default();
        *running = count.max(*running);
    }
    proxies
}

fn many_are_resolved<'m>(
    entry: &Entry<'m>,
    entries: usize,
    proxies: usize,
    total: usize,
    of_entry: usize,
) -> Message<'m> {
    let text = format!(
        "{} resolve the names of {}, {total} look-ups in all, {of_entry} of them for this one: about {} queries per second if \
         answers hold {TTL_SECONDS} s.",
        counted(proxies, "proxy", "proxies"),
        counted(entries, "ServiceEntry", "ServiceEntries"),
        total / TTL_SECONDS
    );
    let name = entry.object.full_name();
    let remedy = format!(
        "Set resolution: NONE in ServiceEntry {name} where the application resolves the name itself (TLS, HTTP; not behind an \
         egress gateway), and exportTo: [\".\"] where only its namespace calls it."
    );
    Message::new(&DNS0004, entry.object, text).at(Path::spec().key("resolution")).remedy(remedy)
}
