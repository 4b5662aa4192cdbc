//! Finds workloads whose static egress gateway is not configured.

use super::static_gateways::users;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "egress/sgc-missing",
        reads: &[Kind::Deployment, Kind::StaticGatewayConfiguration, Kind::CustomResourceDefinition],
        reports: &[&EGR0006],
        by_default: true,
        run,
    },
};

static EGR0006: Code = Code {
    id: "EGR0006",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-egress-gateway",
    page: include_str!("pages/EGR0006.md"),
};

const DEFINITION: &str = "staticgatewayconfigurations.egressgateway.kubernetes.azure.com";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (deployment, name) in users(mesh) {
        if mesh.find(Kind::StaticGatewayConfiguration, deployment.namespace(), name).is_none() {
            let is_off = mesh.is_live() && mesh.find(Kind::CustomResourceDefinition, "", DEFINITION).is_none();
            messages.report(configuration_is_missing(mesh, deployment, name, is_off));
        }
    }
}

fn configuration_is_missing<'m>(mesh: &Mesh, deployment: &'m Object, name: &str, is_off: bool) -> Message<'m> {
    let namespace = deployment.namespace();
    let elsewhere = mesh.each(Kind::StaticGatewayConfiguration).find(|other| other.name() == name);
    let why = match elsewhere {
        _ if is_off => " (the cluster does not know the kind: Static Egress Gateway is not enabled)".to_owned(),
        Some(other) => format!(" (there is one in namespace {}, which does not count)", other.namespace()),
        None => String::new(),
    };
    let text = format!(
        "Its pods name the StaticGatewayConfiguration {name}, which is not in namespace {namespace}{why}: they stay in \
         ContainerCreating."
    );
    let remedy = if is_off {
        "Enable the feature (`az aks update --enable-static-egress-gateway`), add a node pool of mode Gateway, and create \
         the StaticGatewayConfiguration."
            .to_owned()
    } else {
        format!("Create StaticGatewayConfiguration {name} in namespace {namespace}, or correct the annotation.")
    };
    let path = Path::spec().key("template").key("metadata").key("annotations");
    Message::new(&EGR0006, deployment, text).at(path).remedy(remedy)
}
