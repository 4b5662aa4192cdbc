//! Finds Services of gateways whose health probe on Azure asks Envoy for a path that it does not answer.

use super::add_on::AZURE;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{GatewayService, Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "gw/health-probe",
        reads: &[Kind::Service, Kind::Pod],
        reports: &[&GWY0018],
        by_default: true,
        run,
    },
};

static GWY0018: Code = Code {
    id: "GWY0018",
    severity: Severity::Error,
    docs: "https://cloud-provider-azure.sigs.k8s.io/topics/loadbalancer/#custom-load-balancer-health-probe",
    page: include_str!("pages/GWY0018.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    for gateway in mesh.gateway_services().iter().filter(|gateway| gateway.is_load_balancer()) {
        // With the policy Local, Azure asks Kubernetes' own health check for the node instead.
        if gateway.service.spec().get("externalTrafficPolicy").text() == "Local" {
            continue;
        }
        for (port, index) in gateway.service.spec().get("ports").items().zip(0..) {
            if asks_envoy_for_root(gateway.service, port) {
                messages.report(probe_gets_no_success(gateway, port, index));
            }
        }
    }
}

/// The application protocol HTTP or HTTPS makes Azure send a request to `/` of the port, unless annotations say otherwise.
fn asks_envoy_for_root(service: &Object, port: View<'_>) -> bool {
    let number = port.get("port").integer();
    let of_port = |name: &str| service.annotation(&format!("{AZURE}port_{number}_{name}"));
    let of_all = |name: &str| service.annotation(&format!("{AZURE}azure-load-balancer-health-probe-{name}"));
    let protocol = of_port("health-probe_protocol").or_else(|| of_all("protocol"));
    let protocol = protocol.or_else(|| port.get("appProtocol").text_if_any()).unwrap_or("tcp");
    let is_http = protocol.eq_ignore_ascii_case("http") || protocol.eq_ignore_ascii_case("https");
    let path = of_port("health-probe_request-path").or_else(|| of_all("request-path"));
    let has_none = ["no_probe_rule", "no_lb_rule"].into_iter().any(|name| of_port(name) == Some("true"));
    is_http && !has_none && path.is_none_or(|path| path == "/")
}

fn probe_gets_no_success<'m>(gateway: &GatewayService<'m>, port: View<'_>, index: usize) -> Message<'m> {
    let service = gateway.service;
    let number = port.get("port").integer();
    let text = format!(
        "Azure's health probe for port {number} requests the path / over HTTP, which Envoy usually answers with 404: \
         the load balancer then takes every node for dead, and connections from outside time out.",
    );
    let probe = format!("{AZURE}port_{number}_health-probe");
    let settings = format!("{probe}_protocol=http {probe}_port=15021 {probe}_request-path=/healthz/ready");
    let remedy = if gateway.is_managed() {
        format!(
            "Let the probe ask the gateway's own health check: put {settings} under spec.infrastructure.annotations."
        )
    } else {
        format!(
            "Let the probe ask the gateway's own health check: `kubectl annotate service {} -n {} {settings}`.",
            service.name(),
            service.namespace()
        )
    };
    Message::new(&GWY0018, service, text).at(Path::spec().key("ports").index(index).key("appProtocol")).remedy(remedy)
}
