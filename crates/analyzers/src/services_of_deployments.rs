//! Finds Deployments whose Services disagree about a port.

use std::collections::{BTreeMap, BTreeSet};

use super::{Analyzer, Message, Messages, Path, list, quoted};
use mesh::{Kind, Mesh, Object, Workload};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "deployment.MultiServiceAnalyzer",
    reads: &[Kind::Service, Kind::Deployment, Kind::Namespace],
    reports: &[&IST0116, &IST0137],
    by_default: true,
    run,
};

static IST0116: Code = Code {
    id: "IST0116",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0116/",
    page: include_str!("pages/IST0116.md"),
};

static IST0137: Code = Code {
    id: "IST0137",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0137/",
    page: include_str!("pages/IST0137.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for deployment in mesh.each(Kind::Deployment) {
        // Waypoints stand behind many Services on purpose.
        if deployment.label("gateway.istio.io/managed") == Some("istio.io-mesh-controller") {
            continue;
        }
        let workload = Workload::of_deployment(deployment);
        if !mesh.is_in_mesh(workload) {
            continue;
        }
        let services = mesh.services_selecting(deployment.namespace(), workload.labels);
        check_protocols(deployment, &services, messages);
        check_target_ports(mesh, deployment, &services, messages);
    }
}

fn check_protocols<'m>(deployment: &'m Object, services: &[&Object], messages: &mut Messages<'m>) {
    let mut by_port: BTreeMap<i64, (BTreeSet<&str>, Vec<String>)> = BTreeMap::new();
    for service in services {
        for port in service.spec().get("ports").items() {
            let protocol = port.get("protocol").text();
            let (protocols, names) = by_port.entry(port.get("port").integer()).or_default();
            protocols.insert(if protocol.is_empty() { "TCP" } else { protocol });
            names.push(service.full_name());
        }
    }
    for (port, (protocols, mut names)) in by_port {
        if protocols.len() > 1 {
            names.sort();
            messages.report(protocols_differ(deployment, port, &names));
        }
    }
}

fn check_target_ports<'m>(mesh: &Mesh, deployment: &'m Object, services: &[&Object], messages: &mut Messages<'m>) {
    let mut by_target: BTreeMap<String, BTreeMap<i64, String>> = BTreeMap::new();
    for service in services {
        for port in service.spec().get("ports").items() {
            let number = port.get("port").integer();
            let target = match port.get("targetPort").written() {
                "" | "0" => number.to_string(),
                target => target.to_owned(),
            };
            by_target.entry(target).or_default().insert(number, service.full_name());
        }
    }
    for (target, names_by_port) in by_target {
        // For `istioctl` a Service may be in conflict with itself. Two of its ports may well lead to one.
        let is_one_service = names_by_port.values().collect::<BTreeSet<_>>().len() == 1;
        if names_by_port.len() > 1 && (mesh.is_compatible() || !is_one_service) {
            let ports: Vec<i64> = names_by_port.keys().copied().collect();
            let mut names: Vec<String> = names_by_port.into_values().collect();
            names.sort();
            messages.report(ports_differ(deployment, &names, &target, &ports));
        }
    }
}

fn protocols_differ<'m>(deployment: &'m Object, port: i64, services: &[String]) -> Message<'m> {
    let (name, services) = (deployment.name(), list(services));
    let text = format!(
        "This deployment {name} is associated with multiple services using port {port} but different protocols: \
         {services}"
    );
    Message::new(&IST0116, deployment, text).at(Path::name())
}

fn ports_differ<'m>(deployment: &'m Object, services: &[String], target: &str, ports: &[i64]) -> Message<'m> {
    let (name, services, target, ports) = (deployment.name(), list(services), quoted(target), list(ports));
    let text = format!(
        "This deployment {name} is associated with multiple services {services} using targetPort {target} but \
         different ports: {ports}."
    );
    Message::new(&IST0137, deployment, text).at(Path::name())
}
