//! Finds workloads whose annotations let traffic bypass the sidecar.

use crate::wording::{some_of, template_of};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, MutualTls, Object, Proxy, View, Workload};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "inject/traffic-excluded",
        reads: &[
            Kind::Pod,
            Kind::PeerAuthentication,
            Kind::AuthorizationPolicy,
            Kind::Namespace,
            Kind::ConfigMap,
            Kind::Deployment,
            Kind::StatefulSet,
            Kind::DaemonSet,
            Kind::Job,
        ],
        reports: &[&INJ0110],
        by_default: true,
        run,
    },
};

static INJ0110: Code = Code {
    id: "INJ0110",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/annotations/#TrafficExcludeInboundPorts",
    page: include_str!("pages/INJ0110.md"),
};

const PREFIX: &str = "traffic.sidecar.istio.io/";
const EXCLUDED_INBOUND: &str = "excludeInboundPorts";

/// What narrows the traffic that is redirected.
const SWITCHES: [&str; 7] = [
    "includeInboundPorts",
    EXCLUDED_INBOUND,
    "includeOutboundIPRanges",
    "excludeOutboundIPRanges",
    "excludeOutboundPorts",
    "excludeInterfaces",
    "kubevirtInterfaces",
];

/// The sidecar's own ports are never redirected; the injector writes them down itself where a CNI plug-in reads them.
const OWN: [&str; 3] = ["15020", "15021", "15090"];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (workload, pods) in mesh.workloads() {
        let Some(pod) = pods.into_iter().find(|pod| Proxy::of(pod).is_some_and(|proxy| proxy.is_sidecar())) else {
            continue;
        };
        let annotations = annotations_of(workload);
        let found: Vec<String> = SWITCHES.into_iter().filter_map(|switch| exclusion(annotations, switch)).collect();
        if !found.is_empty() {
            let pierced = pierced_policy(mesh, pod, annotations);
            messages.report(traffic_bypasses(workload, &found, pierced));
        }
    }
}

/// As somebody wrote them: the injector adds to those of a pod.
fn annotations_of(workload: &Object) -> View<'_> {
    if workload.kind() == Kind::Pod { workload.annotations() } else { Workload::of_deployment(workload).annotations }
}

fn exclusion(annotations: View<'_>, switch: &str) -> Option<String> {
    let value = annotations.get(&format!("{PREFIX}{switch}")).text_if_any()?;
    let includes = switch.starts_with("include");
    // All is included by default; to include nothing is an exclusion.
    let narrows = if includes { value != "*" } else { parts(value).any(|part| !OWN.contains(&part)) };
    narrows.then(|| format!("{switch}={value}"))
}

fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// A port that is excluded although a policy is meant to guard it.
fn pierced_policy<'m>(mesh: &'m Mesh, pod: &'m Object, annotations: View<'_>) -> Option<(i64, &'m Object)> {
    let workload = Workload::of_pod(pod);
    let list = annotations.get(&format!("{PREFIX}{EXCLUDED_INBOUND}")).text();
    let ports = parts(list).filter(|port| !OWN.contains(port)).filter_map(|port| port.parse::<i64>().ok());
    ports.into_iter().find_map(|port| {
        let decision = mesh.mutual_tls(workload, Some(port));
        let strict = decision.policy.filter(|_| decision.mode == MutualTls::Strict);
        Some((port, strict.or_else(|| mesh.policies(Kind::AuthorizationPolicy, workload).iter().next())?))
    })
}

fn traffic_bypasses<'m>(workload: &'m Object, found: &[String], pierced: Option<(i64, &Object)>) -> Message<'m> {
    let mut text = format!("Annotations let traffic bypass the sidecar: {}.", some_of(found));
    let mut severity = INJ0110.severity;
    if let Some((port, policy)) = pierced {
        severity = Severity::Warning;
        text = format!("{text} So {} does not hold for port {port}.", policy.origin());
    }
    let remedy = format!(
        "Remove the annotations ({PREFIX}…) from {} where policies and telemetry are to cover \
         that traffic; else keep them, and write down why.",
        template_of(workload)
    );
    Message { severity, ..Message::new(&INJ0110, workload, text).remedy(remedy) }
}
