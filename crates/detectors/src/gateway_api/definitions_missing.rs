//! Finds installations of the Gateway API that lack resource types which Istio serves.

use super::definitions::{GROUP, definitions};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{CLASS_DEFAULTS, GATEWAY_NAME, Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/crds-missing",
        reads: &[Kind::CustomResourceDefinition, Kind::Service, Kind::ConfigMap],
        reports: &[&GWA0001],
        by_default: true,
        run,
    },
};

static GWA0001: Code = Code {
    id: "GWA0001",
    severity: Severity::Error,
    docs: "https://gateway-api.sigs.k8s.io/guides/getting-started/#installing-gateway-api",
    page: include_str!("pages/GWA0001.md"),
};

const NEEDED: [&str; 5] = ["gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants"];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let installed: Vec<&Object> = definitions(mesh).collect();
    let is_missing = |plural: &&str| !installed.iter().any(|found| found.name() == format!("{plural}.{GROUP}"));
    let missing: Vec<&str> = NEEDED.into_iter().filter(is_missing).collect();
    // Without any of them nobody uses the API, unless something was left behind.
    let sign = installed.first().copied().or_else(|| left_behind(mesh));
    if let Some(sign) = sign.filter(|_| !missing.is_empty()) {
        messages.report(types_are_missing(mesh, sign, &missing));
    }
}

fn left_behind(mesh: &Mesh) -> Option<&Object> {
    let made = mesh.each(Kind::Service).find(|service| service.label(GATEWAY_NAME).is_some());
    made.or_else(|| mesh.each(Kind::ConfigMap).find(|map| map.label(CLASS_DEFAULTS).is_some()))
}

fn types_are_missing<'m>(mesh: &Mesh, sign: &'m Object, missing: &[&str]) -> Message<'m> {
    let text = format!(
        "The Gateway API is in use here ({}), but these of its resource types are not installed: {}.",
        sign.origin(),
        missing.join(", "),
    );
    let remedy = if mesh.is_aks() {
        "Enable the managed installation: `az aks update --resource-group <rg> --name <cluster> --enable-gateway-api`."
    } else {
        "Install the standard channel of the Gateway API, all of one release."
    };
    Message::new(&GWA0001, sign, text).remedy(remedy)
}
