//! Finds `PeerAuthentication`s for ports that the workload does not have.

use std::collections::BTreeMap;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, Workload, one_of_each, owner};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/peerauth-port",
        reads: &[Kind::PeerAuthentication, Kind::Pod, Kind::Service],
        reports: &[&SEC0002],
        by_default: true,
        run,
    },
};

static SEC0002: Code = Code {
    id: "SEC0002",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/security/peer_authentication/",
    page: include_str!("pages/SEC0002.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for policy in mesh.each(Kind::PeerAuthentication) {
        let levels = policy.spec().field("portLevelMtls");
        // Without a selector the ports are refused as a whole.
        if levels.is_empty() || policy.spec().path(&["selector", "matchLabels"]).is_empty() {
            continue;
        }
        let Some(ports) = Ports::of(mesh, policy) else { continue };
        for (key, _) in levels.entries() {
            if let Ok(port) = key.parse::<i64>()
                && !ports.known.contains_key(&port)
            {
                messages.report(port_is_not_there(policy, key, port, &ports));
            }
        }
    }
}

/// The ports of the containers that a policy selects.
struct Ports<'m> {
    pod: &'m Object,
    /// Those that a container declares or a Service leads to, with the Service's port.
    known: BTreeMap<i64, Option<i64>>,
}

impl<'m> Ports<'m> {
    /// None where nothing is selected, or nothing is known of its ports.
    fn of(mesh: &'m Mesh, policy: &Object) -> Option<Self> {
        let pods = one_of_each(mesh.pods_under(policy));
        let mut known = BTreeMap::new();
        for pod in &pods {
            let declared = Workload::of_pod(pod).containers().flat_map(|container| container.get("ports").items());
            for port in declared.filter_map(|port| port.get("containerPort").integer_if_any()) {
                known.entry(port).or_insert(None);
            }
            for inbound in mesh.inbound_ports(pod) {
                known.insert(inbound.number, inbound.port.get("port").integer_if_any());
            }
        }
        let pod = pods.first().copied()?;
        (!known.is_empty()).then_some(Self { pod, known })
    }
}

fn port_is_not_there<'m>(policy: &'m Object, key: &str, port: i64, ports: &Ports<'_>) -> Message<'m> {
    let owner = owner(ports.pod);
    let listed: Vec<String> = ports.known.keys().map(i64::to_string).collect();
    let text = format!(
        "No Service leads to port {port} of {} {}, and no container declares it (there are {}): nothing listens for which the \
         setting could hold.",
        owner.kind,
        owner.name,
        listed.join(", ")
    );
    let behind = ports.known.iter().find(|(_, service)| **service == Some(port));
    let remedy = match behind {
        Some((container, _)) => format!(
            "{port} is the Service's port. portLevelMtls counts ports of the container: write {container} instead."
        ),
        None => format!("Write the port that the container listens on, or remove {port} from portLevelMtls."),
    };
    Message::new(&SEC0002, policy, text).at(Path::spec().key("portLevelMtls").key(key.to_owned())).remedy(remedy)
}
