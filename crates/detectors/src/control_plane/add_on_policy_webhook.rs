//! Finds clusters of the add-on without its admission webhook, which keeps out what it does not support.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

const RECONCILE: &str = "Let the add-on write it anew (az aks update --resource-group <group> --name <cluster>), and \
                         find out who deletes or changes webhook configurations. Then look for blocked kinds and \
                         fields.";

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "cp/aks-policy-webhook",
        reads: &[Kind::Deployment, Kind::ValidatingWebhookConfiguration],
        reports: &[&CPL0103],
        by_default: true,
        run,
    },
};

static CPL0103: Code = Code {
    id: "CPL0103",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-support-policy",
    page: include_str!("pages/CPL0103.md"),
};

const WEBHOOK: &str = "azure-service-mesh-ccp-validating-webhook";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let control_planes = mesh.control_planes();
    let managed = control_planes.iter().rev().find(|control_plane| is_managed(control_plane.deployment));
    let Some(managed) = managed.filter(|_| mesh.is_aks()) else { return };
    match mesh.find(Kind::ValidatingWebhookConfiguration, "", WEBHOOK) {
        None => messages.report(webhook_is_missing(managed.deployment)),
        Some(webhook) if has_no_rules(webhook) => messages.report(webhook_checks_nothing(webhook)),
        Some(_) => {}
    }
}

/// AKS labels what it manages. A control plane without the label in the same place is somebody's own, and has no such
/// webhook.
fn is_managed(deployment: &Object) -> bool {
    let template = deployment.spec().path(&["template", "metadata", "labels"]);
    let labels = [deployment.labels(), template];
    labels.into_iter().any(|labels| {
        labels.get("kubernetes.azure.com/managedby").text() == "aks"
            || labels.get("helm.toolkit.fluxcd.io/name").text().starts_with("azure-service-mesh")
    })
}

fn has_no_rules(webhook: &Object) -> bool {
    webhook.root().get("webhooks").items().all(|webhook| webhook.get("rules").is_empty())
}

fn webhook_is_missing(istiod: &Object) -> Message<'_> {
    let text = format!(
        "ValidatingWebhookConfiguration {WEBHOOK} is missing: nothing keeps out objects and settings that the add-on \
         does not support."
    );
    Message::new(&CPL0103, istiod, text).remedy(RECONCILE)
}

fn webhook_checks_nothing(webhook: &Object) -> Message<'_> {
    let text = "The webhook has no rules: nothing keeps out objects and settings that the add-on does not support.";
    Message::new(&CPL0103, webhook, text).remedy(RECONCILE)
}
