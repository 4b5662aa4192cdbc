//! What would happen to a pod that is created now.

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Backends, InjectorConfig, Labels, PodShape, Refusal, Trouble,
    injector::refusal,
    webhook::{Webhook, WebhookConfiguration},
};

/// What becomes of a pod that is created now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Injected,
    /// No webhook selects it.
    NotSelected,
    /// A webhook selects it, and the injector leaves it alone.
    Refused,
    /// The webhook that selects it does not answer, and lets pods through.
    CreatedWithoutSidecar,
    /// The webhook that selects it does not answer, and no pod is created.
    CannotBeCreated,
    /// More than one webhook injects.
    Conflict,
    /// The webhooks could not be read.
    Unknown,
}

/// The verdict, and what it rests on.
#[derive(Debug)]
pub(crate) struct Verdict<'a> {
    pub(crate) fate: Fate,
    /// The configurations that select the pod, each with the webhook that does.
    pub(crate) selected: Vec<(&'a WebhookConfiguration, &'a Webhook)>,
    pub(crate) troubles: Vec<(&'a WebhookConfiguration, &'a Webhook, Trouble)>,
    pub(crate) refusal: Option<Refusal>,
}

impl Verdict<'_> {
    /// The revision that injects.
    pub(crate) fn revision(&self) -> Option<&str> {
        (self.fate == Fate::Injected).then(|| self.selected.first().map(|(found, _)| found.revision.as_str()))?
    }
}

impl Verdict<'_> {
    /// Where the webhooks could not be read.
    pub(crate) fn unknown() -> Self {
        Self { fate: Fate::Unknown, selected: Vec::new(), troubles: Vec::new(), refusal: None }
    }
}

/// Matches the webhooks as the API server does, and then asks the injector that would be called.
pub(crate) fn judge<'a>(
    configurations: &'a [WebhookConfiguration],
    namespace: &Labels,
    pod: PodShape,
    backends: &Backends,
    config: impl Fn(&WebhookConfiguration) -> Option<&'a InjectorConfig>,
) -> Verdict<'a> {
    let selecting = |found: &'a WebhookConfiguration| Some((found, found.selecting(namespace, pod.labels)?));
    let selected: Vec<_> = configurations.iter().filter_map(selecting).collect();
    let mut troubles = Vec::new();
    for (configuration, webhook) in &selected {
        let found = backends.troubles(webhook).into_iter();
        troubles.extend(found.map(|trouble| (*configuration, *webhook, trouble)));
    }
    let mut refused = None;
    let mut injecting = 0_usize;
    for (configuration, _) in &selected {
        match refusal(pod, config(configuration)) {
            Some(refusal) => refused = Some(refusal),
            None => injecting += 1,
        }
    }
    // A webhook that does not answer is met before the injector has its say.
    let fate = if selected.is_empty() {
        Fate::NotSelected
    } else if troubles.iter().any(|(_, webhook, _)| webhook.fails_closed) {
        Fate::CannotBeCreated
    } else if !troubles.is_empty() && troubles.len() >= selected.len() {
        Fate::CreatedWithoutSidecar
    } else if injecting > 1 {
        Fate::Conflict
    } else if injecting == 1 {
        Fate::Injected
    } else {
        Fate::Refused
    };
    let refusal = refused.filter(|_| fate == Fate::Refused || fate == Fate::CannotBeCreated);
    Verdict { fate, selected, troubles, refusal }
}
