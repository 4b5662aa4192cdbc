//! Whether a pod is injected: which webhooks select it, as the API server matches them; whether they can answer; and
//! the rules by which the injector itself refuses. `istioctl` holds what `istioctl experimental check-inject` says.

mod backend;
pub(crate) mod codes;
mod injector;
pub(crate) mod istioctl;
mod proxy;
pub(crate) mod read;
mod revision;
mod selector;
pub(crate) mod table;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
mod verdict;
mod webhook;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use backend::{Backends, Trouble, certificates};
pub(crate) use injector::{InjectorConfig, NEVER_INJECTED, PodShape, Refusal, Why};
pub(crate) use proxy::{Proxy, subject};
pub(crate) use revision::{newest, numbers};
pub(crate) use verdict::{Fate, Verdict, judge};
pub(crate) use webhook::{ServiceOf, Webhook, WebhookConfiguration};

/// Names the revision of a pod, a namespace, a webhook, an istiod.
pub(crate) const REVISION: &str = "istio.io/rev";
/// Names the tag of a webhook or a Service.
pub(crate) const TAG: &str = "istio.io/tag";
/// Asks a pod, or answers for it, whether it is injected.
pub(crate) const INJECT: &str = "sidecar.istio.io/inject";
/// The older label of namespaces, which only the default revision answers.
pub(crate) const INJECTION: &str = "istio-injection";

/// Labels or annotations.
pub(crate) type Labels = BTreeMap<String, String>;

/// The pairs of a map of texts; what is of another type is left out.
pub(crate) fn pairs(map: Option<&Value>) -> Labels {
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
