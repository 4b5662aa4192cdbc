//! Finds validators that let objects pass when they do not answer.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "val/fail-open",
        reads: &[Kind::ValidatingWebhookConfiguration],
        reports: &[&VAL0001],
        by_default: true,
        run,
    },
};

static VAL0001: Code = Code {
    id: "VAL0001",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/ops/common-problems/validation/",
    page: include_str!("pages/VAL0001.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for configuration in mesh.each(Kind::ValidatingWebhookConfiguration) {
        let mut webhooks = configuration.root().get("webhooks").items();
        let open = webhooks.find(|webhook| is_of_istio(*webhook) && webhook.field("failurePolicy").text() == "Ignore");
        if let Some(webhook) = open {
            messages.report(invalid_objects_may_pass(mesh, configuration, webhook));
        }
    }
}

/// Whether istiod answers for a webhook. The one by which AKS enforces its own rules calls a URL.
fn is_of_istio(webhook: View<'_>) -> bool {
    let service = webhook.path(&["clientConfig", "service", "name"]).text();
    let mut groups = webhook.get("rules").items().flat_map(|rule| rule.field("apiGroups").texts());
    service.starts_with("istiod") && groups.any(|group| group.ends_with(".istio.io"))
}

fn invalid_objects_may_pass<'m>(mesh: &Mesh, configuration: &'m Object, webhook: View<'_>) -> Message<'m> {
    let text = format!(
        "failurePolicy of {} is Ignore: while istiod does not answer, invalid objects are accepted.",
        webhook.get("name").text()
    );
    let remedy = format!(
        "Nothing in the first minutes: istiod sets Fail once it is ready. If it stays, read why it does not: kubectl logs -n {} -l \
         app=istiod | grep -i validation",
        mesh.istio_namespace()
    );
    Message::new(&VAL0001, configuration, text).remedy(remedy)
}
