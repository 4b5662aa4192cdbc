//! Finds workloads of others in the namespace of the add-on's ingress gateways.
//!
//! Those beside istiod are K8S0074 of `istiod-pods`.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{INGRESS_NAMESPACE, Kind, Mesh, Object, Workload};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/reserved-namespace",
        reads: &[Kind::Deployment],
        reports: &[&GWY0022],
        by_default: true,
        run,
    },
};

static GWY0022: Code = Code {
    id: "GWY0022",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-support-policy",
    page: include_str!("pages/GWY0022.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if mesh.is_aks() {
        let deployments = mesh.in_namespace(Kind::Deployment, INGRESS_NAMESPACE);
        for deployment in deployments.filter(|deployment| is_foreign(deployment)) {
            messages.report(is_not_the_add_ons(deployment));
        }
    }
}

fn is_foreign(deployment: &Object) -> bool {
    let is_managed = deployment.label("kubernetes.azure.com/managedby") == Some("aks");
    !is_managed && !deployment.name().starts_with("aks-istio-ingressgateway-") && !mounts_secrets(deployment)
}

/// Secrets come from a key vault only while a pod of the namespace mounts them, as the add-on's own guide has it
/// (<https://learn.microsoft.com/azure/aks/istio-secure-gateway>).
fn mounts_secrets(deployment: &Object) -> bool {
    let mut volumes = Workload::of_deployment(deployment).spec.get("volumes").items();
    volumes.any(|volume| volume.get("csi").get("driver").text() == "secrets-store.csi.k8s.io")
}

fn is_not_the_add_ons(deployment: &Object) -> Message<'_> {
    let text = format!("Runs in {INGRESS_NAMESPACE}, which is the add-on's: support does not cover it there.");
    let remedy = "Run it in a namespace of its own. Secrets for credentialName may stay.";
    Message::new(&GWY0022, deployment, text).remedy(remedy)
}
