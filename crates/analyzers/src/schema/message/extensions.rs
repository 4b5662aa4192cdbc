//! [`WasmPlugin`](https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/) and `TrafficExtension`.

use super::Type::{Choice, I32, List, Message, Struct, Text, U32};
use super::shared::{SELECTOR, TARGET_REF, TARGET_REFS};
use super::{Enum, Type};

static PULL_POLICY: Enum = Enum {
    name: "istio.extensions.v1alpha1.PullPolicy",
    values: &[("UNSPECIFIED_POLICY", 0), ("IfNotPresent", 1), ("Always", 2)],
};

static PLUGIN_PHASE: Enum = Enum {
    name: "istio.extensions.v1alpha1.PluginPhase",
    values: &[("UNSPECIFIED_PHASE", 0), ("AUTHN", 1), ("AUTHZ", 2), ("STATS", 3)],
};

static EXTENSION_PHASE: Enum = Enum {
    name: "istio.extensions.v1alpha1.TrafficExtension.ExecutionPhase",
    values: &[("UNSPECIFIED", 0), ("AUTHN", 1), ("AUTHZ", 2), ("STATS", 3)],
};

static PLUGIN_TYPE: Enum = Enum {
    name: "istio.extensions.v1alpha1.PluginType",
    values: &[("UNSPECIFIED_PLUGIN_TYPE", 0), ("HTTP", 1), ("NETWORK", 2)],
};

static FAIL_STRATEGY: Enum = Enum {
    name: "istio.extensions.v1alpha1.FailStrategy",
    values: &[("FAIL_CLOSE", 0), ("FAIL_OPEN", 1), ("FAIL_RELOAD", 2)],
};

pub(in super::super) static VALUE_SOURCE: Enum =
    Enum { name: "istio.extensions.v1alpha1.EnvValueSource", values: &[("INLINE", 0), ("HOST", 1)] };

static WORKLOAD_MODE: Enum = Enum {
    name: "istio.type.v1beta1.WorkloadMode",
    values: &[("UNDEFINED", 0), ("CLIENT", 1), ("SERVER", 2), ("CLIENT_AND_SERVER", 3)],
};

const VM_CONFIG: Type =
    Message(&[("env", List(&Message(&[("name", Text), ("valueFrom", Choice(&VALUE_SOURCE)), ("value", Text)])))]);

const MATCH: Type = List(&Message(&[("mode", Choice(&WORKLOAD_MODE)), ("ports", List(&Message(&[("number", U32)])))]));

pub(in super::super) const WASM_PLUGIN: Type = Message(&[
    ("selector", SELECTOR),
    ("targetRef", TARGET_REF),
    ("targetRefs", TARGET_REFS),
    ("url", Text),
    ("sha256", Text),
    ("imagePullPolicy", Choice(&PULL_POLICY)),
    ("imagePullSecret", Text),
    ("verificationKey", Text),
    ("pluginConfig", Struct),
    ("pluginName", Text),
    ("phase", Choice(&PLUGIN_PHASE)),
    ("priority", I32),
    ("failStrategy", Choice(&FAIL_STRATEGY)),
    ("vmConfig", VM_CONFIG),
    ("match", MATCH),
    ("type", Choice(&PLUGIN_TYPE)),
]);

const WASM: Type = Message(&[
    ("url", Text),
    ("sha256", Text),
    ("imagePullPolicy", Choice(&PULL_POLICY)),
    ("imagePullSecret", Text),
    ("verificationKey", Text),
    ("pluginConfig", Struct),
    ("pluginName", Text),
    ("failStrategy", Choice(&FAIL_STRATEGY)),
    ("vmConfig", VM_CONFIG),
    ("type", Choice(&PLUGIN_TYPE)),
]);

pub(in super::super) const TRAFFIC_EXTENSION: Type = Message(&[
    ("selector", SELECTOR),
    ("targetRefs", TARGET_REFS),
    ("phase", Choice(&EXTENSION_PHASE)),
    ("priority", I32),
    ("match", MATCH),
    ("wasm", WASM),
    ("lua", Message(&[("inlineCode", Text)])),
]);
