//! Finds outside hosts on ports that the sidecar itself listens on.

use std::collections::BTreeSet;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "net/redis-ports",
        reads: &[Kind::ServiceEntry, Kind::Pod],
        reports: &[&NET0019],
        by_default: true,
        run,
    },
};

static NET0019: Code = Code {
    id: "NET0019",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/deployment/application-requirements/#ports-used-by-istio",
    page: include_str!("pages/NET0019.md"),
};

/// Ports of a sidecar.
const RESERVED: [i64; 11] = [15000, 15001, 15002, 15004, 15006, 15008, 15009, 15020, 15021, 15053, 15090];

/// The annotation by which a pod's connections to ports go past its sidecar.
const EXCLUDED: &str = "traffic.sidecar.istio.io/excludeOutboundPorts";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut excluded: Option<BTreeSet<&str>> = None;
    for entry in mesh.each(Kind::ServiceEntry) {
        let reserved: BTreeSet<i64> = ports(entry).filter(|port| RESERVED.contains(port)).collect();
        if reserved.is_empty() {
            continue;
        }
        let excluded = excluded.get_or_insert_with(|| excluded_ports(mesh));
        let is_excluded = |port: &i64| excluded.contains("*") || excluded.contains(port.to_string().as_str());
        let colliding: BTreeSet<i64> = reserved.into_iter().filter(|port| !is_excluded(port)).collect();
        if !colliding.is_empty() {
            messages.report(ports_collide(entry, &colliding));
        }
    }
}

/// Those that clients connect to, which includes those of endpoints where a client finds them by itself.
fn ports(entry: &Object) -> impl Iterator<Item = i64> {
    let own = entry.spec().get("ports").items().map(|port| port.get("number").integer());
    let endpoints = entry.spec().get("endpoints").items().flat_map(|endpoint| endpoint.get("ports").entries());
    own.chain(endpoints.map(|(_, port)| port.integer()))
}

/// The ports that some pod leaves out: whoever did that knows of the trouble.
fn excluded_ports(mesh: &Mesh) -> BTreeSet<&str> {
    let lists = mesh.each(Kind::Pod).filter_map(|pod| pod.annotation(EXCLUDED));
    lists.flat_map(|list| list.split(',').map(str::trim)).collect()
}

fn ports_collide<'m>(entry: &'m Object, ports: &BTreeSet<i64>) -> Message<'m> {
    let ports: Vec<String> = ports.iter().map(i64::to_string).collect();
    let hosts: Vec<&str> = entry.spec().get("hosts").texts().collect();
    let text = format!(
        "Ports {} of {} are ports of the sidecar itself: connections to them end in the client's own proxy.",
        ports.join(", "),
        hosts.join(", ")
    );
    let remedy = format!(
        "On the pods that use {}, set the annotation {EXCLUDED}: \"{}\" in the pod template and restart them.",
        hosts.join(", "),
        ports.join(",")
    );
    Message::new(&NET0019, entry, text).at(Path::spec().key("ports")).remedy(remedy)
}
