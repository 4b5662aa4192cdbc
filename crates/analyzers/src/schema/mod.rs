//! The rules of Istio on its own objects: what `istioctl analyze` reports as IST0106, IST0130, IST0131 and IST0133,
//! what the CRDs enforce, and the check of the mesh configuration.
//!
//! Every rule is a pure function of one object. An object is first decoded as Istio does it (`message`), then its
//! kind's rules read it through `fields`. Rules on single values are in `value`. The reference pages are those of
//! [Istio's configuration](https://istio.io/latest/docs/reference/config/).

mod authorization_policy;
mod crd;
mod destination;
mod destination_rule;
mod envoy_filter;
mod envoy_patch;
mod export_to;
mod fields;
mod gateway;
mod json_web_key;
mod mesh_config;
mod message;
mod peer_authentication;
mod problem;
mod proxy_config;
mod request_authentication;
mod selector;
mod server_tls;
mod service_entry;
mod sidecar;
mod string_match;
mod telemetry;
mod traffic_extension;
mod traffic_policy;
mod value;
mod virtual_service;
mod wasm_plugin;
mod workload_entry;
mod workload_group;

pub use crd::crd_check;
pub use mesh_config::{mesh_config, mesh_networks};
pub use problem::{Outcome, Problem, ProblemKind};
pub use value::quantity::resource_quantity;

use std::collections::BTreeMap;

pub use message::unknown::UnknownField;

use fields::Fields;
use message::Type;
use serde_json::Value;

/// Checks that `istioctl analyze` makes and we do not, each with the reason.
pub const SKIPPED_CHECKS: &[(&str, &str)] = &[(
    "EnvoyFilter: fields of `patch.value`",
    "whether Envoy knows the fields and types of a patch takes the descriptors of all of Envoy's messages; only the \
     name's type and references to the removed v2 API are checked",
)];

/// What the rules know besides the object.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The namespace of an object that names none.
    pub default_namespace: &'a str,
    /// Whether rules on labels and annotations apply. `istioctl analyze` passes neither to the rules, the admission
    /// webhook of istiod passes both.
    pub with_metadata: bool,
}

impl Default for Context<'_> {
    fn default() -> Self {
        Self { default_namespace: "default", with_metadata: false }
    }
}

/// One object as the rules of its kind see it.
struct Object<'a> {
    name: &'a str,
    namespace: &'a str,
    labels: BTreeMap<&'a str, &'a str>,
    annotations: BTreeMap<&'a str, &'a str>,
    spec: Fields<'a>,
}

type Rules = fn(&Object) -> Outcome;

/// Group, kind, type of the `spec`, rules.
type Kind = (&'static str, &'static str, Type, Rules);

/// How long a duration such as `1m30s` is, in milliseconds.
pub fn milliseconds(duration: &str) -> Option<i64> {
    i64::try_from(value::duration::parse(duration).ok()?.milliseconds()).ok()
}

/// The fields of a `spec` that its kind does not have, each as a JSON path. A kind without rules has none.
pub fn unknown_fields(group: &str, kind: &str, spec: &Value) -> Vec<UnknownField> {
    let known = KINDS.iter().find(|(of, name, ..)| *of == group && *name == kind);
    known.map_or_else(Vec::new, |(.., spec_type, _)| message::unknown::fields(spec, spec_type))
}

/// The kinds that have rules.
static KINDS: [Kind; 15] = [
    (SECURITY, "AuthorizationPolicy", message::security::AUTHORIZATION_POLICY, authorization_policy::check),
    (NETWORKING, "DestinationRule", message::networking::DESTINATION_RULE, destination_rule::check),
    (NETWORKING, "EnvoyFilter", message::envoy_filter::ENVOY_FILTER, envoy_filter::check),
    (NETWORKING, "Gateway", message::networking::GATEWAY, gateway::check),
    (SECURITY, "PeerAuthentication", message::security::PEER_AUTHENTICATION, peer_authentication::check),
    (NETWORKING, "ProxyConfig", message::networking::PROXY_CONFIG, proxy_config::check),
    (SECURITY, "RequestAuthentication", message::security::REQUEST_AUTHENTICATION, request_authentication::check),
    (NETWORKING, "ServiceEntry", message::networking::SERVICE_ENTRY, service_entry::check),
    (NETWORKING, "Sidecar", message::networking::SIDECAR, sidecar::check),
    ("telemetry.istio.io", "Telemetry", message::telemetry::TELEMETRY, telemetry::check),
    (EXTENSIONS, "TrafficExtension", message::extensions::TRAFFIC_EXTENSION, traffic_extension::check),
    (NETWORKING, "VirtualService", message::virtual_service::VIRTUAL_SERVICE, virtual_service::check),
    (EXTENSIONS, "WasmPlugin", message::extensions::WASM_PLUGIN, wasm_plugin::check),
    (NETWORKING, "WorkloadEntry", message::networking::WORKLOAD_ENTRY, workload_entry::check),
    (NETWORKING, "WorkloadGroup", message::networking::WORKLOAD_GROUP, workload_group::check),
];
const NETWORKING: &str = "networking.istio.io";
const SECURITY: &str = "security.istio.io";
const EXTENSIONS: &str = "extensions.istio.io";

/// Group and kind of everything that has rules here. (Of the mesh configuration and the networks, which `istioctl`
/// lists besides, its schema analyzers check nothing; see `mesh_config` and `mesh_networks`.)
pub fn kinds() -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().map(|(group, kind, ..)| (*group, *kind))
}

/// Whether objects of this group and kind have rules here.
pub fn is_checked(group: &str, kind: &str) -> bool {
    kinds().any(|known| known == (group, kind))
}

/// Checks an object of a group and kind. `object` is the whole of it, with `metadata` and `spec`; of a kind without
/// rules nothing is said.
pub fn validate(group: &str, kind: &str, object: &Value, context: &Context) -> Outcome {
    let Some((.., spec_type, rules)) = KINDS.iter().find(|(of, name, ..)| *of == group && *name == kind) else {
        return Outcome::default();
    };
    let spec = object.get("spec").unwrap_or(&Value::Null);
    if let Err(error) = message::decode(spec, spec_type) {
        let path = error.path("spec");
        let problem = Problem::new(ProblemKind::Decode, error.text).at(path);
        return Outcome { errors: vec![problem], ..Outcome::default() };
    }
    let metadata = object.get("metadata").map_or(Fields::NONE, Fields::of);
    let texts =
        |name| if context.with_metadata { metadata.text_map(name).into_iter().collect() } else { BTreeMap::new() };
    let namespace = metadata.value("namespace").and_then(Value::as_str).unwrap_or(context.default_namespace);
    rules(&Object {
        name: metadata.text("name"),
        namespace,
        labels: texts("labels"),
        annotations: texts("annotations"),
        spec: Fields::of(spec),
    })
}
