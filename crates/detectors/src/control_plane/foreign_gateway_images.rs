//! Finds gateways of the add-on that run another image. Of istiod `istiod-pods` says it (AKS0003).

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "cp/image-not-addon",
        reads: &[Kind::Deployment],
        reports: &[&CPL0105],
        by_default: true,
        run,
    },
};

static CPL0105: Code = Code {
    id: "CPL0105",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-support-policy",
    page: include_str!("pages/CPL0105.md"),
};

/// Where the add-on's images come from.
const REGISTRY: &str = "mcr.microsoft.com/";
/// The placeholder that the injector replaces.
const PLACEHOLDER: &str = "auto";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    for deployment in mesh.each(Kind::Deployment).filter(|it| it.name().starts_with("aks-istio-")) {
        let containers = deployment.spec().path(&["template", "spec", "containers"]).items();
        let mut images = containers.map(|container| container.get("image").text());
        let is_foreign = |image: &&str| !image.is_empty() && *image != PLACEHOLDER && !image.starts_with(REGISTRY);
        if let Some(image) = images.find(is_foreign) {
            messages.report(image_is_foreign(deployment, image));
        }
    }
}

fn image_is_foreign<'m>(deployment: &'m Object, image: &str) -> Message<'m> {
    let text = format!("A gateway of the add-on runs the image {image}, which is not from {REGISTRY}.");
    let remedy = format!(
        "Undo the change, unless the cluster mirrors the registry; the add-on writes Deployment {} anew by itself.",
        deployment.full_name()
    );
    Message::new(&CPL0105, deployment, text).remedy(remedy)
}
