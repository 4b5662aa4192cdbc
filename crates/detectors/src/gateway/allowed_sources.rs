//! Finds gateways that only some clients may reach.

use super::add_on::AZURE;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/allowed-ip-ranges",
        reads: &[Kind::Service, Kind::Pod],
        reports: &[&GWY0019],
        by_default: true,
        run,
    },
};

static GWY0019: Code = Code {
    id: "GWY0019",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-deploy-ingress#annotations",
    page: include_str!("pages/GWY0019.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for gateway in mesh.gateway_services().iter().filter(|gateway| gateway.is_load_balancer()) {
        let limits = limits(gateway.service);
        if !limits.is_empty() {
            messages.report(admits_some(gateway.service, &limits));
        }
    }
}

/// Where the Service limits its clients, each with what it lets in.
fn limits(service: &Object) -> Vec<String> {
    let ranges: Vec<&str> = service.spec().get("loadBalancerSourceRanges").texts().collect();
    let mut limits = Vec::new();
    if !ranges.is_empty() {
        limits.push(format!("spec.loadBalancerSourceRanges: {}", ranges.join(", ")));
    }
    for name in ["azure-allowed-ip-ranges", "azure-allowed-service-tags"] {
        let value = service.annotation(&format!("{AZURE}{name}")).filter(|value| !value.is_empty());
        limits.extend(value.map(|value| format!("{AZURE}{name}: {value}")));
    }
    limits
}

fn admits_some<'m>(service: &'m Object, limits: &[String]) -> Message<'m> {
    let text = format!("Lets in only clients of {}.", limits.join("; "));
    let remedy = "Add the addresses of the clients that time out, or remove the limit.";
    Message::new(&GWY0019, service, text).remedy(remedy)
}
