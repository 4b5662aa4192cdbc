//! [Telemetry](https://istio.io/latest/docs/reference/config/telemetry/).

use super::Type::{Choice, Double, Duration, Flag, List, Map, Message, Text};
use super::shared::{SELECTOR, TARGET_REF, TARGET_REFS};
use super::{Enum, Type};

static WORKLOAD_MODE: Enum = Enum {
    name: "istio.telemetry.v1alpha1.WorkloadMode",
    values: &[("CLIENT_AND_SERVER", 0), ("CLIENT", 1), ("SERVER", 2)],
};

static METRIC: Enum = Enum {
    name: "istio.telemetry.v1alpha1.MetricSelector.IstioMetric",
    values: &[
        ("ALL_METRICS", 0),
        ("REQUEST_COUNT", 1),
        ("REQUEST_DURATION", 2),
        ("REQUEST_SIZE", 3),
        ("RESPONSE_SIZE", 4),
        ("TCP_OPENED_CONNECTIONS", 5),
        ("TCP_CLOSED_CONNECTIONS", 6),
        ("TCP_SENT_BYTES", 7),
        ("TCP_RECEIVED_BYTES", 8),
        ("GRPC_REQUEST_MESSAGES", 9),
        ("GRPC_RESPONSE_MESSAGES", 10),
    ],
};

pub(in super::super) static TAG_OPERATION: Enum = Enum {
    name: "istio.telemetry.v1alpha1.MetricsOverrides.TagOverride.Operation",
    values: &[("UPSERT", 0), ("REMOVE", 1)],
};

const PROVIDERS: Type = List(&Message(&[("name", Text)]));
const MODE: Type = Message(&[("mode", Choice(&WORKLOAD_MODE))]);

const CUSTOM_TAG: Type = Message(&[
    ("literal", Message(&[("value", Text)])),
    ("environment", Message(&[("name", Text), ("defaultValue", Text)])),
    ("header", Message(&[("name", Text), ("defaultValue", Text)])),
    ("formatter", Message(&[("value", Text)])),
]);

const TRACING: Type = Message(&[
    ("match", MODE),
    ("providers", PROVIDERS),
    ("randomSamplingPercentage", Double),
    ("disableSpanReporting", Flag),
    ("customTags", Map(&CUSTOM_TAG)),
    ("useRequestIdForTraceSampling", Flag),
    ("enableIstioTags", Flag),
]);

const OVERRIDE: Type = Message(&[
    ("match", Message(&[("metric", Choice(&METRIC)), ("customMetric", Text), ("mode", Choice(&WORKLOAD_MODE))])),
    ("disabled", Flag),
    ("tagOverrides", Map(&Message(&[("operation", Choice(&TAG_OPERATION)), ("value", Text)]))),
]);

pub(in super::super) const TELEMETRY: Type = Message(&[
    ("selector", SELECTOR),
    ("targetRef", TARGET_REF),
    ("targetRefs", TARGET_REFS),
    ("tracing", List(&TRACING)),
    (
        "metrics",
        List(&Message(&[("providers", PROVIDERS), ("overrides", List(&OVERRIDE)), ("reportingInterval", Duration)])),
    ),
    (
        "accessLogging",
        List(&Message(&[
            ("match", MODE),
            ("providers", PROVIDERS),
            ("disabled", Flag),
            ("filter", Message(&[("expression", Text)])),
        ])),
    ),
]);
