//! Finds pods without a proxy that are told to call workloads which take mutual TLS only.

use std::collections::BTreeSet;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{
    CalledHost, Kind, Mesh, MutualTls, Object, Workload, called_hosts, container_port, is_ignored_namespace,
    one_of_each,
};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "sec/strict-plain-callers",
        reads: &[
            Kind::Pod,
            Kind::Service,
            Kind::PeerAuthentication,
            Kind::Namespace,
            Kind::ConfigMap,
            Kind::MeshConfig,
        ],
        reports: &[&SEC0024],
        by_default: true,
        run,
    },
};

static SEC0024: Code = Code {
    id: "SEC0024",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/tasks/security/authentication/mtls-migration/",
    page: include_str!("pages/SEC0024.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let outside = |pod: &&Object| {
        !Workload::of_pod(pod).has_proxy()
            && !mesh.is_ambient(pod)
            && !is_ignored_namespace(pod.namespace())
            && pod.namespace() != mesh.istio_namespace()
    };
    for pod in one_of_each(mesh.each(Kind::Pod).filter(outside)) {
        let mut told = BTreeSet::new();
        for called in called_hosts(pod) {
            let Some(service) = service_of(mesh, called.name) else { continue };
            if let Some(policy) = strict(mesh, service, called.port)
                && told.insert(service.full_name())
            {
                messages.report(call_is_refused(pod, &called, service, policy));
            }
        }
    }
}

/// The Service that a pod means by a name with a dot.
fn service_of<'m>(mesh: &'m Mesh, name: &str) -> Option<&'m Object> {
    let labels: Vec<&str> = name.split('.').collect();
    match labels[..] {
        [service, namespace] | [service, namespace, "svc", ..] => mesh.find(Kind::Service, namespace, service),
        _ => None,
    }
}

/// The policy by which the pods behind a Service refuse plain text on the port that is called.
fn strict<'m>(mesh: &'m Mesh, service: &'m Object, port: Option<u16>) -> Option<&'m Object> {
    let pods = mesh.pods_of_service(service);
    let pod = pods.into_iter().find(|pod| Workload::of_pod(pod).has_proxy() || mesh.is_ambient(pod))?;
    let mut ports = service.spec().get("ports").items();
    let called = ports.find(|it| port.is_none_or(|port| it.get("port").integer() == i64::from(port)))?;
    let decision = mesh.mutual_tls(Workload::of_pod(pod), container_port(called, pod));
    decision.policy.filter(|_| decision.mode == MutualTls::Strict)
}

fn call_is_refused<'m>(pod: &'m Object, called: &CalledHost<'_>, service: &Object, policy: &Object) -> Message<'m> {
    let place = match called.variable {
        Some(variable) => format!("variable {variable} of container {}", called.container),
        None => format!("an argument of container {}", called.container),
    };
    let text = format!(
        "It has no sidecar and is told to call {} ({place}), but {} has the pods of Service {} take mutual TLS only: its \
         connections are reset.",
        called.name,
        policy.origin(),
        service.full_name()
    );
    let remedy = format!(
        "Bring the caller into the mesh: see what keeps {} without a sidecar (kubectl get namespace {} --show-labels), label the \
         namespace with the revision of the mesh and make the pods anew.",
        pod.full_name(),
        pod.namespace()
    );
    Message::new(&SEC0024, pod, text).remedy(remedy)
}
