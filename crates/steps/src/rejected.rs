//! Which EnvoyFilter or WasmPlugin makes Envoy refuse its configuration. istiod checks what it makes itself; what it takes
//! over as it stands is refused by Envoy only, in words that quote a name, a type or a field of it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::target;
use cluster::{Cluster, Error, Resource, Scope};
use report::Read;

/// Objects that a remedy names.
const NAMED: usize = 3;
/// Shorter texts stand in an error by chance.
const MIN_QUOTE: usize = 5;
/// Texts of a patch that Envoy's words hold whatever was patched.
const COMMON: [&str; 12] = [
    "envoy.filters.http.router",
    "envoy.filters.network.http_connection_manager",
    "envoy.filters.network.tcp_proxy",
    "envoy.transport_sockets.tls",
    "type.googleapis.com",
    "type.googleapis.com/udpa.type.v1.TypedStruct",
    "type.googleapis.com/xds.type.v3.TypedStruct",
    "filter",
    "listener",
    "cluster",
    "route",
    "config",
];

/// The objects that istiod takes over into a proxy's configuration without knowing what they hold.
pub(crate) struct Patches(Vec<Patch>);

struct Patch {
    kind: &'static str,
    object: Value,
    /// It is in the control plane's namespace, so it holds for all.
    everywhere: bool,
}

/// Those that may reach proxies of some namespaces.
pub(crate) async fn gather(cluster: &Cluster, own: &[String], istio: &[String]) -> Result<Read<Patches>, Error> {
    let filters = Resource::known("networking.istio.io", "v1alpha3", "envoyfilters", "EnvoyFilter", true);
    let plugins = Resource::known("extensions.istio.io", "v1alpha1", "wasmplugins", "WasmPlugin", true);
    let places: BTreeSet<String> = own.iter().chain(istio).cloned().collect();
    let scope = Scope::Namespaces(places.into_iter().collect());
    let (filters, plugins) =
        futures::join!(cluster.list::<Value>(&filters, &scope, None), cluster.list::<Value>(&plugins, &scope, None));
    let mut patches = Vec::new();
    for (kind, listed) in [("EnvoyFilter", filters), ("WasmPlugin", plugins)] {
        match cluster::read(listed)? {
            Ok(listed) => patches.extend(listed.items.into_iter().map(|object| Patch::new(kind, object, istio))),
            // A cluster without the definition has none of them.
            Err(reason) if reason.why == "not found" => {}
            Err(mut reason) => {
                reason.silences.push("the object behind a rejected configuration".to_owned());
                return Ok(Err(reason));
            }
        }
    }
    Ok(Ok(Patches(patches)))
}

/// What a remedy says about the object behind a rejection.
pub(crate) struct Blame {
    pub(crate) remedy: String,
    /// What the object and Envoy's words have in common, with the object.
    pub(crate) quotes: Vec<(String, String)>,
}

impl Patch {
    fn new(kind: &'static str, object: Value, istio: &[String]) -> Self {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let everywhere = istio.iter().any(|place| place == namespace);
        Self { kind, object, everywhere }
    }

    fn text(&self, field: &str) -> &str {
        self.object["metadata"][field].as_str().unwrap_or_default()
    }

    fn place(&self) -> String {
        format!("{} {}/{}", self.kind, self.text("namespace"), self.text("name"))
    }

    fn show(&self) -> String {
        let kind = self.kind.to_ascii_lowercase();
        format!("kubectl get {kind} {} --namespace {} --output yaml", self.text("name"), self.text("namespace"))
    }

    /// Whether it holds for this pod (<https://istio.io/latest/docs/reference/config/networking/envoy-filter/>).
    fn selects(&self, pod: &Pod) -> bool {
        if !self.everywhere && self.text("namespace") != target::namespace(pod) {
            return false;
        }
        let spec = &self.object["spec"];
        let labels = if self.kind == "EnvoyFilter" {
            &spec["workloadSelector"]["labels"]
        } else {
            &spec["selector"]["matchLabels"]
        };
        let own = pod.metadata.labels.as_ref();
        let has = |key: &str, value: &Value| own.and_then(|own| own.get(key)).map(String::as_str) == value.as_str();
        labels.as_object().is_none_or(|labels| labels.iter().all(|(key, value)| has(key, value)))
    }

