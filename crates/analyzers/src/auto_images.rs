//! Finds proxies whose image is still the placeholder that an injector would have replaced.

use super::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, View, Workload, labels};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "injection.ImageAutoAnalyzer",
    reads: &[Kind::Namespace, Kind::Pod, Kind::Deployment, Kind::MutatingWebhookConfiguration],
    reports: &[&IST0146, &IST0147],
    by_default: true,
    run,
};

static IST0146: Code = Code {
    id: "IST0146",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/setup/additional-setup/gateway/#deploying-a-gateway",
    page: include_str!("pages/IST0146.md"),
};

static IST0147: Code = Code {
    id: "IST0147",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/setup/additional-setup/gateway/#deploying-a-gateway",
    page: include_str!("pages/IST0147.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for pod in mesh.each(Kind::Pod) {
        if has_placeholder(pod.spec()) {
            messages.report(was_not_injected(pod));
        }
    }
    let configurations = mesh.each(Kind::MutatingWebhookConfiguration);
    let webhooks = configurations.flat_map(|configuration| configuration.root().get("webhooks").items());
    let injectors: Vec<View<'_>> =
        webhooks.filter(|webhook| webhook.get("name").text().ends_with("istio.io")).collect();
    for deployment in mesh.each(Kind::Deployment) {
        let template = Workload::of_deployment(deployment);
        if has_placeholder(template.spec) && !is_injected(mesh, template, &injectors) {
            messages.report(will_not_be_injected(deployment));
        }
    }
}

fn has_placeholder(pod: View<'_>) -> bool {
    let mut containers = pod.get("containers").items();
    containers.any(|it| it.get("name").text() == "istio-proxy" && it.get("image").text() == "auto")
}

fn is_injected(mesh: &Mesh, workload: Workload<'_>, injectors: &[View<'_>]) -> bool {
    let namespace = if workload.namespace.is_empty() { "default" } else { workload.namespace };
    let namespace = mesh.namespace(namespace);
    injectors.iter().any(|webhook| {
        labels::selector_matches(webhook.get("namespaceSelector"), |key| namespace?.label(key))
            && labels::selector_matches(webhook.get("objectSelector"), |key| workload.labels.get(key).text_if_any())
    })
}

fn was_not_injected(pod: &Object) -> Message<'_> {
    Message::new(&IST0147, pod, text(pod))
}

fn will_not_be_injected(deployment: &Object) -> Message<'_> {
    Message::new(&IST0146, deployment, text(deployment))
}

fn text(object: &Object) -> String {
    let (kind, name) = (object.kind().name(), object.name());
    format!("{kind} {name} contains `image: auto` but does not match any Istio injection webhook selectors.")
}
