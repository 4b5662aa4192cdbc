//! Finds mix-ups of the AKS add-on's internal and external ingress gateway: Gateways for the one that is not there, and
//! Services that are reached from the wrong side.

use std::net::IpAddr;

use super::add_on::{AZURE, Ingress, without_ingress};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/internal-external-mixup",
        reads: &[Kind::Gateway, Kind::Service, Kind::Pod],
        reports: &[&GWY0002],
        by_default: true,
        run,
    },
};

static GWY0002: Code = Code {
    id: "GWY0002",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-deploy-ingress",
    page: include_str!("pages/GWY0002.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (gateway, ingress) in without_ingress(mesh) {
        if ingress.other().service(mesh).is_some() {
            messages.report(other_ingress_is_enabled(gateway, ingress));
        }
    }
    if !mesh.is_aks() {
        return;
    }
    if let Some(service) = Ingress::Internal.service(mesh)
        && !is_marked_internal(service)
        && let Some(address) = public_address(service)
    {
        messages.report(internal_is_public(service, address));
    }
    if let Some(service) = Ingress::External.service(mesh).filter(|service| is_marked_internal(service)) {
        messages.report(external_is_internal(service));
    }
}

/// What makes Azure give a Service an address of the virtual network
/// (<https://learn.microsoft.com/azure/aks/internal-lb>).
fn is_marked_internal(service: &Object) -> bool {
    service.annotation(&format!("{AZURE}azure-load-balancer-internal")) == Some("true")
}

fn public_address(service: &Object) -> Option<&str> {
    let addresses = service.status().get("loadBalancer").get("ingress").items();
    addresses.map(|address| address.get("ip").text()).find(|address| match address.parse() {
        Ok(IpAddr::V4(address)) => !address.is_private() && !address.is_link_local() && !is_carrier_grade(address),
        Ok(IpAddr::V6(address)) => !address.is_unique_local() && !address.is_unicast_link_local(),
        Err(_) => false,
    })
}

/// 100.64.0.0/10, which virtual networks may use (<https://www.rfc-editor.org/rfc/rfc6598>).
fn is_carrier_grade(address: std::net::Ipv4Addr) -> bool {
    matches!(address.octets(), [100, 64..=127, ..])
}

fn other_ingress_is_enabled(gateway: &Object, ingress: Ingress) -> Message<'_> {
    let (wanted, other) = (ingress.word(), ingress.other());
    let text = format!(
        "{} is for the {wanted} ingress gateway, but only the {} one is enabled: nothing listens for it.",
        gateway.full_name(),
        other.word(),
    );
    let remedy = format!("Select istio={}, or enable the {wanted} one: `{}`.", other.name(), ingress.command());
    Message::new(&GWY0002, gateway, text).at(Path::spec().key("selector").key("istio")).remedy(remedy)
}

fn internal_is_public<'m>(service: &'m Object, address: &str) -> Message<'m> {
    let text = format!("The internal ingress gateway has the public address {address}.");
    let remedy = format!(
        "Undo changes of the annotations of Service {}; the add-on sets {AZURE}azure-load-balancer-internal to true.",
        service.full_name()
    );
    Message::new(&GWY0002, service, text).remedy(remedy)
}

fn external_is_internal(service: &Object) -> Message<'_> {
    let text = "The external ingress gateway is marked internal, so that it has no public address.";
    let key = format!("{AZURE}azure-load-balancer-internal");
    let remedy =
        format!("Remove the mark: `kubectl annotate service {} -n {} {key}-`.", service.name(), service.namespace());
    Message::new(&GWY0002, service, text).at(Path::metadata().key("annotations").key(key)).remedy(remedy)
}
