//! Finds `RequestAuthentication`s for workloads without any HTTP port.

use std::collections::BTreeSet;

use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{InboundPort, Kind, Mesh, Object, is_gateway, one_of_each, owner};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/jwt-on-tcp",
        reads: &[Kind::RequestAuthentication, Kind::Pod, Kind::Service, Kind::ConfigMap],
        reports: &[&SEC0016],
        by_default: true,
        run,
    },
};

static SEC0016: Code = Code {
    id: "SEC0016",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/",
    page: include_str!("pages/SEC0016.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for authentication in mesh.each(Kind::RequestAuthentication) {
        // Of a root policy for the whole mesh, some workload without HTTP is to be expected.
        if mesh.is_root_namespace(authentication.namespace()) {
            continue;
        }
        let pods = one_of_each(mesh.pods_under(authentication));
        let closed: BTreeSet<&str> =
            pods.iter().filter(|pod| !is_gateway(pod) && has_only_tcp(mesh, pod)).map(|pod| owner(pod).name).collect();
        if !closed.is_empty() {
            messages.report(token_is_never_seen(authentication, &closed.into_iter().collect::<Vec<_>>()));
        }
    }
}

fn has_only_tcp(mesh: &Mesh, pod: &Object) -> bool {
    let ports = mesh.inbound_ports(pod);
    !ports.is_empty() && ports.iter().all(InboundPort::is_opaque)
}

fn token_is_never_seen<'m>(authentication: &'m Object, workloads: &[&str]) -> Message<'m> {
    let text = format!(
        "It has no effect on {}: none of their ports is HTTP by its name or appProtocol, so Istio never sees a token.",
        names(workloads)
    );
    let remedy = "If a port speaks HTTP, set appProtocol: http on it in the Service, or let its name begin with http.";
    Message::new(&SEC0016, authentication, text).at(Path::spec().key("selector")).remedy(remedy)
}