    /// Whether it changes resources of this type.
    fn changes(&self, type_name: &str) -> bool {
        let kinds: &[&str] = match type_name {
            "CDS" | "cluster" => &["CLUSTER"],
            "LDS" | "listener" => &["LISTENER", "LISTENER_FILTER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER"],
            "RDS" | "route configuration" => &["ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"],
            "ECDS" | "extension" => &["EXTENSION_CONFIG"],
            _ => &[],
        };
        if self.kind == "WasmPlugin" {
            return matches!(type_name, "LDS" | "listener" | "ECDS" | "extension");
        }
        let patches = self.object["spec"]["configPatches"].as_array();
        let of_kind = |patch: &Value| patch["applyTo"].as_str().is_some_and(|kind| kinds.contains(&kind));
        patches.is_some_and(|patches| patches.iter().any(of_kind))
    }

    /// The longest text of it that these words quote.
    fn quoted_in(&self, words: &str) -> Option<String> {
        let mut found: Vec<&str> = Vec::new();
        if self.kind == "EnvoyFilter" {
            for patch in self.object["spec"]["configPatches"].as_array().into_iter().flatten() {
                texts(&patch["patch"]["value"], &mut |text, is_key| {
                    let text = text.trim();
                    // A field's name is an everyday word: it counts where Envoy quotes it.
                    if is_quote(text) && if is_key { quotes_field(words, text) } else { holds(words, text) } {
                        found.push(text);
                    }
                });
            }
        } else {
            let name = format!("{}.{}", self.text("namespace"), self.text("name"));
            if holds(words, &name) {
                return Some(name);
            }
            found.extend(self.object["spec"]["url"].as_str().filter(|url| holds(words, url)));
        }
        found.into_iter().max_by_key(|text| text.len()).map(str::to_owned)
    }
}

