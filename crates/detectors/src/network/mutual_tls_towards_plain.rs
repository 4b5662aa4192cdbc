//! Finds `DestinationRule`s that send mutual TLS to pods that cannot take it.

use crate::client_tls::{ClientTls, client_tls};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{
    DestinationRules, Kind, Mesh, MutualTls, Object, Workload, container_port, host, is_ambient_pod, is_control_plane,
    is_ignored_namespace,
};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/dr-tls-to-plain",
        reads: &[Kind::DestinationRule, Kind::Service, Kind::Pod, Kind::PeerAuthentication, Kind::Namespace],
        reports: &[&NET0002],
        by_default: true,
        run,
    },
};

static NET0002: Code = Code {
    id: "NET0002",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/configuration/traffic-management/tls-configuration/",
    page: include_str!("pages/NET0002.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let rules = DestinationRules::new(mesh);
    for rule in mesh.each(Kind::DestinationRule) {
        for tls in client_tls(rule).into_iter().filter(|tls| tls.mode == "ISTIO_MUTUAL") {
            let host = rule.spec().get("host").text();
            for service in rules.services_of(rule) {
                // A rule for all hosts is not meant for what nobody calls through it.
                if host.starts_with('*') && is_of_the_system(mesh, service) {
                    continue;
                }
                let pods = tls.pods(mesh, service);
                let plain: Vec<_> =
                    pods.iter().filter_map(|pod| Some((*pod, why(mesh, service, &tls, pod)?))).collect();
                if let Some((pod, why)) = plain.first() {
                    let count = format!("{} of {} pods", plain.len(), pods.len());
                    let message = mutual_tls_is_not_understood(rule, service, &tls, (pod, why, &count));
                    messages.report(message.remedy(remedy(mesh, rule, service)));
                }
            }
        }
    }
}

fn is_of_the_system(mesh: &Mesh, service: &Object) -> bool {
    let namespace = service.namespace();
    is_ignored_namespace(namespace)
        || namespace == mesh.istio_namespace()
        || mesh.is_root_namespace(namespace)
        || matches!(namespace, "gatekeeper-system" | "aks-command" | "calico-system" | "tigera-operator")
        || is_control_plane(service)
}

/// A rule for one host is corrected; one for many gets an exception, where those who follow it look first: the rules of a
/// client's namespace go before those of the service's
/// (<https://istio.io/latest/docs/ops/best-practices/traffic-management/#cross-namespace-configuration-sharing>).
fn remedy(mesh: &Mesh, rule: &Object, service: &Object) -> String {
    let (place, full) = (rule.namespace(), host::fqdn(service.namespace(), service.name()));
    if !rule.spec().get("host").text().starts_with('*') {
        return format!(
            "Give the pods of {} a sidecar that takes mutual TLS, or remove the tls block from DestinationRule {}: the mesh \
             then sends each pod what it understands.",
            service.full_name(),
            rule.full_name()
        );
    }
    let is_exception = |other: &&Object| {
        let host = host::fqdn(other.namespace(), other.spec().get("host").text());
        host == full && other.namespace() == service.namespace() && other.namespace() != place
    };
    let overruled = mesh.in_namespace(Kind::DestinationRule, service.namespace()).find(is_exception);
    let overruled = overruled.map_or_else(String::new, |other| {
        format!(" {} does not help: proxies look into namespace {place} first.", other.origin())
    });
    format!(
        "Give the pods of {service} a sidecar, or make an exception in namespace {place}, where the rule for all stands: a \
         DestinationRule with host {full} and trafficPolicy.tls.mode DISABLE.{overruled}",
        service = service.full_name(),
    )
}

/// Why a pod cannot take mutual TLS, if it cannot. Pods of the ambient mesh have it taken by their node.
fn why(mesh: &Mesh, service: &Object, tls: &ClientTls<'_>, pod: &Object) -> Option<String> {
    let workload = Workload::of_pod(pod);
    if !workload.has_proxy() {
        return (!is_ambient_pod(pod)).then(|| "has no sidecar".to_owned());
    }
    tls.ports(service).find_map(|port| {
        let number = container_port(port, pod)?;
        let decision = mesh.mutual_tls(workload, Some(number));
        let policy = decision.policy.filter(|_| decision.mode == MutualTls::Disable)?;
        Some(format!("takes plain text only on port {number} ({})", policy.origin()))
    })
}

fn mutual_tls_is_not_understood<'m>(
    rule: &'m Object,
    service: &Object,
    tls: &ClientTls<'_>,
    (pod, why, count): (&Object, &str, &str),
) -> Message<'m> {
    let text = format!(
        "Requests to {}{} are sent with mutual TLS, but {} {why} ({count} of this kind): they fail with 503.",
        service.full_name(),
        tls.on_port(),
        pod.origin(),
    );
    Message::new(&NET0002, rule, text).at(tls.path.clone().key("mode"))
}
