//! Finds Gateways for which Istio cannot make a Deployment and a Service, as their names would be too long.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/name-too-long",
        reads: &[Kind::KubernetesGateway, Kind::GatewayClass],
        reports: &[&GWA0007],
        by_default: true,
        run,
    },
};

static GWA0007: Code = Code {
    id: "GWA0007",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#rfc-1035-label-names",
    page: include_str!("pages/GWA0007.md"),
};

/// The longest name that a Service may have.
const LONGEST: usize = 63;
const OVERRIDE: &str = "gateway.istio.io/name-override";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for gateway in mesh.each(Kind::KubernetesGateway).filter(|gateway| mesh.is_istio_gateway(gateway)) {
        // With an address of its own it uses what is there already.
        let mut addresses = gateway.spec().get("addresses").items();
        if addresses.any(|address| address.get("type").text() == "Hostname") {
            continue;
        }
        let class = gateway.spec().get("gatewayClassName").text();
        let generated = format!("{}-{class}", gateway.name());
        let name = gateway.annotation(OVERRIDE).unwrap_or(&generated);
        if name.len() > LONGEST {
            messages.report(is_too_long(gateway, name));
        }
    }
}

fn is_too_long<'m>(gateway: &'m Object, name: &str) -> Message<'m> {
    let text = format!(
        "Istio cannot make the Service and Deployment {name}: the name has {} characters, {LONGEST} are allowed.",
        name.len()
    );
    let remedy = format!("Shorten the name of the Gateway, or set a shorter one with the annotation {OVERRIDE}.");
    Message::new(&GWA0007, gateway, text).at(Path::name()).remedy(remedy)
}
