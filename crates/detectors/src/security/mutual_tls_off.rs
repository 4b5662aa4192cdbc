//! Finds places where mutual TLS is switched off.

use crate::client_tls::{ClientTls, client_tls};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, MutualTls, Object, Workload};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/mtls-off",
        reads: &[Kind::PeerAuthentication, Kind::DestinationRule, Kind::Service, Kind::Pod],
        reports: &[&SEC0004],
        by_default: true,
        run,
    },
};

static SEC0004: Code = Code {
    id: "SEC0004",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/tasks/security/authentication/mtls-migration/",
    page: include_str!("pages/SEC0004.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for policy in mesh.each(Kind::PeerAuthentication) {
        if policy.spec().path(&["mtls", "mode"]).text() == "DISABLE" {
            messages.report(server_takes_plain_text(policy, None));
        }
        for (port, level) in policy.spec().field("portLevelMtls").entries() {
            if level.get("mode").text() == "DISABLE" {
                messages.report(server_takes_plain_text(policy, Some(port)));
            }
        }
    }
    for rule in mesh.each(Kind::DestinationRule) {
        let Some(service) = mesh.service_of_host(rule.namespace(), rule.spec().get("host").text()) else { continue };
        let off = client_tls(rule).into_iter().find(|block| block.mode == "DISABLE");
        if let Some(block) = off
            && takes_plain_text(mesh, &block.pods(mesh, service))
        {
            messages.report(clients_send_plain_text(rule, service, &block));
        }
    }
}

/// Whether there are pods with proxies, and none that insists on mutual TLS: calls to that fail, which is said elsewhere.
fn takes_plain_text(mesh: &Mesh, pods: &[&Object]) -> bool {
    let workloads = pods.iter().map(|pod| Workload::of_pod(pod));
    let mut modes = workloads.filter(|it| it.has_proxy()).map(|it| mesh.mutual_tls(it, None).mode).peekable();
    modes.peek().is_some() && modes.all(|mode| mode != MutualTls::Strict)
}

fn server_takes_plain_text<'m>(policy: &'m Object, port: Option<&str>) -> Message<'m> {
    let selector = policy.spec().path(&["selector", "matchLabels"]);
    let whom = if selector.is_empty() { "all workloads in its scope" } else { "the selected workloads" };
    let (what, path) = match port {
        Some(port) => (format!("port {port} of {whom}"), Path::spec().key("portLevelMtls").key(port.to_owned())),
        None => (whom.to_owned(), Path::spec().key("mtls")),
    };
    let text = format!("Mutual TLS is off for {what}: traffic is readable on its way, and callers have no identity.");
    let remedy = format!(
        "Set the mode to PERMISSIVE in PeerAuthentication {}, and to STRICT once every client has a proxy.",
        policy.full_name()
    );
    Message::new(&SEC0004, policy, text).at(path.key("mode")).remedy(remedy)
}

fn clients_send_plain_text<'m>(rule: &'m Object, service: &Object, block: &ClientTls<'_>) -> Message<'m> {
    let text = format!(
        "Clients send plain text to {}, although its pods have proxies: the traffic is readable on its way, and rules about \
         callers do not match.",
        service.full_name()
    );
    let remedy =
        format!("Remove the tls block from DestinationRule {}: the mesh then uses mutual TLS.", rule.full_name());
    Message::new(&SEC0004, rule, text).at(block.path.clone().key("mode")).remedy(remedy)
}
