//! Finds the Istio of application routing in a cluster of the add-on.

use crate::wording::some_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "cp/approuting-istio",
        reads: &[Kind::Deployment, Kind::GatewayClass, Kind::KubernetesGateway],
        reports: &[&CPL0102],
        by_default: true,
        run,
    },
};

static CPL0102: Code = Code {
    id: "CPL0102",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/app-routing-gateway-api",
    page: include_str!("pages/CPL0102.md"),
};

const CLASS: &str = "approuting-istio";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    let class = mesh.find(Kind::GatewayClass, "", CLASS);
    let istiod = mesh.find(Kind::Deployment, mesh.istio_namespace(), "istiod");
    if let Some(found) = istiod.or(class) {
        let gateways = mesh.each(Kind::KubernetesGateway);
        let served = gateways.filter(|gateway| gateway.spec().get("gatewayClassName").text() == CLASS);
        let served: Vec<String> = served.map(Object::full_name).collect();
        messages.report(the_two_exclude_each_other(found, &served, !mesh.control_planes().is_empty()));
    }
}

fn the_two_exclude_each_other<'m>(found: &'m Object, served: &[String], is_beside_add_on: bool) -> Message<'m> {
    let (severity, follows) = if is_beside_add_on {
        (CPL0102.severity, "It and the Istio add-on exclude each other, and both are here.")
    } else {
        (Severity::Info, "It injects no sidecars, and excludes the Istio add-on, which is not here.")
    };
    let serves = if served.is_empty() { "no Gateway yet".to_owned() } else { some_of(served) };
    let text = format!(
        "{} is the control plane of application routing with the Gateway API. It serves the Gateways of the class {CLASS} \
         ({serves}). {follows}",
        found.origin()
    );
    let remedy = if is_beside_add_on {
        "Choose one of the two and disable the other: az aks mesh disable --resource-group <group> --name <cluster> for the \
         add-on; how application routing is switched off is on https://learn.microsoft.com/azure/aks/app-routing-gateway-api."
    } else {
        "Nothing to do where only Gateways are wanted. For sidecars, switch application routing with the Gateway API off \
         (https://learn.microsoft.com/azure/aks/app-routing-gateway-api), then: az aks mesh enable --resource-group <group> \
         --name <cluster>"
    };
    Message { severity, ..Message::new(&CPL0102, found, text).remedy(remedy) }
}
