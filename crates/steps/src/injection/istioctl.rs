//! The verdict of `istioctl experimental check-inject`, with its own words and its own gaps: it looks at labels alone.

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    INJECTION, Labels,
    table::{Cell, text},
    webhook::WebhookConfiguration,
};

/// What istioctl says of one webhook configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct IstioctlVerdict {
    pub webhook: String,
    pub revision: String,
    pub injected: bool,
    pub reason: String,
}

/// One verdict per configuration, sorted by name.
pub(crate) fn verdicts(
    configurations: &[WebhookConfiguration],
    namespace: &Labels,
    pod: &Labels,
) -> Vec<IstioctlVerdict> {
    let mut verdicts: Vec<_> = configurations
        .iter()
        .map(|configuration| {
            let (injected, reason) = verdict(configuration, namespace, pod);
            let (webhook, revision) = (configuration.name.clone(), configuration.revision.clone());
            IstioctlVerdict { webhook, revision, injected, reason }
        })
        .collect();
    verdicts.sort_by(|a, b| a.webhook.cmp(&b.webhook));
    verdicts
}

fn verdict(configuration: &WebhookConfiguration, namespace: &Labels, pod: &Labels) -> (bool, String) {
    for webhook in &configuration.webhooks {
        let (spaces, objects) = (&webhook.namespace_selector, &webhook.object_selector);
        match (spaces.matches(namespace), objects.matches(pod)) {
            (true, true) => match (spaces.remembered(namespace), objects.remembered(pod)) {
                (Some(space), Some(object)) => {
                    return (true, format!("Namespace label {space} matches, and pod label {object} matches"));
                }
                (Some(space), None) => {
                    let everywhere = if space.contains("kubernetes.io/metadata.name") {
                        " (Automatic injection is enabled in all namespaces)."
                    } else {
                        ""
                    };
                    return (true, format!("Namespace label {space} matches{everywhere}"));
                }
                (None, Some(object)) => return (true, format!("Pod label {object} matches")),
                (None, None) => {}
            },
            (true, false) => {
                if let Some((key, value)) = objects.forbidden(pod) {
                    return (false, format!("Pod has {key}={value} label, preventing injection"));
                }
            }
            (false, true) => {
                if let Some(value) = namespace.get(INJECTION).filter(|value| *value != "enabled") {
                    return (false, format!("Namespace has {INJECTION}={value} label, preventing injection"));
                }
            }
            (false, false) => {}
        }
    }
    if configuration.is_deactivated() {
        return (false, "The injection webhook is deactivated, and will never match labels.".to_owned());
    }
    let spaces: Vec<_> = configuration.webhooks.iter().flat_map(|w| w.namespace_selector.wanted()).collect();
    let objects: Vec<_> = configuration.webhooks.iter().flat_map(|w| w.object_selector.wanted()).collect();
    let reason = format!("No matching namespace labels ({}) or pod labels ({})", spaces.join(", "), objects.join(", "));
    (false, reason)
}

/// What it prints.
pub(crate) fn printed(verdicts: &[IstioctlVerdict]) -> String {
    if verdicts.is_empty() {
        return "ERROR: no Istio injection hooks present.\n".to_owned();
    }
    let mut rows = vec![["WEBHOOK", "REVISION", "INJECTED", "REASON"].map(Cell::plain).to_vec()];
    for verdict in verdicts {
        let mark = if verdict.injected { Cell::green("✔") } else { Cell::red("✘") };
        rows.push(vec![
            Cell::plain(&verdict.webhook),
            Cell::plain(&verdict.revision),
            mark,
            Cell::plain(&verdict.reason),
        ]);
    }
    let mut printed = text(&rows);
    if verdicts.iter().filter(|verdict| verdict.injected).count() > 1 {
        printed.push_str("ERROR: multiple webhooks will inject, which can lead to errors");
    }
    printed
}
