//! [`EnvoyFilter`](https://istio.io/latest/docs/reference/config/networking/envoy-filter/).

use super::Type::{Choice, I32, List, Message, Struct, Text, U32};
use super::shared::{LABEL_SELECTOR, TARGET_REFS};
use super::{Enum, TEXT_MAP, Type};

pub(in super::super) static APPLY_TO: Enum = Enum {
    name: "istio.networking.v1alpha3.EnvoyFilter.ApplyTo",
    values: &[
        ("INVALID", 0),
        ("LISTENER", 1),
        ("FILTER_CHAIN", 2),
        ("NETWORK_FILTER", 3),
        ("HTTP_FILTER", 4),
        ("ROUTE_CONFIGURATION", 5),
        ("VIRTUAL_HOST", 6),
        ("HTTP_ROUTE", 7),
        ("CLUSTER", 8),
        ("EXTENSION_CONFIG", 9),
        ("BOOTSTRAP", 10),
        ("LISTENER_FILTER", 11),
    ],
};

pub(in super::super) static CONTEXT: Enum = Enum {
    name: "istio.networking.v1alpha3.EnvoyFilter.PatchContext",
    values: &[("ANY", 0), ("SIDECAR_INBOUND", 1), ("SIDECAR_OUTBOUND", 2), ("GATEWAY", 3), ("WAYPOINT", 4)],
};

pub(in super::super) static OPERATION: Enum = Enum {
    name: "istio.networking.v1alpha3.EnvoyFilter.Patch.Operation",
    values: &[
        ("INVALID", 0),
        ("MERGE", 1),
        ("ADD", 2),
        ("REMOVE", 3),
        ("INSERT_BEFORE", 4),
        ("INSERT_AFTER", 5),
        ("INSERT_FIRST", 6),
        ("REPLACE", 7),
        ("MERGE_AND_REPLACE_LIST", 8),
    ],
};

static FILTER_CLASS: Enum = Enum {
    name: "istio.networking.v1alpha3.EnvoyFilter.Patch.FilterClass",
    values: &[("UNSPECIFIED", 0), ("AUTHN", 1), ("AUTHZ", 2), ("STATS", 3)],
};

static ROUTE_ACTION: Enum = Enum {
    name: "istio.networking.v1alpha3.EnvoyFilter.RouteConfigurationMatch.RouteMatch.Action",
    values: &[("ANY", 0), ("ROUTE", 1), ("REDIRECT", 2), ("DIRECT_RESPONSE", 3)],
};

const FILTER: Type = Message(&[("name", Text), ("subFilter", Message(&[("name", Text)]))]);

const LISTENER: Type = Message(&[
    ("portNumber", U32),
    ("portName", Text),
    (
        "filterChain",
        Message(&[
            ("name", Text),
            ("sni", Text),
            ("transportProtocol", Text),
            ("applicationProtocols", Text),
            ("filter", FILTER),
            ("destinationPort", U32),
        ]),
    ),
    ("listenerFilter", Text),
    ("name", Text),
]);

const ROUTE: Type = Message(&[("name", Text), ("action", Choice(&ROUTE_ACTION))]);

const ROUTE_CONFIGURATION: Type = Message(&[
    ("portNumber", U32),
    ("portName", Text),
    ("gateway", Text),
    ("vhost", Message(&[("name", Text), ("domainName", Text), ("route", ROUTE)])),
    ("name", Text),
]);

const MATCH: Type = Message(&[
    ("context", Choice(&CONTEXT)),
    ("proxy", Message(&[("proxyVersion", Text), ("metadata", TEXT_MAP)])),
    ("listener", LISTENER),
    ("routeConfiguration", ROUTE_CONFIGURATION),
    ("cluster", Message(&[("portNumber", U32), ("service", Text), ("subset", Text), ("name", Text)])),
    ("waypoint", Message(&[("portNumber", U32), ("filter", FILTER), ("route", Message(&[("name", Text)]))])),
]);

const PATCH: Type =
    Message(&[("operation", Choice(&OPERATION)), ("value", Struct), ("filterClass", Choice(&FILTER_CLASS))]);

pub(in super::super) const ENVOY_FILTER: Type = Message(&[
    ("workloadSelector", LABEL_SELECTOR),
    ("targetRefs", TARGET_REFS),
    ("configPatches", List(&Message(&[("applyTo", Choice(&APPLY_TO)), ("match", MATCH), ("patch", PATCH)]))),
    ("priority", I32),
]);
