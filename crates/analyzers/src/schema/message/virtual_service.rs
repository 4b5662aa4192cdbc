//! [`VirtualService`](https://istio.io/latest/docs/reference/config/networking/virtual-service/).

use super::Type::{Bytes, Choice, Double, Duration, Flag, I32, List, Map, Message, Text, U32};
use super::shared::DESTINATION;
use super::{Enum, TEXT_MAP, TEXTS, Type};

static UNMATCHED_PREFLIGHTS: Enum = Enum {
    name: "istio.networking.v1alpha3.CorsPolicy.UnmatchedPreflights",
    values: &[("UNSPECIFIED", 0), ("FORWARD", 1), ("IGNORE", 2)],
};

static DERIVE_PORT: Enum = Enum {
    name: "istio.networking.v1alpha3.HTTPRedirect.RedirectPortSelection",
    values: &[("FROM_PROTOCOL_DEFAULT", 0), ("FROM_REQUEST_PORT", 1)],
};

const STRING_MATCH: Type = Message(&[("exact", Text), ("prefix", Text), ("regex", Text)]);
const PERCENT: Type = Message(&[("value", Double)]);
const HEADER_OPERATIONS: Type = Message(&[("set", TEXT_MAP), ("add", TEXT_MAP), ("remove", TEXTS)]);
const HEADERS: Type = Message(&[("request", HEADER_OPERATIONS), ("response", HEADER_OPERATIONS)]);

pub(in super::super) const HTTP_MATCH: Type = Message(&[
    ("name", Text),
    ("uri", STRING_MATCH),
    ("scheme", STRING_MATCH),
    ("method", STRING_MATCH),
    ("authority", STRING_MATCH),
    ("headers", Map(&STRING_MATCH)),
    ("port", U32),
    ("sourceLabels", TEXT_MAP),
    ("gateways", TEXTS),
    ("queryParams", Map(&STRING_MATCH)),
    ("ignoreUriCase", Flag),
    ("withoutHeaders", Map(&STRING_MATCH)),
    ("sourceNamespace", Text),
    ("statPrefix", Text),
]);

pub(in super::super) const TLS_MATCH: Type = Message(&[
    ("sniHosts", TEXTS),
    ("destinationSubnets", TEXTS),
    ("port", U32),
    ("sourceLabels", TEXT_MAP),
    ("gateways", TEXTS),
    ("sourceNamespace", Text),
]);

pub(in super::super) const TCP_MATCH: Type = Message(&[
    ("destinationSubnets", TEXTS),
    ("port", U32),
    ("sourceSubnet", Text),
    ("sourceLabels", TEXT_MAP),
    ("gateways", TEXTS),
    ("sourceNamespace", Text),
]);

const FAULT: Type = Message(&[
    (
        "delay",
        Message(&[("percent", I32), ("fixedDelay", Duration), ("exponentialDelay", Duration), ("percentage", PERCENT)]),
    ),
    ("abort", Message(&[("httpStatus", I32), ("grpcStatus", Text), ("http2Error", Text), ("percentage", PERCENT)])),
]);

const CORS_POLICY: Type = Message(&[
    ("allowOrigin", TEXTS),
    ("allowOrigins", List(&STRING_MATCH)),
    ("allowMethods", TEXTS),
    ("allowHeaders", TEXTS),
    ("exposeHeaders", TEXTS),
    ("maxAge", Duration),
    ("allowCredentials", Flag),
    ("unmatchedPreflights", Choice(&UNMATCHED_PREFLIGHTS)),
]);

const REDIRECT: Type = Message(&[
    ("uri", Text),
    ("prefixRewrite", Text),
    ("authority", Text),
    ("port", U32),
    ("derivePort", Choice(&DERIVE_PORT)),
    ("scheme", Text),
    ("redirectCode", U32),
]);

const RETRY: Type = Message(&[
    ("attempts", I32),
    ("perTryTimeout", Duration),
    ("retryOn", Text),
    ("retryRemoteLocalities", Flag),
    ("retryIgnorePreviousHosts", Flag),
    ("backoff", Duration),
]);

const HTTP_ROUTE: Type = Message(&[
    ("name", Text),
    ("match", List(&HTTP_MATCH)),
    ("route", List(&Message(&[("destination", DESTINATION), ("weight", I32), ("headers", HEADERS)]))),
    ("redirect", REDIRECT),
    ("directResponse", Message(&[("status", U32), ("body", Message(&[("string", Text), ("bytes", Bytes)]))])),
    ("delegate", Message(&[("name", Text), ("namespace", Text)])),
    (
        "rewrite",
        Message(&[
            ("uri", Text),
            ("authority", Text),
            ("uriRegexRewrite", Message(&[("match", Text), ("rewrite", Text)])),
        ]),
    ),
    ("timeout", Duration),
    ("retries", RETRY),
    ("fault", FAULT),
    ("mirror", DESTINATION),
    ("mirrors", List(&Message(&[("destination", DESTINATION), ("percentage", PERCENT)]))),
    ("mirrorPercent", U32),
    ("mirrorPercentage", PERCENT),
    ("corsPolicy", CORS_POLICY),
    ("headers", HEADERS),
]);

const ROUTE: Type = List(&Message(&[("destination", DESTINATION), ("weight", I32)]));

pub(in super::super) const VIRTUAL_SERVICE: Type = Message(&[
    ("hosts", TEXTS),
    ("gateways", TEXTS),
    ("http", List(&HTTP_ROUTE)),
    ("tls", List(&Message(&[("match", List(&TLS_MATCH)), ("route", ROUTE)]))),
    ("tcp", List(&Message(&[("match", List(&TCP_MATCH)), ("route", ROUTE)]))),
    ("exportTo", TEXTS),
]);
