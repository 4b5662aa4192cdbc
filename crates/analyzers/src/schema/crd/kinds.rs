//! The rules of each kind, in the order of the fields.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::blocks::{
    ADDRESSED, CONNECTION_POOL, DESTINATION, DURATION, LABEL_SELECTOR, MODULE, PORT, PORT_MATCH, SELECTOR, SERVER_TLS,
    STRING_MATCH, TARGET_REF, TRAFFIC_POLICY, U32, WORKLOAD,
};
use super::rule::Rule::{
    AtMostOne, Cel, MaxItems, MaxLength, MaxProperties, Maximum, MinItems, MinLength, MinProperties, Minimum, Pattern,
    Required, UniqueBy,
};
use super::rule::{self, Entry, Rule, has, text};

/// What the CRD of a kind says.
pub(super) struct KindRules {
    pub(super) versions: &'static [&'static str],
    /// Whether an object must have a `spec`.
    pub(super) required: bool,
    pub(super) spec: &'static [Entry],
}

const NETWORKING: &[&str] = &["v1", "v1beta1", "v1alpha3"];
const SECURITY: &[&str] = &["v1", "v1beta1"];
const ALPHA: &[&str] = &["v1alpha1"];

pub(super) fn of(kind: &str) -> Option<KindRules> {
    let rules = |versions, required, spec| Some(KindRules { versions, required, spec });
    match kind {
        "TrafficExtension" => rules(ALPHA, true, TRAFFIC_EXTENSION),
        "WasmPlugin" => rules(ALPHA, true, WASM_PLUGIN),
        "DestinationRule" => rules(NETWORKING, false, DESTINATION_RULE),
        "EnvoyFilter" => rules(&["v1alpha3"], false, ENVOY_FILTER),
        "Gateway" => rules(NETWORKING, false, GATEWAY),
        "ProxyConfig" => rules(&["v1beta1"], false, PROXY_CONFIG),
        "ServiceEntry" => rules(NETWORKING, true, SERVICE_ENTRY),
        "Sidecar" => rules(NETWORKING, false, SIDECAR),
        "VirtualService" => rules(NETWORKING, false, VIRTUAL_SERVICE),
        "WorkloadEntry" => rules(NETWORKING, true, WORKLOAD_ENTRY),
        "WorkloadGroup" => rules(NETWORKING, true, WORKLOAD_GROUP),
        "AuthorizationPolicy" => rules(SECURITY, false, AUTHORIZATION_POLICY),
        "PeerAuthentication" => rules(SECURITY, false, PEER_AUTHENTICATION),
        "RequestAuthentication" => rules(SECURITY, false, REQUEST_AUTHENTICATION),
        "Telemetry" => rules(&["v1", "v1alpha1"], false, TELEMETRY),
        _ => None,
    }
}

const ONE_TARGET: Rule = Cel(
    |spec| rule::at_most_one(spec, &["selector", "targetRef", "targetRefs"]),
    "only one of targetRefs or selector can be set",
);

const TRAFFIC_EXTENSION: &[Entry] = &[
    (
        &[""],
        &[
            AtMostOne(&["wasm", "lua"]),
            ONE_TARGET,
            Cel(|spec| has(spec, "wasm") != has(spec, "lua"), "exactly one of wasm or lua must be set"),
            PORT_MATCH,
        ],
    ),
    (&["lua"], &[Required(&["inlineCode"])]),
    (&["lua.inlineCode"], &[MinLength(1), MaxLength(65536)]),
    (&["selector"], &[SELECTOR]),
    (&["targetRefs"], &[MaxItems(16)]),
    (&["targetRefs[]"], &[TARGET_REF]),
    (&["wasm"], &[MODULE]),
];

const WASM_PLUGIN: &[Entry] = &[
    (&[""], &[ONE_TARGET, MODULE, PORT_MATCH]),
    (&["selector"], &[SELECTOR]),
    (&["targetRef", "targetRefs[]"], &[TARGET_REF]),
    (&["targetRefs"], &[MaxItems(16)]),
];

const DESTINATION_RULE: &[Entry] = &[
    (&[""], &[Required(&["host"])]),
    (&["subsets[]"], &[Required(&["name"])]),
    (&["subsets[].trafficPolicy", "trafficPolicy"], &[TRAFFIC_POLICY]),
    (&["workloadSelector"], &[SELECTOR]),
];

