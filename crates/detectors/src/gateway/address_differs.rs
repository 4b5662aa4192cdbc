//! Finds Services of gateways that did not get the address they ask for.

use super::add_on::AZURE;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{GatewayService, Kind, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/ip-mismatch",
        reads: &[Kind::Service, Kind::Pod],
        reports: &[&GWY0003],
        by_default: true,
        run,
    },
};

static GWY0003: Code = Code {
    id: "GWY0003",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-deploy-ingress#annotations",
    page: include_str!("pages/GWY0003.md"),
};

/// Where a Service asks for an address of Azure's load balancer
/// (<https://cloud-provider-azure.sigs.k8s.io/topics/loadbalancer/>).
const WISHES: [&str; 2] = ["azure-load-balancer-ipv4", "azure-load-balancer-ipv6"];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for gateway in mesh.gateway_services().iter().filter(|gateway| gateway.is_load_balancer()) {
        // A Service without any address has a trouble of its own.
        if gateway.addresses().next().is_none() {
            continue;
        }
        for wish in WISHES.map(|name| format!("{AZURE}{name}")) {
            let Some(wanted) = gateway.service.annotation(&wish) else { continue };
            if !gateway.addresses().any(|address| is_same(address, wanted)) {
                messages.report(has_another_address(gateway, &wish, wanted));
            }
        }
    }
}

/// IPv6 addresses can be written in several ways.
fn is_same(address: &str, wanted: &str) -> bool {
    let parsed = |text: &str| text.trim().parse::<std::net::IpAddr>().ok();
    address == wanted || parsed(address).is_some_and(|address| parsed(wanted) == Some(address))
}

fn has_another_address<'m>(gateway: &GatewayService<'m>, wish: &str, wanted: &str) -> Message<'m> {
    let service = gateway.service;
    let addresses: Vec<&str> = gateway.addresses().collect();
    let text = format!("Asks for the address {wanted}, but has {}.", addresses.join(", "));
    let remedy = format!(
        "See what Azure answers: `kubectl describe service {} -n {}`. The address must be free and lie in the resource \
         group or subnet of the load balancer. If {} is right, correct the annotation.",
        service.name(),
        service.namespace(),
        addresses.join(", "),
    );
    let path = Path::metadata().key("annotations").key(wish.to_owned());
    Message::new(&GWY0003, service, text).at(path).remedy(remedy)
}
