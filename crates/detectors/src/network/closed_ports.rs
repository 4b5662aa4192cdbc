//! Finds ports of Services that the NetworkPolicies of their pods let nobody reach.

use std::collections::BTreeMap;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View, Workload, container_port, labels};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "net/networkpolicy-app",
        reads: &[Kind::NetworkPolicy, Kind::Service, Kind::Pod],
        reports: &[&NET0024],
        by_default: true,
        run,
    },
};

static NET0024: Code = Code {
    id: "NET0024",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
    page: include_str!("pages/NET0024.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut by_namespace: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for policy in mesh.each(Kind::NetworkPolicy).filter(|policy| restricts_ingress(policy)) {
        by_namespace.entry(policy.namespace()).or_default().push(policy);
    }
    for (namespace, policies) in by_namespace {
        for service in mesh.in_namespace(Kind::Service, namespace) {
            // Pods behind one Service are alike; the first stands for them.
            let pods = mesh.pods_of_service(service);
            let Some(pod) = pods.into_iter().find(|pod| Workload::of_pod(pod).has_proxy()) else { continue };
            let own: Vec<&Object> = policies.iter().copied().filter(|policy| selects(policy, pod)).collect();
            if own.is_empty() {
                continue;
            }
            for (port, index) in service.spec().get("ports").items().zip(0..) {
                if let Some(target) = container_port(port, pod)
                    && !own.iter().any(|policy| allows(policy, pod, target))
                {
                    let path = Path::spec().key("ports").index(index);
                    messages.report(port_is_closed(service, port, target, (pod, &own)).at(path));
                }
            }
        }
    }
}

/// A policy that names no type restricts what comes in.
fn restricts_ingress(policy: &Object) -> bool {
    let types = policy.spec().field("policyTypes");
    types.is_empty() || types.texts().any(|kind| kind == "Ingress")
}

fn selects(policy: &Object, pod: &Object) -> bool {
    labels::selector_matches(policy.spec().field("podSelector"), |key| pod.label(key))
}

/// Whether a policy lets somebody, whoever it is, reach a port of a pod.
fn allows(policy: &Object, pod: &Object, target: i64) -> bool {
    policy.spec().get("ingress").items().any(|rule| {
        let ports = rule.get("ports");
        ports.is_empty() || ports.items().any(|port| contains(port, pod, target))
    })
}

fn contains(port: View<'_>, pod: &Object, target: i64) -> bool {
    let first = port.get("port");
    if !first.is_set() {
        return true;
    }
    let Some(start) = first.integer_if_any() else {
        // A name means a port of the container.
        let containers = pod.spec().get("containers").items();
        let mut ports = containers.flat_map(|container| container.get("ports").items());
        return ports.any(|it| it.get("name").text() == first.text() && it.get("containerPort").integer() == target);
    };
    let end = port.field("endPort").integer_if_any().unwrap_or(start);
    (start..=end).contains(&target)
}

/// Whether a policy names the port of the Service where it needs that of the container.
fn names_service_port(policies: &[&Object], port: i64) -> bool {
    let rules = policies.iter().flat_map(|policy| policy.spec().get("ingress").items());
    rules.flat_map(|rule| rule.get("ports").items()).any(|it| it.get("port").integer() == port)
}

fn port_is_closed<'m>(
    service: &'m Object,
    port: View<'_>,
    target: i64,
    (pod, policies): (&Object, &[&Object]),
) -> Message<'m> {
    let number = port.get("port").integer();
    let names: Vec<String> = policies.iter().map(|policy| policy.full_name()).collect();
    let mistaken = number != target && names_service_port(policies, number);
    let hint = if mistaken { format!(" (they name {number}, the port of the Service)") } else { String::new() };
    let text = format!(
        "Port {number} leads to port {target} of the pods, and their NetworkPolicies let nobody reach that{hint}: requests \
         time out. Policies: {}, for {}.",
        names.join(", "),
        pod.origin()
    );
    let remedy = format!(
        "Allow port {target}, the container's, in an ingress rule of NetworkPolicy {} from the namespaces that call {}.",
        names[0],
        service.full_name()
    );
    Message::new(&NET0024, service, text).remedy(remedy)
}