const ENVOY_FILTER: &[Entry] = &[
    (
        &[""],
        &[Cel(
            |spec| rule::at_most_one(spec, &["workloadSelector", "targetRefs"]),
            "only one of targetRefs or workloadSelector can be set",
        )],
    ),
    (
        &["configPatches[].match"],
        &[
            AtMostOne(&["listener", "routeConfiguration", "cluster", "waypoint"]),
            Cel(
                |found| (text(found, "context") == "WAYPOINT") == has(found, "waypoint"),
                "only support waypointMatch when context is WAYPOINT",
            ),
        ],
    ),
    (
        &[
            "configPatches[].match.cluster.portNumber",
            "configPatches[].match.listener.filterChain.destinationPort",
            "configPatches[].match.listener.portNumber",
            "configPatches[].match.routeConfiguration.portNumber",
        ],
        &U32,
    ),
    (&["configPatches[].match.waypoint.portNumber"], &PORT),
    (&["targetRefs"], &[MaxItems(16)]),
    (&["targetRefs[]"], &[TARGET_REF]),
    (&["workloadSelector"], &[LABEL_SELECTOR]),
];

const GATEWAY: &[Entry] = &[
    (&["servers[]"], &[Required(&["port", "hosts"])]),
    (&["servers[].port"], &[Required(&["number", "protocol", "name"])]),
    (&["servers[].port.number", "servers[].port.targetPort"], &U32),
    (&["servers[].tls"], &[SERVER_TLS]),
];

const PROXY_CONFIG: &[Entry] = &[
    (&["concurrency"], &[Minimum(0.0)]),
    (&["environmentVariables{}"], &[MaxLength(2048)]),
    (&["selector"], &[SELECTOR]),
];

const SERVICE_ENTRY: &[Entry] = &[
    (
        &[""],
        &[
            Required(&["hosts"]),
            Cel(
                |spec| rule::at_most_one(spec, &["workloadSelector", "endpoints"]),
                "only one of WorkloadSelector or Endpoints can be set",
            ),
            Cel(networks_fit_resolution, "CIDR addresses are allowed only for NONE/STATIC resolution types"),
            Cel(
                |spec| !matches!(text(spec, "resolution"), "" | "NONE") || !has(spec, "endpoints"),
                "NONE mode cannot set endpoints",
            ),
            Cel(
                |spec| text(spec, "resolution") != "DNS_ROUND_ROBIN" || rule::count(spec, "endpoints") <= 1,
                "DNS_ROUND_ROBIN mode cannot have multiple endpoints",
            ),
        ],
    ),
    (&["addresses"], &[MaxItems(256)]),
    (&["addresses[]"], &[MaxLength(64)]),
    (&["endpoints"], &[MaxItems(4096)]),
    (&["endpoints[]"], &[ADDRESSED, WORKLOAD]),
    (&["hosts"], &[MinItems(1), MaxItems(256)]),
    (&["hosts[]"], &[Cel(|host| host.as_str() != Some("*"), "hostname cannot be wildcard")]),
    (&["ports"], &[MaxItems(256), UniqueBy("name"), Cel(port_numbers_differ, "port number cannot be duplicated")]),
    (&["ports[]"], &[Required(&["number", "name"])]),
    (&["ports[].number", "ports[].targetPort"], &PORT),
    (&["ports[].name", "ports[].protocol"], &[MaxLength(256)]),
    (&["workloadSelector"], &[LABEL_SELECTOR]),
];

fn networks_fit_resolution(spec: &Value) -> bool {
    let mut addresses = spec.get("addresses").and_then(Value::as_array).into_iter().flatten();
    matches!(text(spec, "resolution"), "" | "NONE" | "STATIC")
        || !addresses.any(|address| address.as_str().is_some_and(|address| address.contains('/')))
}

fn port_numbers_differ(ports: &Value) -> bool {
    let mut seen = BTreeSet::new();
    ports.as_array().into_iter().flatten().all(|port| seen.insert(port.get("number").and_then(Value::as_i64)))
}

const SIDECAR: &[Entry] = &[
    (&["egress[]"], &[Required(&["hosts"])]),
    (&["egress[].port.number", "egress[].port.targetPort", "ingress[].port.number", "ingress[].port.targetPort"], &U32),
    (&["inboundConnectionPool", "ingress[].connectionPool"], &[CONNECTION_POOL]),
    (&["ingress[]"], &[Required(&["port"])]),
    (&["ingress[].tls"], &[SERVER_TLS]),
    (&["outboundTrafficPolicy.egressProxy"], &[DESTINATION]),
    (&["workloadSelector"], &[LABEL_SELECTOR]),
];

