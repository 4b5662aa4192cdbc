//! Finds pods of the ambient mesh whose `NetworkPolicies` keep the mesh's own port shut.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::network_policies::{Direction, lets_in};
use mesh::{HBONE_PORT, Kind, Mesh, Object, is_ambient_pod, one_of_each};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/hbone-closed",
        reads: &[Kind::Pod, Kind::NetworkPolicy],
        reports: &[&AMB0004],
        by_default: true,
        run,
    },
};

static AMB0004: Code = Code {
    id: "AMB0004",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ambient/usage/networkpolicy/",
    page: include_str!("pages/AMB0004.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for pod in one_of_each(mesh.each(Kind::Pod).filter(|pod| is_ambient_pod(pod))) {
        let policies = mesh.network_policies(pod, Direction::Ingress);
        // Who lets nobody in at all means it.
        let lets_somebody_in = policies.iter().any(|policy| policy.spec().get("ingress").items().next().is_some());
        if lets_somebody_in && !lets_in(&policies, pod, HBONE_PORT, "TCP") {
            messages.report(mesh_port_is_closed(pod, &policies));
        }
    }
}

fn mesh_port_is_closed<'m>(pod: &'m Object, policies: &[&Object]) -> Message<'m> {
    let names: Vec<String> = policies.iter().map(|policy| policy.full_name()).collect();
    let names = names.join(", ");
    let text = format!(
        "It is in the ambient mesh, where calls arrive at port {HBONE_PORT}, and NetworkPolicy {names} lets nobody in there: \
         calls from the mesh time out, while calls from outside of it work."
    );
    let remedy = format!(
        "Allow port {HBONE_PORT} beside the application's: kubectl patch networkpolicy {} -n {} --type json -p \
         '[{{\"op\":\"add\",\"path\":\"/spec/ingress/-\",\"value\":{{\"ports\":[{{\"port\":{HBONE_PORT},\"protocol\":\"TCP\"}}]}}}}]'. \
         To keep the policy's limits, give that rule the same `from`.",
        policies[0].name(),
        policies[0].namespace()
    );
    Message::new(&AMB0004, pod, text).remedy(remedy)
}
