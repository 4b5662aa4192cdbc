//! Finds Services of Gateways whose health probe does not fit their traffic policy.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{GatewayService, Kind, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/local-policy-probe",
        reads: &[Kind::Service, Kind::Pod],
        reports: &[&GWA0011],
        by_default: true,
        run,
    },
};

static GWA0011: Code = Code {
    id: "GWA0011",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-gateway-api#configmap-customizations",
    page: include_str!("pages/GWA0011.md"),
};

/// The annotations by which the add-on sends the probe to the gateway's own health check.
const PROBE: [&str; 3] = [
    "service.beta.kubernetes.io/port_80_health-probe_port",
    "service.beta.kubernetes.io/port_80_health-probe_protocol",
    "service.beta.kubernetes.io/port_80_health-probe_request-path",
];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for gateway in mesh.gateway_services().iter().filter(|gateway| gateway.is_managed()) {
        let service = gateway.service;
        let is_local = service.spec().get("externalTrafficPolicy").text() == "Local";
        let set = PROBE.into_iter().filter(|key| service.annotation(key).is_some_and(|value| !value.is_empty()));
        let set: Vec<&str> = set.collect();
        if is_local && !set.is_empty() {
            messages.report(probe_goes_astray(gateway, &set));
        }
    }
}

fn probe_goes_astray<'m>(gateway: &GatewayService<'m>, set: &[&'static str]) -> Message<'m> {
    let text = format!(
        "externalTrafficPolicy is Local, for which the load balancer must ask the node's own health check, but {} send \
         its probe elsewhere: it fails, and connections time out.",
        set.join(", "),
    );
    let remedy = "Unset the annotations: in the ConfigMap with the settings of the Gateway, under the key service, \
                  write them without a value in metadata.annotations.";
    let path = Path::metadata().key("annotations").key(set.first().copied().unwrap_or_default());
    Message::new(&GWA0011, gateway.service, text).at(path).remedy(remedy)
}
