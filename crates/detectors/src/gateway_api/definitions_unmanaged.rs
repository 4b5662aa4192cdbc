//! Finds resource types of the Gateway API on AKS that AKS did not install, or that are experimental.

use super::definitions::{definitions, is_managed};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/crds-unmanaged",
        reads: &[Kind::CustomResourceDefinition],
        reports: &[&GWA0002],
        by_default: true,
        run,
    },
};

static GWA0002: Code = Code {
    id: "GWA0002",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/managed-gateway-api",
    page: include_str!("pages/GWA0002.md"),
};

const CHANNEL: &str = "gateway.networking.k8s.io/channel";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    let is_experimental = |found: &&Object| found.annotation(CHANNEL).is_some_and(|channel| channel != "standard");
    let experimental: Vec<&Object> = definitions(mesh).filter(is_experimental).collect();
    let unmanaged: Vec<&Object> = definitions(mesh).filter(|found| !is_managed(found)).collect();
    let findings = [(experimental, "are of an experimental channel"), (unmanaged, "were not installed by AKS")];
    for (found, what) in findings {
        if let Some(first) = found.first() {
            messages.report(are_not_supported(first, &found, what));
        }
    }
}

fn are_not_supported<'m>(first: &'m Object, found: &[&Object], what: &str) -> Message<'m> {
    let names: Vec<&str> = found.iter().map(|found| found.name().split('.').next().unwrap_or_default()).collect();
    let text = format!(
        "Resource types of the Gateway API {what} ({}): the add-on is not supported with them, and the managed \
         installation refuses to take over experimental ones.",
        names.join(", "),
    );
    let remedy = "Move to the standard channel of the release that fits the version of Kubernetes, then enable the \
                  managed installation: `az aks update --resource-group <rg> --name <cluster> --enable-gateway-api`.";
    Message::new(&GWA0002, first, text).remedy(remedy)
}
