//! Finds TCP hosts without an address of their own that want all traffic of a port which others have: other such hosts, or
//! HTTP, for which proxies have one listener on all addresses.

use std::collections::BTreeMap;

use crate::wording::some_of;
use crate::{Certainty, Detector};
use analyzers::service_entry_addresses::{has_address, is_opaque};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, protocol};
use report::{Code, Severity};

/// That such an entry needs an address is IST0134.
pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/listener-conflict",
        reads: &[Kind::ServiceEntry, Kind::Service, Kind::Pod, Kind::MeshConfig],
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
    check_http(mesh, messages);
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

/// HTTP of all Services and entries shares the listener `0.0.0.0:PORT`. TCP on the same number without an address of its own
/// needs that listener as well; the older of the two has it.
fn check_http<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut http: BTreeMap<i64, Vec<&Object>> = BTreeMap::new();
    let mut tcp: Vec<(&'m Object, i64)> = Vec::new();
    for service in mesh.each(Kind::Service) {
        // Proxies have a listener for each pod of a headless Service, so only one without pods is without addresses.
        let has_none = service.spec().get("type").text() == "ExternalName"
            || service.spec().field("clusterIP").text() == "None"
                && !service.spec().get("selector").is_empty()
                && mesh.pods_of_service(service).is_empty();
        for port in service.spec().get("ports").items() {
            let number = port.get("port").integer();
            match protocol::of_service_port(port) {
                Some(it) if protocol::is_http(it) => http.entry(number).or_default().push(service),
                Some("TCP" | "Mongo" | "MySQL" | "Redis") if has_none => tcp.push((service, number)),
                _ => {}
            }
        }
    }
    for entry in mesh.each(Kind::ServiceEntry) {
        let has_address = has_address(mesh, entry);
        for port in entry.spec().get("ports").items() {
            let number = port.get("number").integer();
            if protocol::is_http(&port.get("protocol").text().to_ascii_uppercase()) {
                http.entry(number).or_default().push(entry);
            } else if !has_address && is_opaque(port, false) {
                tcp.push((entry, number));
            }
        }
    }
    for owners in http.values_mut() {
        owners.sort_by_key(|owner| owner.age());
    }
    for (claimant, port) in tcp {
        let owners = http.get(&port).into_iter().flatten();
        let others: Vec<&Object> = owners
            .copied()
            .filter(|owner| !std::ptr::eq(*owner, claimant) && mesh.is_seen_together(owner, claimant))
            .collect();
        if let Some(first) = others.first() {
            messages.report(http_and_tcp_meet(claimant, port, first, &others));
        }
    }
}

fn http_and_tcp_meet<'m>(claimant: &'m Object, port: i64, first: &Object, others: &[&Object]) -> Message<'m> {
    let names: Vec<String> = others.iter().map(|other| other.origin()).collect();
    let consequence = if claimant.age() < first.age() {
        "this is older and has it, so HTTP of the others ends here".to_owned()
    } else {
        format!("{} is older and has it, so what is meant for this is read as HTTP and fails", first.origin())
    };
    let text = format!(
        "This is TCP on port {port} without an address of its own, and {} has HTTP on {port}: proxies have one listener for \
         that port on all addresses. {consequence}.",
        some_of(&names)
    );
    let remedy = if claimant.kind() == Kind::ServiceEntry {
        format!(
            "Give ServiceEntry {} the addresses of its hosts (spec.addresses), or let its clients call another port.",
            claimant.full_name()
        )
    } else {
        format!(
            "Let clients call {} on a port number that no HTTP Service has, or describe the host with a ServiceEntry that has \
             spec.addresses.",
            claimant.origin()
        )
    };
    Message::new(&NET0026, claimant, text).at(Path::spec().key("ports")).remedy(remedy)
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
