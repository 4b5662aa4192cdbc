//! Finds `DestinationRule`s that drop mutual TLS towards workloads that insist on it.

use crate::analyzers::{Analyzer, Message, Messages, Path};
use crate::detectors::{Certainty, Detector};
use crate::mesh::{Kind, Mesh, MutualTls, Object, View, Workload, container_port};
use crate::report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/503-after-dr",
        reads: &[Kind::DestinationRule, Kind::Service, Kind::Pod, Kind::PeerAuthentication, Kind::Namespace],
        reports: &[&NET0001],
        by_default: true,
        run,
    },
};

static NET0001: Code = Code {
    id: "NET0001",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/common-problems/network-issues/#503-errors-after-setting-destination-rule",
    page: include_str!("pages/NET0001.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for rule in mesh.each(Kind::DestinationRule) {
        let host = rule.spec().get("host").text();
        let Some(service) = mesh.service_of_host(rule.namespace(), host) else { continue };
        for policy in plain_policies(rule) {
            if let Some(strict) = strict_pod(mesh, service, policy.port) {
                messages.report(mutual_tls_is_dropped(rule, service, &policy, strict));
            }
        }
    }
}

/// A part of a rule that says to send without the mesh's certificates.
struct PlainPolicy<'m> {
    mode: &'m str,
    /// The port of the Service that it is for; all where there is none.
    port: Option<i64>,
    path: Path,
}

/// What a rule says at the top, for ports, and for subsets.
fn plain_policies(rule: &Object) -> Vec<PlainPolicy<'_>> {
    let mut found = policies_in(rule.spec().field("trafficPolicy"), &Path::spec());
    for (subset, index) in rule.spec().get("subsets").items().zip(0..) {
        let path = Path::spec().key("subsets").index(index);
        found.extend(policies_in(subset.field("trafficPolicy"), &path));
    }
    found
}

fn policies_in<'m>(policy: View<'m>, path: &Path) -> Vec<PlainPolicy<'m>> {
    let path = path.clone().key("trafficPolicy");
    let mode_of = |settings: View<'m>| Some(settings.path(&["tls", "mode"]).text()).filter(|mode| is_plain(mode));
    let mut found = Vec::new();
    if let Some(mode) = mode_of(policy) {
        found.push(PlainPolicy { mode, port: None, path: path.clone().key("tls").key("mode") });
    }
    for (settings, index) in policy.field("portLevelSettings").items().zip(0..) {
        if let Some(mode) = mode_of(settings) {
            let path = path.clone().key("portLevelSettings").index(index).key("tls").key("mode");
            found.push(PlainPolicy { mode, port: settings.path(&["port", "number"]).integer_if_any(), path });
        }
    }
    found
}

/// `MUTUAL` brings certificates of its own, which may be the mesh's.
fn is_plain(mode: &str) -> bool {
    matches!(mode, "DISABLE" | "SIMPLE")
}

/// A pod behind the Service that refuses what comes without a certificate of the mesh, and the policy that says so.
fn strict_pod<'m>(mesh: &'m Mesh, service: &'m Object, only: Option<i64>) -> Option<(&'m Object, Option<&'m Object>)> {
    let pods = mesh.pods_of_service(service);
    let with_proxy = pods.into_iter().filter(|pod| Workload::of_pod(pod).has_proxy());
    let ports = || {
        service.spec().get("ports").items().filter(|port| only.is_none_or(|only| port.get("port").integer() == only))
    };
    with_proxy.into_iter().find_map(|pod| {
        ports().find_map(|port| {
            let decision = mesh.mutual_tls(Workload::of_pod(pod), container_port(port, pod));
            (decision.mode == MutualTls::Strict).then_some((pod, decision.policy))
        })
    })
}

fn mutual_tls_is_dropped<'m>(
    rule: &'m Object,
    service: &Object,
    policy: &PlainPolicy<'_>,
    (pod, strict): (&Object, Option<&Object>),
) -> Message<'m> {
    let port = policy.port.map(|port| format!(" on port {port}")).unwrap_or_default();
    let by = strict.map(|policy| format!(" ({})", policy.origin())).unwrap_or_default();
    let text = format!(
        "Requests to {}{port} are sent with TLS mode {}, but {} takes mutual TLS only{by}: every request fails with 503.",
        service.full_name(),
        policy.mode,
        pod.origin(),
    );
    let remedy = format!(
        "Set tls.mode to ISTIO_MUTUAL in DestinationRule {}, or remove its tls block: the mesh then chooses by itself.",
        rule.full_name()
    );
    Message::new(&NET0001, rule, text).at(policy.path.clone()).remedy(remedy)
}
