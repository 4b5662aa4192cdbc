//! Finds `ServiceEntries` for what another entry, or a Service, is there for already.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, host};
use report::{Code, Severity};

/// Entries that give one port different protocols are IST0177.
pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/se-duplicate",
        reads: &[Kind::ServiceEntry, Kind::Service, Kind::MeshConfig],
        reports: &[&NET0014],
        by_default: true,
        run,
    },
};

static NET0014: Code = Code {
    id: "NET0014",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/networking/service-entry/#ServiceEntry",
    page: include_str!("pages/NET0014.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut entries: BTreeMap<(&str, i64), Vec<&'m Object>> = BTreeMap::new();
    for entry in mesh.each(Kind::ServiceEntry) {
        for (host, index) in entry.spec().get("hosts").texts().zip(0..) {
            for port in
                entry.spec().get("ports").items().map(|port| port.get("number").integer()).collect::<BTreeSet<_>>()
            {
                entries.entry((host, port)).or_default().push(entry);
            }
            let (namespace, name) = host::service_of("", host);
            if let Some(service) = mesh.find(Kind::Service, namespace, name).filter(|_| !namespace.is_empty()) {
                let path = Path::spec().key("hosts").index(index);
                messages.report(host_is_that_of_a_service(entry, host, service).at(path));
            }
        }
    }
    // One message for each pair, whatever number of hosts and ports they share.
    let mut reported: BTreeSet<(String, String)> = BTreeSet::new();
    check_kinds(mesh, &mut reported, messages);
    for ((host, port), mut entries) in entries {
        entries.sort_by_key(|entry| entry.age());
        entries.dedup_by_key(|entry| entry.age());
        let Some((first, later)) = entries.split_first() else { continue };
        for entry in later {
            let clash = mesh.is_seen_together(first, entry) && protocol(first, port) == protocol(entry, port);
            if clash && reported.insert((first.full_name(), entry.full_name())) {
                messages.report(entry_repeats_another(entry, host, port, first));
            }
        }
    }
}

/// Entries of one host are merged only where they agree on resolution and location; of others, the older one counts.
fn check_kinds<'m>(mesh: &'m Mesh, reported: &mut BTreeSet<(String, String)>, messages: &mut Messages<'m>) {
    let mut by_host: BTreeMap<&str, Vec<&'m Object>> = BTreeMap::new();
    for entry in mesh.each(Kind::ServiceEntry) {
        for host in entry.spec().get("hosts").texts() {
            by_host.entry(host).or_default().push(entry);
        }
    }
    for (host, mut entries) in by_host {
        entries.sort_by_key(|entry| entry.age());
        entries.dedup_by_key(|entry| entry.age());
        let Some((first, later)) = entries.split_first() else { continue };
        for entry in later {
            let differs = kind_of(first) != kind_of(entry);
            let own: BTreeSet<i64> = ports(first).collect();
            let lost: BTreeSet<i64> = ports(entry).filter(|port| !own.contains(port)).collect();
            let mut is_new = || reported.insert((first.full_name(), entry.full_name()));
            if differs && !lost.is_empty() && mesh.is_seen_together(first, entry) && is_new() {
                messages.report(ports_are_lost(entry, host, &lost, first));
            }
        }
    }
}

fn ports(entry: &Object) -> impl Iterator<Item = i64> {
    entry.spec().get("ports").items().map(|port| port.get("number").integer())
}

/// Resolution and location, with their defaults.
fn kind_of(entry: &Object) -> (&str, &str) {
    let of = |field: &str, usual| entry.spec().get(field).text_if_any().unwrap_or(usual);
    (of("resolution", "NONE"), of("location", "MESH_EXTERNAL"))
}

fn ports_are_lost<'m>(entry: &'m Object, host: &str, lost: &BTreeSet<i64>, first: &Object) -> Message<'m> {
    let lost: Vec<String> = lost.iter().map(i64::to_string).collect();
    let ((resolution, location), (of_first, place_of_first)) = (kind_of(entry), kind_of(first));
    let text = format!(
        "{host} is in {} as well, with {of_first} and {place_of_first} where this has {resolution} and {location}. Proxies do not \
         merge such entries and take the older one, so port {} of {host} is lost.",
        first.origin(),
        lost.join(", ")
    );
    let remedy = format!(
        "Put port {} into ServiceEntry {}, or give ServiceEntry {} the same resolution and location.",
        lost.join(", "),
        first.full_name(),
        entry.full_name()
    );
    Message::new(&NET0014, entry, text).at(Path::spec().key("ports")).remedy(remedy)
}

fn protocol(entry: &Object, port: i64) -> String {
    let mut ports = entry.spec().get("ports").items().filter(|it| it.get("number").integer() == port);
    ports.next().map(|port| port.get("protocol").text().to_uppercase()).unwrap_or_default()
}

fn entry_repeats_another<'m>(entry: &'m Object, host: &str, port: i64, first: &Object) -> Message<'m> {
    let text = format!(
        "Port {port} of {host} is also in {}, which the same proxies see: they mix the endpoints of both, or take those of \
         the older one only.",
        first.origin()
    );
    let remedy = format!(
        "Keep one ServiceEntry for {host} and export it to those who need it; delete {} or {}.",
        entry.full_name(),
        first.full_name()
    );
    Message::new(&NET0014, entry, text).at(Path::name()).remedy(remedy)
}

fn host_is_that_of_a_service<'m>(entry: &'m Object, host: &str, service: &Object) -> Message<'m> {
    let text =
        format!("{host} is the name of {}: proxies mix its endpoints with those of the entry.", service.origin());
    let remedy = format!(
        "Give the hosts of ServiceEntry {} a name of their own, unless it adds endpoints to the Service on purpose.",
        entry.full_name()
    );
    Message::new(&NET0014, entry, text).remedy(remedy)
}
