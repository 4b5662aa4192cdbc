//! The injector's own rules: what istiod refuses although a webhook selected the pod
//! (<https://istio.io/latest/docs/setup/additional-setup/sidecar-injection/#controlling-the-injection-policy>).

use serde_json::Value;

use super::{INJECT, Labels, selector::Selector};
use crate::resource_status::object::Object;
use report::yaml;

/// Namespaces that the injector refuses whatever their labels say.
pub(crate) const NEVER_INJECTED: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];

/// What the injector looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PodShape<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) labels: &'a Labels,
    pub(crate) annotations: &'a Labels,
    pub(crate) host_network: bool,
}

/// The `ConfigMap` `istio-sidecar-injector` of a revision, as far as it decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct InjectorConfig {
    policy: String,
    never: Vec<Selector>,
    always: Vec<Selector>,
}

/// Why the injector leaves a pod alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) why: Why,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    HostNetwork,
    IgnoredNamespace,
    OptedOut,
    NeverSelector,
    Policy,
}

impl InjectorConfig {
    /// `None` where the `ConfigMap` holds no configuration that can be read.
    pub(crate) fn of(config_map: &Object) -> Option<Self> {
        // The templates behind it are large and are never read here: only the head decides.
        let text = config_map.text("/data/config");
        let head: String = text.split("\ntemplates:").next().unwrap_or_default().to_owned();
        let value: Value = serde_saphyr::from_str(&head).ok()?;
        let selectors = |field: &str| {
            let list = value.get(field).and_then(Value::as_array).into_iter().flatten();
            list.map(|selector| Selector::of(Some(selector))).collect()
        };
        Some(Self {
            policy: value.get("policy").and_then(Value::as_str)?.to_owned(),
            never: selectors("neverInjectSelector"),
            always: selectors("alwaysInjectSelector"),
        })
    }
}

/// Whether the injector refuses the pod, in its own order of decisions.
pub(super) fn refusal(pod: PodShape, config: Option<&InjectorConfig>) -> Option<Refusal> {
    let refused = |why, text: String| Some(Refusal { why, text });
    if pod.host_network {
        let text = "the pod uses the host's network, whose traffic cannot be redirected".to_owned();
        return refused(Why::HostNetwork, text);
    }
    if NEVER_INJECTED.contains(&pod.namespace) {
        return refused(Why::IgnoredNamespace, format!("Istio never injects into namespace {}", pod.namespace));
    }
    let said = pod.labels.get(INJECT).map(|value| ("label", value));
    let said = said.or_else(|| pod.annotations.get(INJECT).map(|value| ("annotation", value)));
    match said.filter(|(_, value)| !value.is_empty()) {
        Some((_, value)) if is_yes(value) => return None,
        Some((kind, value)) => return refused(Why::OptedOut, format!("the pod has the {kind} {INJECT}={value}")),
        None => {}
    }
    let config = config?;
    let selects = |selectors: &[Selector]| {
        selectors.iter().find(|selector| !selector.is_empty() && selector.matches(pod.labels)).map(Selector::to_string)
    };
    if let Some(selector) = selects(&config.never) {
        return refused(Why::NeverSelector, format!("the injector's neverInjectSelector matches: {selector}"));
    }
    if selects(&config.always).is_some() || config.policy == "enabled" {
        return None;
    }
    let policy = yaml::to_string(&Value::String(config.policy.clone()));
    refused(Why::Policy, format!("the injector's policy is {}", policy.trim()))
}

fn is_yes(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "y" | "yes" | "true" | "on")
}
