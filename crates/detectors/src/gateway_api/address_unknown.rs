//! Finds Gateways that are to use a Service which is not there.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, host};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/manual-target",
        reads: &[Kind::KubernetesGateway, Kind::GatewayClass, Kind::Service, Kind::Pod],
        reports: &[&GWA0013],
        by_default: true,
        run,
    },
};

static GWA0013: Code = Code {
    id: "GWA0013",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/#manual-deployment",
    page: include_str!("pages/GWA0013.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for gateway in mesh.each(Kind::KubernetesGateway).filter(|gateway| mesh.is_istio_gateway(gateway)) {
        for (address, index) in gateway.spec().get("addresses").items().zip(0..) {
            let value = address.get("value").text();
            let is_host = address.get("type").text() == "Hostname";
            if is_host && mesh.service_of_host(gateway.namespace(), value).is_none() {
                messages.report(service_is_unknown(mesh, gateway, value, index));
            }
        }
    }
}

fn service_is_unknown<'m>(mesh: &Mesh, gateway: &'m Object, value: &str, index: usize) -> Message<'m> {
    let text = format!(
        "Is to use the Service {}, which does not exist: no proxy gets its listeners.",
        host::fqdn(gateway.namespace(), value)
    );
    let services = mesh.gateway_services();
    let known = services.iter().filter(|gateway| !gateway.is_managed() && !gateway.pods.is_empty());
    let known: Vec<String> = known.map(|known| host::fqdn(known.service.namespace(), known.service.name())).collect();
    let remedy = if known.is_empty() {
        "Name the Service of a gateway with its namespace: <service>.<namespace>.svc.cluster.local.".to_owned()
    } else {
        format!("Name the Service of a gateway with its namespace: {}.", known.join(" or "))
    };
    let path = Path::spec().key("addresses").index(index).key("value");
    Message::new(&GWA0013, gateway, text).at(path).remedy(remedy)
}
