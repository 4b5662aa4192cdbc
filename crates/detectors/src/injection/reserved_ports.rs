//! Finds applications and Services that use a port of the sidecar.

use std::collections::BTreeSet;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, Proxy, application_containers, container_port};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "inject/reserved-ports",
        reads: &[Kind::Pod, Kind::Service, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job],
        reports: &[&INJ0105],
        by_default: true,
        run,
    },
};

static INJ0105: Code = Code {
    id: "INJ0105",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/deployment/application-requirements/#ports-used-by-istio",
    page: include_str!("pages/INJ0105.md"),
};

/// The ports that a sidecar listens on, and what for.
const RESERVED: [(i64, &str); 9] = [
    (15000, "Envoy's admin page"),
    (15001, "outbound traffic"),
    (15004, "debugging"),
    (15006, "inbound traffic"),
    (15008, "the HBONE tunnel"),
    (15020, "metrics"),
    (15021, "the health check"),
    (15053, "DNS"),
    (15090, "Envoy's metrics"),
];

/// Services may well lead to these: they are how the sidecar itself is scraped and checked.
const OFFERED: [i64; 3] = [15020, 15021, 15090];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (workload, pods) in mesh.workloads() {
        let ports: BTreeSet<i64> = pods.into_iter().flat_map(own_ports).collect();
        for (port, what) in ports.into_iter().filter_map(reserved) {
            messages.report(application_listens(workload, port, what));
        }
    }
    for service in mesh.each(Kind::Service) {
        let pods = mesh.pods_of_service(service);
        for (port, index) in service.spec().get("ports").items().zip(0..) {
            let mut led_to = pods.iter().filter(|pod| is_sidecar(pod)).filter_map(|pod| {
                let target = container_port(port, pod)?;
                // The application was named above.
                let is_own = OFFERED.contains(&target) || own_ports(pod).contains(&target);
                if is_own { None } else { Some((*pod, reserved(target)?)) }
            });
            if let Some((pod, (target, what))) = led_to.next() {
                messages.report(service_leads_to_proxy(service, index, pod, (target, what)));
            }
        }
    }
}

fn reserved(port: i64) -> Option<(i64, &'static str)> {
    RESERVED.into_iter().find(|(reserved, _)| *reserved == port)
}

fn is_sidecar(pod: &Object) -> bool {
    Proxy::of(pod).is_some_and(|proxy| proxy.is_sidecar())
}

/// The ports that the containers beside a sidecar declare.
fn own_ports(pod: &Object) -> BTreeSet<i64> {
    if !is_sidecar(pod) {
        return BTreeSet::new();
    }
    let ports = application_containers(pod.spec()).flat_map(|container| container.get("ports").items());
    ports.filter_map(|port| port.get("containerPort").integer_if_any()).collect()
}

fn application_listens<'m>(workload: &'m Object, port: i64, what: &str) -> Message<'m> {
    let text = format!(
        "A container declares port {port}, which the sidecar in the same pod uses for {what}: one of the two cannot \
         listen."
    );
    let remedy = format!(
        "Let the application of {} listen on another port; change containerPort, its probes, and targetPort of its \
         Services.",
        workload.origin()
    );
    Message::new(&INJ0105, workload, text).remedy(remedy)
}

fn service_leads_to_proxy<'m>(
    service: &'m Object,
    index: usize,
    pod: &Object,
    (port, what): (i64, &str),
) -> Message<'m> {
    let text = format!(
        "A port leads to port {port} of pod {}, where its sidecar listens for {what}, not the application.",
        pod.name()
    );
    let remedy = format!("Set targetPort in Service {} to a port of the application.", service.full_name());
    let path = Path::spec().key("ports").index(index).key("targetPort");
    Message::new(&INJ0105, service, text).at(path).remedy(remedy)
}
