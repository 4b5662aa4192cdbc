//! Finds Gateways that take their settings from a `ConfigMap` which is not there.

use super::settings::named_by;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{GATEWAY_SETTINGS, Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/params-missing",
        reads: &[Kind::KubernetesGateway, Kind::GatewayClass, Kind::ConfigMap],
        reports: &[&GWA0010],
        by_default: true,
        run,
    },
};

static GWA0010: Code = Code {
    id: "GWA0010",
    severity: Severity::Error,
    docs: "https://gateway-api.sigs.k8s.io/reference/spec/#gatewayinfrastructure",
    page: include_str!("pages/GWA0010.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for gateway in mesh.each(Kind::KubernetesGateway).filter(|gateway| mesh.is_istio_gateway(gateway)) {
        // A mesh keeps of other ConfigMaps only those with settings for Gateways, which is what is looked for here.
        if let Some(name) = named_by(gateway)
            && mesh.find(Kind::ConfigMap, gateway.namespace(), name).is_none()
        {
            messages.report(settings_are_missing(gateway, name));
        }
    }
}

fn settings_are_missing<'m>(gateway: &'m Object, name: &str) -> Message<'m> {
    let namespace = gateway.namespace();
    let keys = GATEWAY_SETTINGS.join(", ");
    let text = format!(
        "spec.infrastructure.parametersRef names ConfigMap {namespace}/{name}, and there is none of that name with the \
         keys that Istio reads ({keys})."
    );
    let remedy = format!("Create it in namespace {namespace}, or remove parametersRef.");
    let path = Path::spec().key("infrastructure").key("parametersRef").key("name");
    Message::new(&GWA0010, gateway, text).at(path).remedy(remedy)
}
