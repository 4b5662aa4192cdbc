//! Finds injection webhooks that are switched off.

use crate::wording::some_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, REVISION, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "inject/webhook-deactivated",
        reads: &[Kind::MutatingWebhookConfiguration],
        reports: &[&INJ0103],
        by_default: true,
        run,
    },
};

static INJ0103: Code = Code {
    id: "INJ0103",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/common-problems/injection/",
    page: include_str!("pages/INJ0103.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for configuration in mesh.each(Kind::MutatingWebhookConfiguration) {
        let injectors: Vec<View<'_>> = injectors(configuration).collect();
        let off: Vec<&str> =
            injectors.iter().filter(|webhook| is_off(**webhook)).map(|webhook| webhook.get("name").text()).collect();
        if !off.is_empty() && !is_replaced(mesh, configuration) {
            messages.report(is_switched_off(mesh, configuration, &off, injectors.len()));
        }
    }
}

fn injectors(configuration: &Object) -> impl Iterator<Item = View<'_>> {
    let webhooks = configuration.root().get("webhooks").items();
    webhooks.filter(|webhook| webhook.get("name").text().ends_with("istio.io"))
}

/// Istio's own mark for a webhook that must not select anything.
fn is_off(webhook: View<'_>) -> bool {
    ["namespaceSelector", "objectSelector"]
        .iter()
        .any(|selector| webhook.get(selector).get("matchLabels").get("istio.io/deactivated").text() == "never-match")
}

/// Istio switches the webhook of the unnamed revision off when the tag `default` takes its place
/// (<https://istio.io/latest/docs/setup/upgrade/canary/#default-tag>).
fn is_replaced(mesh: &Mesh, configuration: &Object) -> bool {
    let is_unnamed = matches!(configuration.label(REVISION), None | Some("" | "default"));
    is_unnamed
        && mesh.each(Kind::MutatingWebhookConfiguration).any(|other| {
            other.label("istio.io/tag") == Some("default") && injectors(other).any(|webhook| !is_off(webhook))
        })
}

fn is_switched_off<'m>(mesh: &Mesh, configuration: &'m Object, off: &[&str], all: usize) -> Message<'m> {
    let text = format!(
        "{} of {all} injection webhooks are switched off by the selector istio.io/deactivated=never-match: {}. What \
         they would select gets no sidecar, and no error is shown.",
        off.len(),
        some_of(off),
    );
    let remedy = if mesh.is_aks() {
        "Let the add-on write the configuration anew: az aks update --resource-group <group> --name <cluster>. Then \
         restart the workloads that came up without a sidecar."
            .to_owned()
    } else {
        format!(
            "Restore the selectors of {}: run the installation again (helm upgrade or istioctl install) for its \
             revision. Then restart the workloads that came up without a sidecar.",
            configuration.origin()
        )
    };
    Message::new(&INJ0103, configuration, text).remedy(remedy)
}
