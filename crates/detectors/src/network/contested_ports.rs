//! Finds `ServiceEntries` without addresses that want all traffic of one port.

use std::collections::BTreeMap;

use crate::{Certainty, Detector};
use analyzers::service_entry_addresses::{has_address, is_opaque};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

/// That such an entry needs an address is IST0134.
pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/listener-conflict",
        reads: &[Kind::ServiceEntry, Kind::MeshConfig],
        reports: &[&NET0026],
        by_default: true,
        run,
    },
};

static NET0026: Code = Code {
    id: "NET0026",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/networking/service-entry/#ServiceEntry",
    page: include_str!("pages/NET0026.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut claims: BTreeMap<i64, Vec<&'m Object>> = BTreeMap::new();
    for entry in mesh.each(Kind::ServiceEntry).filter(|entry| !has_address(mesh, entry)) {
        for port in entry.spec().get("ports").items().filter(|port| is_opaque(*port, mesh.is_compatible())) {
            claims.entry(port.get("number").integer()).or_default().push(entry);
        }
    }
    for (port, mut entries) in claims {
        entries.sort_by_key(|entry| entry.age());
        let Some((first, later)) = entries.split_first() else { continue };
        for entry in later {
            if entry.spec().get("hosts").to_json() != first.spec().get("hosts").to_json()
                && mesh.is_seen_together(first, entry)
            {
                messages.report(port_is_taken(entry, port, first));
            }
        }
    }
}

fn port_is_taken<'m>(entry: &'m Object, port: i64, first: &Object) -> Message<'m> {
    let hosts = |entry: &Object| entry.spec().get("hosts").texts().collect::<Vec<_>>().join(", ");
    let text = format!(
        "Neither this entry nor {}, which is older, has an address, and both are for TCP on port {port}: proxies have one \
         listener for it, and what is meant for {} goes where {} says.",
        first.origin(),
        hosts(entry),
        hosts(first)
    );
    let remedy = format!(
        "Give ServiceEntry {} the addresses of its hosts, or another port; where clients speak TLS, the protocol TLS is \
         enough.",
        entry.full_name()
    );
    Message::new(&NET0026, entry, text).at(Path::spec().key("ports")).remedy(remedy)
}
