//! Finds validating webhooks of Istio whose Service is gone. Those that inject have a rule of their own (IST0139).

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, REVISION};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "cp/leftover-webhook",
        reads: &[Kind::ValidatingWebhookConfiguration, Kind::Service],
        reports: &[&CPL0104],
        by_default: true,
        run,
    },
};

static CPL0104: Code = Code {
    id: "CPL0104",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/common-problems/validation/",
    page: include_str!("pages/CPL0104.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for configuration in mesh.each(Kind::ValidatingWebhookConfiguration) {
        let webhooks = configuration.root().get("webhooks").items();
        let mut dead =
            webhooks.filter(|webhook| webhook.get("name").text().ends_with("istio.io")).filter_map(|webhook| {
                // Without a policy the API server takes Fail.
                let fails_open = webhook.get("failurePolicy").text() == "Ignore";
                let service = webhook.path(&["clientConfig", "service"]);
                let (namespace, name) = (service.get("namespace").text(), service.get("name").text());
                let is_gone = service.is_map() && mesh.find(Kind::Service, namespace, name).is_none();
                (is_gone && !fails_open).then(|| format!("{namespace}/{name}"))
            });
        if let Some(service) = dead.next() {
            messages.report(service_is_gone(configuration, &service));
        }
    }
}

fn service_is_gone<'m>(configuration: &'m Object, service: &str) -> Message<'m> {
    let text = format!(
        "The webhook calls Service {service}, which does not exist, and fails closed: objects of Istio can neither be \
         created nor changed."
    );
    let revision = configuration.label(REVISION).map(|revision| format!(" of revision {revision}")).unwrap_or_default();
    let remedy = format!(
        "If the control plane{revision} is really gone: kubectl delete validatingwebhookconfiguration {}",
        configuration.name()
    );
    Message::new(&CPL0104, configuration, text).remedy(remedy)
}
