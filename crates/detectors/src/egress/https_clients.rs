//! Finds clients that send HTTPS to hosts for which an egress gateway makes the TLS.

use std::collections::BTreeSet;

use super::routes::{Hop, Routes};
use super::unknown_hosts::place;
use crate::client_tls::client_tls;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{CalledHost, DestinationRules, Kind, Mesh, Object, Workload, called_hosts};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "egress/tls-origination-https-client",
        reads: &[
            Kind::VirtualService,
            Kind::Gateway,
            Kind::ServiceEntry,
            Kind::Service,
            Kind::Pod,
            Kind::DestinationRule,
            Kind::MeshConfig,
        ],
        reports: &[&EGR0014],
        by_default: true,
        run,
    },
};

static EGR0014: Code = Code {
    id: "EGR0014",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-egress-gateway",
    page: include_str!("pages/EGR0014.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let originated = originated_hosts(mesh);
    if originated.is_empty() {
        return;
    }
    let mut reported = BTreeSet::new();
    for pod in mesh.each(Kind::Pod).filter(|pod| Workload::of_pod(pod).has_proxy()) {
        for called in called_hosts(pod) {
            let is_concerned = called.scheme == "https" && originated.contains(called.name);
            if is_concerned && reported.insert((pod.namespace(), called.name)) {
                messages.report(client_sends_tls(pod, &called));
            }
        }
    }
}

/// The hosts whose plain HTTP goes through a gateway that makes TLS of it, and for whose TLS there is no rule.
fn originated_hosts(mesh: &Mesh) -> BTreeSet<&str> {
    let (routes, rules) = (Routes::new(mesh), DestinationRules::new(mesh));
    let takes_tls: BTreeSet<&str> =
        routes.ways_in.iter().filter(|way| way.protocol != "http").flat_map(Hop::hosts).collect();
    let mut originated = BTreeSet::new();
    for out in routes.ways_on().filter(|out| out.protocol == "http") {
        let pods = mesh.gateway_pods(out.gateway);
        let Some(pod) = pods.first() else { continue };
        let followed = rules.for_host(pod.namespace(), &out.host, Some(out.service.namespace()));
        let mut blocks = followed.into_iter().flat_map(client_tls);
        let makes_tls =
            blocks.any(|tls| matches!(tls.mode, "SIMPLE" | "MUTUAL") && out.port.is_none_or(|port| tls.covers(port)));
        if makes_tls {
            originated.extend(out.hosts().filter(|host| !takes_tls.contains(host)));
        }
    }
    originated
}

fn client_sends_tls<'m>(pod: &'m Object, called: &CalledHost<'_>) -> Message<'m> {
    let host = called.name;
    let text = format!(
        "It is told to call https://{host} ({}), but the egress gateway makes the TLS for {host} and takes plain HTTP only: \
         the call goes past the gateway, or is wrapped into TLS twice (WRONG_VERSION_NUMBER).",
        place(called)
    );
    let remedy = format!("Let the application call http://{host}; it leaves the cluster as HTTPS all the same.");
    Message::new(&EGR0014, pod, text).remedy(remedy)
}
