//! Finds Gateways for an ingress gateway of the AKS add-on where the cluster has none at all.

use super::add_on::{Ingress, without_ingress};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/not-enabled",
        reads: &[Kind::Gateway, Kind::Service, Kind::Pod],
        reports: &[&GWY0001],
        by_default: true,
        run,
    },
};

static GWY0001: Code = Code {
    id: "GWY0001",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-deploy-ingress",
    page: include_str!("pages/GWY0001.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (gateway, ingress) in without_ingress(mesh) {
        if ingress.other().service(mesh).is_none() {
            messages.report(ingress_is_not_enabled(gateway, ingress));
        }
    }
}

fn ingress_is_not_enabled(gateway: &Object, ingress: Ingress) -> Message<'_> {
    let text = format!(
        "{} is for the add-on's {} ingress gateway, which is not enabled: no Service {} and no pod with that label.",
        gateway.full_name(),
        ingress.word(),
        ingress.name(),
    );
    let remedy = format!("Enable it: `{}`.", ingress.command());
    Message::new(&GWY0001, gateway, text).at(Path::spec().key("selector").key("istio")).remedy(remedy)
}
