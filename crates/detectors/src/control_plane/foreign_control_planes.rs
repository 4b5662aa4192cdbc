//! Finds control planes that somebody manages himself beside the add-on.

use std::collections::BTreeSet;

use crate::wording::some_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{INJECTION, Kind, Mesh, Object};
use report::{Code, Severity};

const MIGRATION: &str = "https://learn.microsoft.com/azure/aks/migration-from-open-source-istio-to-addon";

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "cp/foreign-istiod",
        reads: &[
            Kind::Deployment,
            Kind::Namespace,
            Kind::MutatingWebhookConfiguration,
            Kind::ValidatingWebhookConfiguration,
        ],
        reports: &[&CPL0100],
        by_default: true,
        run,
    },
};

static CPL0100: Code = Code {
    id: "CPL0100",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/migration-from-open-source-istio-to-addon",
    page: include_str!("pages/CPL0100.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    let home = mesh.istio_namespace();
    let mut named = BTreeSet::new();
    for deployment in mesh.each(Kind::Deployment) {
        if deployment.label("app") == Some("istiod") && deployment.namespace() != home {
            named.insert(deployment.namespace());
            messages.report(another_istiod_runs(mesh, deployment));
        }
    }
    for kind in [Kind::MutatingWebhookConfiguration, Kind::ValidatingWebhookConfiguration] {
        for configuration in mesh.each(kind) {
            // An istiod that runs was named above.
            if let Some(namespace) = called_namespace(configuration).filter(|it| *it != home && !named.contains(it)) {
                messages.report(webhook_calls_another(configuration, namespace));
            }
        }
    }
}

/// The namespace of the Service that a webhook of Istio calls.
fn called_namespace(configuration: &Object) -> Option<&str> {
    let mut webhooks = configuration.root().get("webhooks").items();
    let ours = webhooks.find(|webhook| webhook.get("name").text().ends_with("istio.io"))?;
    ours.path(&["clientConfig", "service", "namespace"]).text_if_any()
}

fn another_istiod_runs<'m>(mesh: &Mesh, deployment: &'m Object) -> Message<'m> {
    let enabled = mesh.each(Kind::Namespace).filter(|namespace| namespace.label(INJECTION) == Some("enabled"));
    let enabled: Vec<&str> = enabled.map(Object::name).collect();
    let theirs = if enabled.is_empty() {
        String::new()
    } else {
        format!(" Namespaces with {INJECTION}=enabled belong to it: {}.", some_of(&enabled))
    };
    let text = format!(
        "An istiod of your own runs in namespace {} beside the add-on of {}: two injectors and two validators \
         compete.{theirs}",
        deployment.namespace(),
        mesh.istio_namespace(),
    );
    let remedy = format!(
        "Move to one mesh. The order (workloads first, then this control plane, definitions last or never) is on \
         {MIGRATION}. kubectl get pods -A -l istio.io/rev shows whose proxies are left."
    );
    Message::new(&CPL0100, deployment, text).remedy(remedy)
}

fn webhook_calls_another<'m>(configuration: &'m Object, namespace: &str) -> Message<'m> {
    let text = format!(
        "A webhook of Istio calls namespace {namespace}, where no istiod of the add-on is: it is left of another \
         installation, or belongs to one."
    );
    let remedy = format!(
        "If that installation is gone: kubectl delete {} {}. Else move to one mesh: {MIGRATION}",
        configuration.kind().name().to_lowercase(),
        configuration.name()
    );
    Message::new(&CPL0100, configuration, text).remedy(remedy)
}
