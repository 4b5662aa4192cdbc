//! Finds `DestinationRule`s that drop mutual TLS towards workloads that insist on it.

use crate::client_tls::{ClientTls, client_tls};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{DestinationRules, Kind, Mesh, MutualTls, Object, Workload, container_port};
use report::{Code, Severity};

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
    let rules = DestinationRules::new(mesh);
    for rule in mesh.each(Kind::DestinationRule) {
        // `MUTUAL` brings certificates of its own, which may be the mesh's.
        let plain = client_tls(rule).into_iter().filter(|tls| matches!(tls.mode, "DISABLE" | "SIMPLE"));
        for tls in plain {
            for service in rules.services_of(rule) {
                if let Some(strict) = strict_pod(mesh, service, &tls) {
                    messages.report(mutual_tls_is_dropped(rule, service, &tls, strict));
                }
            }
        }
    }
}

/// A pod behind the Service that refuses what comes without a certificate of the mesh, and the policy that says so.
fn strict_pod<'m>(
    mesh: &'m Mesh,
    service: &'m Object,
    tls: &ClientTls<'_>,
) -> Option<(&'m Object, Option<&'m Object>)> {
    let with_proxy = tls.pods(mesh, service).into_iter().filter(|pod| Workload::of_pod(pod).has_proxy());
    with_proxy.into_iter().find_map(|pod| {
        tls.ports(service).find_map(|port| {
            let decision = mesh.mutual_tls(Workload::of_pod(pod), container_port(port, pod));
            (decision.mode == MutualTls::Strict).then_some((pod, decision.policy))
        })
    })
}

fn mutual_tls_is_dropped<'m>(
    rule: &'m Object,
    service: &Object,
    tls: &ClientTls<'_>,
    (pod, strict): (&Object, Option<&Object>),
) -> Message<'m> {
    let by = strict.map(|policy| format!(" ({})", policy.origin())).unwrap_or_default();
    let text = format!(
        "Requests to {}{} are sent with TLS mode {}, but {} takes mutual TLS only{by}: every request fails with 503.",
        service.full_name(),
        tls.on_port(),
        tls.mode,
        pod.origin(),
    );
    let remedy = format!(
        "Set tls.mode to ISTIO_MUTUAL in DestinationRule {}, or remove its tls block: the mesh then chooses by itself.",
        rule.full_name()
    );
    Message::new(&NET0001, rule, text).at(tls.path.clone().key("mode")).remedy(remedy)
}
