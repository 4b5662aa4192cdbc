//! Finds rules about HTTP for workloads of the ambient mesh that no waypoint stands before.
//!
//! Nodes see connections only. What is about requests needs a waypoint, and a policy must name what it is for by
//! `targetRefs` (<https://istio.io/latest/docs/ambient/usage/l7-features/>).

use crate::security::rules::{Action, Part, action, is_dry_run, rules};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::virtual_services::is_for_mesh;
use mesh::{DATAPLANE_MODE, Kind, Mesh, Object, Workload};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/no-waypoint",
        reads: &[
            Kind::AuthorizationPolicy,
            Kind::RequestAuthentication,
            Kind::VirtualService,
            Kind::HttpRoute,
            Kind::GrpcRoute,
            Kind::Service,
            Kind::Pod,
            Kind::Namespace,
        ],
        reports: &[&AMB0001],
        by_default: true,
        run,
    },
};

static AMB0001: Code = Code {
    id: "AMB0001",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ambient/usage/l7-features/",
    page: include_str!("pages/AMB0001.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.has_ambient() {
        return;
    }
    for policy in mesh.each(Kind::AuthorizationPolicy).filter(|policy| !is_dry_run(policy)) {
        let http = rules(policy).find_map(|rule| rule.parts.into_iter().find(Part::is_http));
        let Some(part) = http else { continue };
        let consequence = match action(policy) {
            Action::Allow => "ztunnel cannot judge the rule and refuses all that only it would allow",
            Action::Deny => "ztunnel leaves the HTTP fields out and refuses more than is meant",
            Action::Audit | Action::Custom => "ztunnel knows no such action: the policy has no effect",
        };
        check(mesh, policy, &format!("Rule about {}", part.name()), consequence, messages);
    }
    for authentication in mesh.each(Kind::RequestAuthentication) {
        check(mesh, authentication, "Tokens", "nobody checks them", messages);
    }
    check_routes(mesh, messages);
}

fn check<'m>(mesh: &'m Mesh, policy: &'m Object, what: &str, consequence: &str, messages: &mut Messages<'m>) {
    let targets = targets(policy);
    if targets.is_empty() {
        if let Some(pod) = ambient_pod_under(mesh, policy) {
            messages.report(needs_a_target(policy, what, pod, consequence));
        }
        return;
    }
    for name in targets {
        let service = mesh.find(Kind::Service, policy.namespace(), name);
        if let Some(service) = service.filter(|service| lacks_waypoint(mesh, service)) {
            messages.report(needs_a_waypoint(policy, what, service, "it has no effect"));
        }
    }
}

/// The Services that a policy is for. Those for a Gateway or a `ServiceEntry` are left alone: the former is the waypoint.
fn targets(policy: &Object) -> Vec<&str> {
    let spec = policy.spec();
    let all = std::iter::once(spec.field("targetRef")).chain(spec.field("targetRefs").items());
    all.filter(|target| target.is_map())
        .map(|it| if it.get("kind").text() == "Service" { it.get("name").text() } else { "" })
        .collect()
}

fn ambient_pod_under<'m>(mesh: &'m Mesh, policy: &Object) -> Option<&'m Object> {
    let selector = policy.spec().path(&["selector", "matchLabels"]);
    let namespace = (!mesh.is_root_namespace(policy.namespace())).then(|| policy.namespace());
    mesh.labelled(Kind::Pod, selector, namespace).into_iter().find(|pod| mesh.is_ambient(pod))
}

/// Whether a Service has pods of the ambient mesh, and nobody in front who understands HTTP.
fn lacks_waypoint(mesh: &Mesh, service: &Object) -> bool {
    let pods = mesh.pods_of_service(service);
    mesh.waypoint_of(service).is_none()
        && pods.iter().any(|pod| mesh.is_ambient(pod))
        && !pods.iter().any(|pod| Workload::of_pod(pod).has_proxy())
}

/// Routes within the mesh: clients without a sidecar follow them at the waypoint only.
fn check_routes<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for service in mesh.each(Kind::VirtualService).filter(|service| is_for_mesh(service)) {
        if !is_ambient_namespace(mesh, service.namespace()) {
            continue;
        }
        for host in service.spec().get("hosts").texts() {
            let target = mesh.service_of_host(service.namespace(), host);
            if let Some(target) = target.filter(|target| lacks_waypoint(mesh, target)) {
                messages.report(needs_a_waypoint(service, "Routes", target, "they have no effect"));
            }
        }
    }
    for route in [Kind::HttpRoute, Kind::GrpcRoute].into_iter().flat_map(|kind| mesh.each(kind)) {
        for parent in route.spec().field("parentRefs").items().filter(|parent| parent.get("kind").text() == "Service") {
            let namespace = parent.get("namespace").text_if_any().unwrap_or(route.namespace());
            let target = mesh.find(Kind::Service, namespace, parent.get("name").text());
            if let Some(target) = target.filter(|target| lacks_waypoint(mesh, target)) {
                messages.report(needs_a_waypoint(route, "Routes", target, "they have no effect"));
            }
        }
    }
}

/// Clients with sidecars follow routes by themselves, so that only those of an ambient namespace are sure to be lost.
fn is_ambient_namespace(mesh: &Mesh, name: &str) -> bool {
    mesh.namespace(name).is_some_and(|namespace| namespace.label(DATAPLANE_MODE) == Some("ambient"))
}

fn waypoint(namespace: &str) -> String {
    format!("istioctl waypoint apply -n {namespace} --enroll-namespace --wait")
}

fn needs_a_target<'m>(policy: &'m Object, what: &str, pod: &Object, consequence: &str) -> Message<'m> {
    let (kind, name, namespace) = (policy.kind().name(), policy.full_name(), pod.namespace());
    let text = format!(
        "{what} is selected by labels for {}, which is in the ambient mesh: its node sees connections, not requests, and \
         {consequence}.",
        pod.origin()
    );
    let remedy = format!(
        "{}; then, in {kind} {name}, name the Service in place of spec.selector: targetRefs: [{{kind: Service, group: \"\", name: \
         …}}] of namespace {namespace} (kubectl get services -n {namespace})",
        waypoint(namespace)
    );
    Message::new(&AMB0001, policy, text).at(Path::spec().key("selector")).remedy(remedy)
}

fn needs_a_waypoint<'m>(object: &'m Object, what: &str, service: &Object, consequence: &str) -> Message<'m> {
    let text = format!(
        "{what} for Service {}, whose pods are in the ambient mesh, and no waypoint stands before it (label \
         istio.io/use-waypoint): {consequence}.",
        service.full_name()
    );
    Message::new(&AMB0001, object, text).at(Path::spec()).remedy(waypoint(service.namespace()))
}
