//! Finds gRPC that is declared as something else: as TCP, so that its load is shared by connection, or as HTTP, so that it fails.

use std::collections::BTreeSet;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View, Workload, protocol};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Hint,
    rule: Analyzer {
        name: "net/tcp-lb",
        reads: &[Kind::Deployment, Kind::Service, Kind::Namespace],
        reports: &[&NET0025, &NET0031],
        by_default: true,
        run,
    },
};

static NET0025: Code = Code {
    id: "NET0025",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/",
    page: include_str!("pages/NET0025.md"),
};

static NET0031: Code = Code {
    id: "NET0031",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/#explicit-protocol-selection",
    page: include_str!("pages/NET0031.md"),
};

/// In running pods the injector has rewritten the probes, so the templates are read.
fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for deployment in mesh.each(Kind::Deployment) {
        let workload = Workload::of_deployment(deployment);
        let probed: BTreeSet<i64> = workload.containers().flat_map(grpc_ports).collect();
        if probed.is_empty() || !mesh.is_in_mesh(workload) {
            continue;
        }
        for service in mesh.services_selecting(deployment.namespace(), workload.labels) {
            for (port, index) in service.spec().get("ports").items().zip(0..) {
                if !target_of(port, workload).is_some_and(|target| probed.contains(&target)) {
                    continue;
                }
                let path = Path::spec().key("ports").index(index);
                match protocol::of_service_port(port) {
                    Some("TCP") => messages.report(grpc_is_called_tcp(service, port, deployment).at(path)),
                    Some("HTTP") => messages.report(grpc_is_called_http(service, port, deployment).at(path)),
                    _ => {}
                }
            }
        }
    }
}

/// The ports on which Kubernetes asks a container by gRPC how it is.
fn grpc_ports(container: View<'_>) -> impl Iterator<Item = i64> {
    let probes = ["readinessProbe", "livenessProbe", "startupProbe"].into_iter();
    probes.filter_map(move |probe| container.field(probe).path(&["grpc", "port"]).integer_if_any())
}

fn target_of(port: View<'_>, workload: Workload<'_>) -> Option<i64> {
    let target = port.get("targetPort");
    if target.written().is_empty() {
        return port.get("port").integer_if_any();
    }
    target.integer_if_any().or_else(|| {
        let mut ports = workload.containers().flat_map(|container| container.get("ports").items());
        ports.find(|it| it.get("name").text() == target.text())?.get("containerPort").integer_if_any()
    })
}

fn grpc_is_called_tcp<'m>(service: &'m Object, port: View<'_>, deployment: &Object) -> Message<'m> {
    let number = port.get("port").integer();
    let text = format!(
        "Port {number} is declared as TCP and leads to a port of {} that speaks gRPC (it has a gRPC probe). Proxies share out \
         connections instead of requests: the pod that a long connection went to gets all its load.",
        deployment.origin()
    );
    let remedy = format!(
        "Set appProtocol: grpc on port {number} of Service {}, or let its name begin with grpc-.",
        service.full_name()
    );
    Message::new(&NET0025, service, text).remedy(remedy)
}

/// Proxies speak HTTP/1.1 to a port that is declared HTTP, and gRPC is HTTP/2 only.
fn grpc_is_called_http<'m>(service: &'m Object, port: View<'_>, deployment: &Object) -> Message<'m> {
    let (number, name) = (port.get("port").integer(), port.get("name").text());
    let text = format!(
        "Port {number} is declared as HTTP and leads to a port of {} that speaks gRPC (it has a gRPC probe). Proxies send \
         HTTP/1.1 there, which a gRPC server refuses: calls fail with 502 or 503 (UPE, protocol error).",
        deployment.origin()
    );
    let index =
        service.spec().get("ports").items().position(|it| it.get("port").integer() == number).unwrap_or_default();
    let new = name.strip_prefix("http").map_or_else(|| "grpc".to_owned(), |rest| format!("grpc{rest}"));
    let remedy = format!(
        "Name the port {new}, or: kubectl patch service {} -n {} --type json -p \
         '[{{\"op\":\"add\",\"path\":\"/spec/ports/{index}/appProtocol\",\"value\":\"grpc\"}}]'",
        service.name(),
        service.namespace()
    );
    Message::new(&NET0031, service, text).remedy(remedy)
}