impl Patches {
    /// What is behind these words of a pod's Envoy about a type (`LDS`, `listener` …).
    pub(crate) fn blame(&self, words: &str, type_name: &str, pod: &Pod) -> Blame {
        let reaching: Vec<&Patch> = self.0.iter().filter(|patch| patch.selects(pod)).collect();
        let mut quotes: BTreeMap<String, (String, String)> = BTreeMap::new();
        for patch in &reaching {
            if let Some(quote) = patch.quoted_in(words) {
                quotes.insert(patch.place(), (quote, patch.show()));
            }
        }
        if let Some((place, (quote, show))) = quotes.iter().max_by_key(|(_, (quote, _))| quote.len()) {
            let remedy = format!("Correct {place}: Envoy's words quote its {quote:?}. See it: {show}");
            let quotes = quotes.iter().map(|(place, (quote, _))| (place.clone(), quote.clone())).collect();
            return Blame { remedy, quotes };
        }
        let candidates: Vec<&Patch> = reaching.into_iter().filter(|patch| patch.changes(type_name)).collect();
        let remedy = match candidates.as_slice() {
            [] => format!(
                "No EnvoyFilter and no WasmPlugin changes the {type_name} of this pod, so an object of Istio itself is \
                 behind it. See what istiod makes of it: istioctl proxy-config all {}.{} --output yaml",
                target::name(pod),
                target::namespace(pod)
            ),
            [only] => format!(
                "Correct {}, the only one that changes the {type_name} of this pod: {}",
                only.place(),
                only.show()
            ),
            several => {
                let names: Vec<String> = several.iter().take(NAMED).map(|patch| patch.place()).collect();
                let more = several.len().saturating_sub(NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!(
                    "One of these changes the {type_name} of this pod: {}{more}. {}",
                    names.join(", "),
                    several[0].show()
                )
            }
        };
        Blame { remedy, quotes: Vec::new() }
    }
}

/// What is said where the objects could not be read, or no pod is known.
pub(crate) fn unknown_blame() -> String {
    "Look at the EnvoyFilters and WasmPlugins that select this pod, which could not be read here: kubectl get \
     envoyfilters,wasmplugins --all-namespaces"
        .to_owned()
}

fn is_quote(text: &str) -> bool {
    text.len() >= MIN_QUOTE && !COMMON.contains(&text)
}

/// Whether these words hold a text, not as a part of a longer word.
fn holds(words: &str, text: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    words.match_indices(text).any(|(at, _)| {
        let before = words[..at].chars().next_back();
        let after = words[at + text.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// Whether these words name a field: in quotes, before a colon, or after `field`.
fn quotes_field(words: &str, field: &str) -> bool {
    [format!("'{field}'"), format!("\"{field}\""), format!("field: {field}"), format!("field {field}")]
        .iter()
        .any(|form| words.contains(form.as_str()))
}

/// Each key and each text of a value; of a type its name without the prefix too.
fn texts<'v>(value: &'v Value, each: &mut impl FnMut(&'v str, bool)) {
    match value {
        Value::String(text) => {
            each(text, false);
            if let Some((_, name)) = text.rsplit_once('/') {
                each(name, false);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, each)),
        Value::Object(fields) => {
            for (key, value) in fields {
                each(key, true);
                texts(value, each);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    fn filter(namespace: &str, name: &str, labels: &Value, apply_to: &str, value: &Value) -> Patch {
        let object = json!({"metadata": {"name": name, "namespace": namespace}, "spec": {
            "workloadSelector": {"labels": labels},
            "configPatches": [{"applyTo": apply_to, "patch": {"operation": "ADD", "value": value}}]}});
        Patch::new("EnvoyFilter", object, &["istio-system".to_owned()])
    }

    fn pod() -> Pod {
        let pod = json!({"metadata": {"name": "cart-1", "namespace": "shop", "labels": {"app": "cart"}}});
        serde_json::from_value(pod).unwrap()
    }

    fn lua() -> Value {
        json!({"name": "shop.tag-requests", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua", "inlineCode": "function ("}})
    }

    #[track_caller]
    fn check(patches: Vec<Patch>, words: &str, expected: &str) {
        let blame = Patches(patches).blame(words, "LDS", &pod());
        assert!(blame.remedy.contains(expected), "{}", blame.remedy);
    }

    const WORDS: &str = "Error adding/updating listener(s) virtualInbound: Unable to parse filter shop.tag-requests";

    #[test]
    fn what_the_words_quote_is_named() {
        let other = filter("shop", "other", &json!({"app": "cart"}), "HTTP_FILTER", &json!({"name": "shop.other"}));
        let guilty = filter("shop", "tags", &json!({"app": "cart"}), "HTTP_FILTER", &lua());
        check(vec![other, guilty], WORDS, "Correct EnvoyFilter shop/tags");
        let words = "Didn't find a registered implementation for type URL: 'envoy.extensions.filters.http.lua.v3.Lua'";
        check(vec![filter("istio-system", "all", &Value::Null, "HTTP_FILTER", &lua())], words, "istio-system/all");
        let plugin = json!({"metadata": {"name": "auth", "namespace": "shop"}, "spec": {"url": "oci://x/auth:1"}});
        let plugin = Patch::new("WasmPlugin", plugin, &[]);
        check(vec![plugin], "unable to load extenstions.istio.io/wasmplugin/shop.auth", "WasmPlugin shop/auth");
    }

    #[test]
    fn a_field_counts_where_it_is_quoted() {
        let value = json!({"typed_config": {"statPrefixx": "x"}});
        let patch = || vec![filter("shop", "typo", &Value::Null, "NETWORK_FILTER", &value)];
        check(patch(), "no such field: 'statPrefixx'", "quote its \"statPrefixx\"");
        check(patch(), "statPrefixx", "the only one that changes");
    }

    #[test]
    fn what_reaches_other_pods_is_not_blamed() {
        let others = filter("shop", "tags", &json!({"app": "till"}), "HTTP_FILTER", &lua());
        let elsewhere = filter("bank", "tags", &Value::Null, "HTTP_FILTER", &lua());
        check(vec![others, elsewhere], WORDS, "No EnvoyFilter and no WasmPlugin");
    }

    #[test]
    fn where_nothing_is_quoted_those_of_the_type_are_candidates() {
        let of_type = filter("shop", "ports", &Value::Null, "LISTENER", &json!({"perConnectionBufferLimitBytes": 1}));
        let of_other = filter("shop", "pool", &Value::Null, "CLUSTER", &json!({"connectTimeout": "x"}));
        check(
            vec![of_type, of_other],
            "Error adding listener: bad address",
            "Correct EnvoyFilter shop/ports, the only",
        );
    }
}
