//! Finds ports of Services that lead to a port which the pods do not have.

use std::collections::BTreeSet;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View, container_port};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "net/target-port",
        reads: &[Kind::Service, Kind::Pod],
        reports: &[&NET0011],
        by_default: true,
        run,
    },
};

static NET0011: Code = Code {
    id: "NET0011",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/services-networking/service/#field-spec-ports",
    page: include_str!("pages/NET0011.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for service in mesh.each(Kind::Service) {
        let pods = mesh.pods_of_service(service);
        if pods.is_empty() {
            continue;
        }
        for (port, index) in service.spec().get("ports").items().zip(0..) {
            let path = Path::spec().key("ports").index(index).key("targetPort");
            let target = port.get("targetPort").written();
            if pods.iter().all(|pod| container_port(port, pod).is_none()) {
                messages.report(name_is_not_there(service, port, pods[0]).at(path));
            } else if let Some(declared) = declared_without(&pods, port) {
                messages.report(number_is_not_declared(service, target, &declared).at(path));
            }
        }
    }
}

/// The ports that the pods declare, where the one that a port of a Service leads to is not among them. Containers need
/// not declare ports, so nothing is said where there are none; a gateway listens where its Gateways say.
fn declared_without(pods: &[&Object], port: View<'_>) -> Option<BTreeSet<i64>> {
    let mut declared = BTreeSet::new();
    for pod in pods {
        let own = declared_ports(pod);
        if own.is_empty() || container_port(port, pod).is_none_or(|target| own.contains(&target)) {
            return None;
        }
        declared.extend(own);
    }
    Some(declared)
}

fn declared_ports(pod: &Object) -> BTreeSet<i64> {
    let containers = pod.spec().get("containers").items().chain(pod.spec().get("initContainers").items());
    let applications = containers.filter(|container| container.get("name").text() != "istio-proxy");
    let ports = applications.flat_map(|container| container.get("ports").items());
    ports.map(|port| port.get("containerPort").integer()).collect()
}

fn name_is_not_there<'m>(service: &'m Object, port: View<'_>, pod: &Object) -> Message<'m> {
    let (number, target) = (port.get("port").integer(), port.get("targetPort").written());
    let text = format!(
        "Port {number} leads to the port named {target}, and no container of {} has one of that name: the Service has no \
         endpoint for it.",
        pod.origin()
    );
    let remedy = format!(
        "Set targetPort of port {number} in Service {} to the number that the application listens on, or name that port \
         {target} in the pod's template.",
        service.full_name()
    );
    Message::new(&NET0011, service, text).remedy(remedy)
}

fn number_is_not_declared<'m>(service: &'m Object, target: &str, declared: &BTreeSet<i64>) -> Message<'m> {
    let declared: Vec<String> = declared.iter().map(i64::to_string).collect();
    let declared = declared.join(", ");
    let text = format!(
        "targetPort {target} is none of the ports that the pods declare ({declared}). If nothing listens there, requests \
         fail with 503 (UF, connection refused)."
    );
    let remedy = format!(
        "Set targetPort in Service {} to the port that the application listens on, or declare {target} in the pod's \
         template.",
        service.full_name()
    );
    // Declaring ports is a courtesy, so this may still work.
    let mut message = Message::new(&NET0011, service, text).remedy(remedy);
    message.severity = Severity::Warning;
    message
}
