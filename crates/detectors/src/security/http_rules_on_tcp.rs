//! Finds rules of `AuthorizationPolicy`s about HTTP for ports on which Istio sees no HTTP.

use std::collections::BTreeSet;

use crate::security::rules::{Action, Part, Rule, action, is_dry_run, rules};
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Handling, InboundPort, Kind, Mesh, Object, Server, Workload, is_gateway, labels, one_of_each};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/authz-http-on-tcp",
        reads: &[Kind::AuthorizationPolicy, Kind::Pod, Kind::Service, Kind::ConfigMap, Kind::Gateway],
        reports: &[&SEC0008],
        by_default: true,
        run,
    },
};

static SEC0008: Code = Code {
    id: "SEC0008",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/concepts/security/#using-istio-authorization-on-plain-tcp-protocols",
    page: include_str!("pages/SEC0008.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for policy in mesh.each(Kind::AuthorizationPolicy).filter(|policy| !is_dry_run(policy)) {
        let action = action(policy);
        if !matches!(action, Action::Allow | Action::Deny) {
            continue;
        }
        let about_http = rules(policy).filter(|rule| rule.parts.iter().any(Part::is_http));
        let about_http: Vec<Rule<'_>> = about_http.collect();
        if about_http.is_empty() {
            continue;
        }
        // What a gateway's port carries is decided by its servers, not by the Service in front of it.
        let (gateways, pods): (Vec<&Object>, Vec<&Object>) =
            one_of_each(mesh.pods_under(policy)).into_iter().partition(|pod| is_gateway(pod));
        for rule in about_http {
            let mut ports = ports_without_http(mesh, &pods, &rule, action);
            ports.extend(servers_without_http(mesh, &gateways, &rule, action));
            if !ports.is_empty() {
                messages.report(http_is_not_seen(policy, &rule, action, &ports));
            }
        }
    }
}

/// The ports that a rule is for and cannot judge: `Service shop/redis port 6379 (Redis)`.
fn ports_without_http(mesh: &Mesh, pods: &[&Object], rule: &Rule<'_>, action: Action) -> Vec<String> {
    let mut found = BTreeSet::new();
    for pod in pods {
        for inbound in mesh.inbound_ports(pod).into_iter().filter(InboundPort::is_opaque) {
            let is_meant = rule.concerns(inbound.number);
            if is_meant && (action == Action::Deny || !is_allowed_otherwise(mesh, pod, inbound.number)) {
                found.insert(described(&inbound));
            }
        }
    }
    found.into_iter().collect()
}

/// The same of gateways: servers that pass on bytes.
fn servers_without_http(mesh: &Mesh, pods: &[&Object], rule: &Rule<'_>, action: Action) -> Vec<String> {
    let mut found = BTreeSet::new();
    for pod in pods {
        for gateway in mesh.each(Kind::Gateway) {
            let selector = gateway.spec().get("selector");
            if !labels::matches(selector, pod.labels()) {
                continue;
            }
            let opaque =
                Server::all(gateway).filter(|server| !matches!(server.handling(), Handling::Http | Handling::Https));
            for server in opaque {
                let port = server.port();
                if rule.concerns(port) && (action == Action::Deny || !is_allowed_otherwise(mesh, pod, port)) {
                    found.insert(format!("port {port} of Gateway {} ({})", gateway.full_name(), server.protocol()));
                }
            }
        }
    }
    found.into_iter().collect()
}

/// Whether another rule without HTTP allows something on a port.
fn is_allowed_otherwise(mesh: &Mesh, pod: &Object, port: i64) -> bool {
    let policies = mesh.policies(Kind::AuthorizationPolicy, Workload::of_pod(pod));
    let allowing = policies.iter().filter(|policy| action(policy) == Action::Allow && !is_dry_run(policy));
    allowing.flat_map(rules).any(|rule| !rule.parts.iter().any(Part::is_http) && rule.concerns(port))
}

fn described(inbound: &InboundPort<'_>) -> String {
    let protocol = inbound.protocol.unwrap_or_default();
    format!("port {} of Service {} ({protocol})", inbound.port.get("port").integer(), inbound.service.full_name())
}

fn http_is_not_seen<'m>(policy: &'m Object, rule: &Rule<'m>, action: Action, ports: &[String]) -> Message<'m> {
    let fields: BTreeSet<String> = rule.parts.iter().filter(|part| part.is_http()).map(Part::name).collect();
    let fields: Vec<String> = fields.into_iter().collect();
    let path = rule.parts.iter().find(|part| part.is_http()).map_or_else(Path::spec, |part| part.path.clone());
    let (fields, ports) = (names(&fields), names(ports));
    let consequence = match action {
        Action::Allow => "the whole rule is left out there, so that every connection is refused",
        Action::Deny | Action::Audit | Action::Custom => {
            "only these parts are left out there, so that the rule refuses every connection that the rest of it matches"
        }
    };
    let text = format!("Rule {} is about {fields}, which Istio does not see on {ports}: {consequence}.", rule.index);
    let remedy = "If the port speaks HTTP, set appProtocol: http on it in the Service. Otherwise give it a rule of its own with \
                  ports, principals, namespaces or ipBlocks only, and name the other ports in this one.";
    Message::new(&SEC0008, policy, text).at(path).remedy(remedy)
}
