//! Finds pods whose probes are not rewritten, so that they run into the sidecar's mutual TLS.

use crate::wording::template_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, MutualTls, Object, Proxy, View, Workload, application_containers};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "inject/probe-rewrite-off",
        reads: &[
            Kind::Pod,
            Kind::PeerAuthentication,
            Kind::Namespace,
            Kind::ConfigMap,
            Kind::Deployment,
            Kind::StatefulSet,
            Kind::DaemonSet,
            Kind::Job,
        ],
        reports: &[&INJ0109],
        by_default: true,
        run,
    },
};

static INJ0109: Code = Code {
    id: "INJ0109",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/configuration/mesh/app-health-check/",
    page: include_str!("pages/INJ0109.md"),
};

const REWRITE: &str = "sidecar.istio.io/rewriteAppHTTPProbers";

/// A probe that goes over the network.
struct Probe<'m> {
    container: &'m str,
    name: &'static str,
    port: Option<i64>,
}

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (workload, pods) in mesh.workloads() {
        let found = pods.into_iter().find_map(|pod| {
            let is_off = matches!(pod.annotation(REWRITE)?, "false" | "False" | "FALSE" | "f" | "F" | "0");
            let is_sidecar = Proxy::of(pod).is_some_and(|proxy| proxy.is_sidecar());
            if is_off && is_sidecar { Some((pod, probe_of(pod)?)) } else { None }
        });
        if let Some((pod, probe)) = found {
            let is_strict = mesh.mutual_tls(Workload::of_pod(pod), probe.port).mode == MutualTls::Strict;
            messages.report(probes_meet_the_sidecar(workload, &probe, is_strict));
        }
    }
}

fn probe_of(pod: &Object) -> Option<Probe<'_>> {
    application_containers(pod.spec()).find_map(|container| {
        ["readinessProbe", "livenessProbe", "startupProbe"].into_iter().find_map(|name| {
            let probe = container.get(name);
            let over_network = ["httpGet", "grpc", "tcpSocket"].into_iter().map(|how| probe.get(how));
            let port = over_network.into_iter().find(|how| how.is_map())?.get("port");
            Some(Probe { container: container.get("name").text(), name, port: port_of(container, port) })
        })
    })
}

/// The number of a port that may be named.
fn port_of(container: View<'_>, port: View<'_>) -> Option<i64> {
    port.integer_if_any().or_else(|| {
        let mut named = container.get("ports").items();
        named.find(|it| it.get("name").text() == port.text())?.get("containerPort").integer_if_any()
    })
}

fn probes_meet_the_sidecar<'m>(workload: &'m Object, probe: &Probe<'_>, is_strict: bool) -> Message<'m> {
    let follows = if is_strict {
        "Mutual TLS is STRICT there, and the kubelet has no certificate: HTTP and gRPC probes fail, and a TCP probe \
         says nothing about the application."
    } else {
        "That works as long as the sidecar takes plain text; with STRICT mutual TLS HTTP and gRPC probes fail."
    };
    let text = format!(
        "The annotation {REWRITE}=false has the kubelet's {} of container {} go to the application's port itself. \
         {follows}",
        probe.name, probe.container
    );
    let remedy = format!(
        "Remove the annotation from {}, so that the sidecar takes the probes and hands them on.",
        template_of(workload)
    );
    Message::new(&INJ0109, workload, text).remedy(remedy)
}
