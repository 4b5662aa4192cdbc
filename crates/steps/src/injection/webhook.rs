//! The injection webhooks of the cluster.

use serde_json::Value;

use super::{Labels, REVISION, TAG, selector::Selector};
use crate::resource_status::object::{Object, list, text};

/// A `MutatingWebhookConfiguration` of Istio.
#[derive(Debug, Clone)]
pub(crate) struct WebhookConfiguration {
    pub(crate) name: String,
    /// Its label; empty where it has none.
    pub(crate) revision: String,
    /// The tag that it stands for
    /// (<https://istio.io/latest/docs/setup/upgrade/canary/#stable-revision-labels>).
    pub(crate) tag: Option<String>,
    pub(crate) webhooks: Vec<Webhook>,
}

#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    pub(crate) name: String,
    pub(crate) namespace_selector: Selector,
    pub(crate) object_selector: Selector,
    /// Whether pods are refused while the webhook does not answer, rather than let through without a sidecar.
    pub(crate) fails_closed: bool,
    pub(crate) service: Option<ServiceOf>,
    pub(crate) url: Option<String>,
    /// PEM in base64, as it stands.
    pub(crate) ca_bundle: String,
    /// Conditions in CEL, which are not evaluated here.
    pub(crate) has_conditions: bool,
}

/// The Service that a webhook calls.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServiceOf {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl WebhookConfiguration {
    /// `None` for another vendor's: istioctl knows Istio's by the names of the webhooks.
    pub(crate) fn of(object: &Object) -> Option<Self> {
        let webhooks: Vec<_> = object.list("/webhooks").iter().map(Webhook::of).collect();
        webhooks.iter().any(|webhook| webhook.name.ends_with("istio.io")).then(|| Self {
            name: object.name().to_owned(),
            revision: object.label(REVISION).unwrap_or_default().to_owned(),
            tag: object.label(TAG).filter(|tag| !tag.is_empty()).map(str::to_owned),
            webhooks,
        })
    }

    /// The first webhook that selects a pod with these labels.
    pub(crate) fn selecting(&self, namespace: &Labels, pod: &Labels) -> Option<&Webhook> {
        self.webhooks
            .iter()
            .find(|webhook| webhook.namespace_selector.matches(namespace) && webhook.object_selector.matches(pod))
    }

    /// Every webhook selects nothing, by Istio's own mark.
    pub(crate) fn is_deactivated(&self) -> bool {
        self.webhooks.iter().any(Webhook::is_deactivated)
    }

    /// Whether a namespace with this label alone would be injected.
    pub(crate) fn answers(&self, key: &str, value: &str) -> bool {
        let namespace = Labels::from([(key.to_owned(), value.to_owned())]);
        self.selecting(&namespace, &Labels::new()).is_some()
    }

    /// Name of the revision or tag that namespaces use to reach it.
    pub(crate) fn label_value(&self) -> &str {
        self.tag.as_deref().unwrap_or(&self.revision)
    }
}

impl Webhook {
    pub(crate) fn of(value: &Value) -> Self {
        let service = value.pointer("/clientConfig/service").filter(|service| service.is_object());
        Self {
            name: text(value, "/name").to_owned(),
            namespace_selector: Selector::of(value.get("namespaceSelector")),
            object_selector: Selector::of(value.get("objectSelector")),
            fails_closed: text(value, "/failurePolicy") != "Ignore",
            service: service.map(|service| ServiceOf {
                namespace: text(service, "/namespace").to_owned(),
                name: text(service, "/name").to_owned(),
            }),
            url: Some(text(value, "/clientConfig/url").to_owned()).filter(|url| !url.is_empty()),
            ca_bundle: text(value, "/clientConfig/caBundle").to_owned(),
            has_conditions: !list(value, "/matchConditions").is_empty(),
        }
    }

    pub(super) fn is_deactivated(&self) -> bool {
        self.namespace_selector.is_deactivated() && self.object_selector.is_deactivated()
    }
}
