//! Whether a pod is injected: which webhooks select it, as the API server matches them; whether they can answer; and
//! the rules by which the injector itself refuses. `istioctl` holds what `istioctl experimental check-inject` says.

mod backend;
pub(in crate::steps) mod codes;
mod injector;
pub(in crate::steps) mod istioctl;
mod proxy;
pub(in crate::steps) mod read;
mod revision;
mod selector;
pub(in crate::steps) mod table;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
mod verdict;
mod webhook;

use std::collections::BTreeMap;

use serde_json::Value;

pub(in crate::steps) use backend::{Backends, Trouble, certificates};
pub(in crate::steps) use injector::{InjectorConfig, NEVER_INJECTED, PodShape, Refusal, Why};
pub(in crate::steps) use proxy::{Proxy, subject};
pub(in crate::steps) use revision::{newest, numbers};
pub(in crate::steps) use verdict::{Fate, Verdict, judge};
pub(in crate::steps) use webhook::{ServiceOf, Webhook, WebhookConfiguration};

/// Names the revision of a pod, a namespace, a webhook, an istiod.
pub(in crate::steps) const REVISION: &str = "istio.io/rev";
/// Names the tag of a webhook or a Service.
pub(in crate::steps) const TAG: &str = "istio.io/tag";
/// Asks a pod, or answers for it, whether it is injected.
pub(in crate::steps) const INJECT: &str = "sidecar.istio.io/inject";
/// The older label of namespaces, which only the default revision answers.
pub(in crate::steps) const INJECTION: &str = "istio-injection";

/// Labels or annotations.
pub(in crate::steps) type Labels = BTreeMap<String, String>;

/// The pairs of a map of texts; what is of another type is left out.
pub(in crate::steps) fn pairs(map: Option<&Value>) -> Labels {
    let entries = map.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