const VIRTUAL_SERVICE: &[Entry] = &[
    (
        &[
            "http[].corsPolicy.allowOrigins[]",
            "http[].match[].authority",
            "http[].match[].headers{}",
            "http[].match[].method",
            "http[].match[].queryParams{}",
            "http[].match[].scheme",
            "http[].match[].uri",
            "http[].match[].withoutHeaders{}",
        ],
        &STRING_MATCH,
    ),
    (
        &[
            "http[].corsPolicy.maxAge",
            "http[].fault.delay.exponentialDelay",
            "http[].fault.delay.fixedDelay",
            "http[].retries.backoff",
            "http[].retries.perTryTimeout",
            "http[].timeout",
        ],
        &DURATION,
    ),
    (&["http[].directResponse"], &[Required(&["status"])]),
    (&["http[].directResponse.body"], &[AtMostOne(&["string", "bytes"])]),
    (
        &[
            "http[].directResponse.status",
            "http[].match[].port",
            "http[].mirror_percent",
            "http[].mirrorPercent",
            "http[].redirect.port",
            "http[].redirect.redirectCode",
            "tcp[].match[].port",
            "tls[].match[].port",
        ],
        &U32,
    ),
    (&["http[].fault.abort"], &[AtMostOne(&["httpStatus", "grpcStatus", "http2Error"])]),
    (&["http[].fault.delay"], &[AtMostOne(&["fixedDelay", "exponentialDelay"])]),
    (
        &[
            "http[].mirror",
            "http[].mirrors[].destination",
            "http[].route[].destination",
            "tcp[].route[].destination",
            "tls[].route[].destination",
        ],
        &[DESTINATION],
    ),
    (&["http[].mirrors[]", "http[].route[]", "tcp[].route[]", "tls[].route[]"], &[Required(&["destination"])]),
    (&["http[].redirect"], &[AtMostOne(&["port", "derivePort"])]),
    (&["tls[]"], &[Required(&["match"])]),
    (&["tls[].match[]"], &[Required(&["sniHosts"])]),
];

const WORKLOAD_ENTRY: &[Entry] = &[(&[""], &[ADDRESSED, WORKLOAD])];

const WORKLOAD_GROUP: &[Entry] = &[
    (&[""], &[Required(&["template"])]),
    (&["metadata.annotations", "metadata.labels"], &[MaxProperties(256)]),
    (&["probe"], &[AtMostOne(&["httpGet", "tcpSocket", "exec", "grpc"])]),
    (&["probe.exec"], &[Required(&["command"])]),
    (&["probe.exec.command[]"], &[MinLength(1)]),
    (
        &[
            "probe.failureThreshold",
            "probe.initialDelaySeconds",
            "probe.periodSeconds",
            "probe.successThreshold",
            "probe.timeoutSeconds",
        ],
        &[Minimum(0.0)],
    ),
    (&["probe.grpc.port", "probe.httpGet.port", "probe.tcpSocket.port"], &PORT),
    (&["probe.httpGet", "probe.tcpSocket"], &[Required(&["port"])]),
    (&["probe.httpGet.httpHeaders[].name"], &[Pattern("^[-_A-Za-z0-9]+$")]),
    (
        &["probe.httpGet.scheme"],
        &[Cel(|scheme| matches!(scheme.as_str(), Some("" | "HTTP" | "HTTPS")), "scheme must be one of [HTTP, HTTPS]")],
    ),
    (&["template"], &[WORKLOAD]),
];

const AUTHORIZATION_POLICY: &[Entry] = &[
    (&[""], &[ONE_TARGET]),
    (&["rules", "rules[].from"], &[MaxItems(512)]),
    (
        &["rules[].from[].source"],
        &[Cel(service_accounts_alone, "Cannot set serviceAccounts with namespaces or principals")],
    ),
    (
        &["rules[].from[].source.notServiceAccounts", "rules[].from[].source.serviceAccounts", "targetRefs"],
        &[MaxItems(16)],
    ),
    (&["rules[].from[].source.notServiceAccounts[]", "rules[].from[].source.serviceAccounts[]"], &[MaxLength(320)]),
    (&["rules[].when[]"], &[Required(&["key"])]),
    (&["selector"], &[SELECTOR]),
    (&["targetRef", "targetRefs[]"], &[TARGET_REF]),
];

fn service_accounts_alone(source: &Value) -> bool {
    let any = |names: &[&str]| names.iter().any(|name| has(source, name));
    !any(&["serviceAccounts", "notServiceAccounts"])
        || !any(&["principals", "notPrincipals", "namespaces", "notNamespaces"])
}

const PEER_AUTHENTICATION: &[Entry] = &[
    (&[""], &[Cel(ports_need_selector, "portLevelMtls requires selector")]),
    (&["portLevelMtls"], &[MinProperties(1), Cel(ports_in_range, "port must be between 1-65535")]),
    (&["selector"], &[SELECTOR]),
];

fn ports_need_selector(spec: &Value) -> bool {
    let labels = spec.get("selector").and_then(|selector| selector.get("matchLabels")).and_then(Value::as_object);
    !has(spec, "portLevelMtls") || labels.is_some_and(|labels| !labels.is_empty())
}

fn ports_in_range(ports: &Value) -> bool {
    let mut keys = ports.as_object().into_iter().flat_map(Map::keys);
    keys.all(|port| port.parse::<i64>().is_ok_and(|port| (1..=65535).contains(&port)))
}

const REQUEST_AUTHENTICATION: &[Entry] = &[
    (&[""], &[ONE_TARGET]),
    (&["jwtRules"], &[MaxItems(4096)]),
    (
        &["jwtRules[]"],
        &[Cel(
            |jwt| rule::at_most_one(jwt, &["jwksUri", "jwks_uri", "jwks"]),
            "only one of jwks or jwksUri can be set",
        )],
    ),
    (
        &[
            "jwtRules[].audiences[]",
            "jwtRules[].fromCookies[]",
            "jwtRules[].fromHeaders[].name",
            "jwtRules[].fromParams[]",
            "jwtRules[].issuer",
            "jwtRules[].outputClaimToHeaders[].claim",
            "jwtRules[].spaceDelimitedClaims[]",
        ],
        &[MinLength(1)],
    ),
    (&["jwtRules[].fromHeaders[]"], &[Required(&["name"])]),
    (
        &["jwtRules[].jwks_uri", "jwtRules[].jwksUri"],
        &[MinLength(1), MaxLength(2048), Cel(rule::is_key_url, "url must have scheme http:// or https://")],
    ),
    (&["jwtRules[].outputClaimToHeaders[]"], &[Required(&["header", "claim"])]),
    (&["jwtRules[].outputClaimToHeaders[].header"], &[MinLength(1), Pattern("^[-_A-Za-z0-9]+$")]),
    (&["jwtRules[].spaceDelimitedClaims"], &[MaxItems(64)]),
    (&["jwtRules[].timeout"], &DURATION),
    (&["selector"], &[SELECTOR]),
    (&["targetRef", "targetRefs[]"], &[TARGET_REF]),
    (&["targetRefs"], &[MaxItems(16)]),
];

const TELEMETRY: &[Entry] = &[
    (&[""], &[ONE_TARGET]),
    (
        &[
            "accessLogging[].providers[]",
            "metrics[].providers[]",
            "tracing[].customTags{}.environment",
            "tracing[].customTags{}.header",
            "tracing[].providers[]",
        ],
        &[Required(&["name"])],
    ),
    (
        &[
            "accessLogging[].providers[].name",
            "metrics[].overrides[].match.customMetric",
            "metrics[].providers[].name",
            "tracing[].customTags{}.environment.name",
            "tracing[].customTags{}.formatter.value",
            "tracing[].customTags{}.header.name",
            "tracing[].customTags{}.literal.value",
            "tracing[].providers[].name",
        ],
        &[MinLength(1)],
    ),
    (&["metrics[].overrides[].match"], &[AtMostOne(&["metric", "customMetric"])]),
    (
        &["metrics[].overrides[].tagOverrides{}"],
        &[
            Cel(
                |tag| text(tag, "operation") != "UPSERT" || !text(tag, "value").is_empty(),
                "value must be set when operation is UPSERT",
            ),
            Cel(
                |tag| text(tag, "operation") != "REMOVE" || !has(tag, "value"),
                "value must not be set when operation is REMOVE",
            ),
        ],
    ),
    (&["metrics[].reportingInterval"], &DURATION),
    (&["selector"], &[SELECTOR]),
    (&["targetRef", "targetRefs[]"], &[TARGET_REF]),
    (&["targetRefs"], &[MaxItems(16)]),
    (&["tracing[].customTags{}"], &[AtMostOne(&["literal", "environment", "header", "formatter"])]),
    (&["tracing[].customTags{}.formatter", "tracing[].customTags{}.literal"], &[Required(&["value"])]),
    (&["tracing[].randomSamplingPercentage"], &[Minimum(0.0), Maximum(100.0)]),
];
