//! [`TrafficPolicy`](https://istio.io/latest/docs/reference/config/networking/destination-rule/#TrafficPolicy) and its
//! parts.

use super::Type::{Choice, Double, Duration, Flag, I32, List, Map, Message, Text, U32, U64};
use super::shared::PORT_SELECTOR;
use super::{Enum, TEXTS, Type};

pub(in super::super) static H2_UPGRADE_POLICY: Enum = Enum {
    name: "istio.networking.v1alpha3.ConnectionPoolSettings.HTTPSettings.H2UpgradePolicy",
    values: &[("DEFAULT", 0), ("DO_NOT_UPGRADE", 1), ("UPGRADE", 2)],
};

static SIMPLE_LB: Enum = Enum {
    name: "istio.networking.v1alpha3.LoadBalancerSettings.SimpleLB",
    values: &[
        ("UNSPECIFIED", 0),
        ("LEAST_CONN", 1),
        ("RANDOM", 2),
        ("PASSTHROUGH", 3),
        ("ROUND_ROBIN", 4),
        ("LEAST_REQUEST", 5),
    ],
};

pub(in super::super) static CLIENT_TLS_MODE: Enum = Enum {
    name: "istio.networking.v1alpha3.ClientTLSSettings.TLSmode",
    values: &[("DISABLE", 0), ("SIMPLE", 1), ("MUTUAL", 2), ("ISTIO_MUTUAL", 3)],
};

pub(in super::super) static PROXY_PROTOCOL: Enum =
    Enum { name: "istio.networking.v1alpha3.TrafficPolicy.ProxyProtocol.VERSION", values: &[("V1", 0), ("V2", 1)] };

pub(in super::super) const CONNECTION_POOL: Type = Message(&[
    (
        "tcp",
        Message(&[
            ("maxConnections", I32),
            ("connectTimeout", Duration),
            ("tcpKeepalive", Message(&[("probes", U32), ("time", Duration), ("interval", Duration)])),
            ("maxConnectionDuration", Duration),
            ("idleTimeout", Duration),
        ]),
    ),
    (
        "http",
        Message(&[
            ("http1MaxPendingRequests", I32),
            ("http2MaxRequests", I32),
            ("maxRequestsPerConnection", I32),
            ("maxRetries", I32),
            ("idleTimeout", Duration),
            ("h2UpgradePolicy", Choice(&H2_UPGRADE_POLICY)),
            ("useClientProtocol", Flag),
            ("maxConcurrentStreams", I32),
            ("http2KeepAlive", Message(&[("interval", Duration), ("timeout", Duration)])),
        ]),
    ),
]);

pub(in super::super) const LOCALITY: Type = Message(&[
    ("distribute", List(&Message(&[("from", Text), ("to", Map(&U32))]))),
    ("failover", List(&Message(&[("from", Text), ("to", Text)]))),
    ("failoverPriority", TEXTS),
    ("enabled", Flag),
]);

pub(in super::super) const ZONE_AWARE: Type = Message(&[
    ("enabled", Flag),
    ("failover", List(&Message(&[("from", Text), ("to", Text)]))),
    ("failoverPriority", TEXTS),
    ("minClusterSize", U32),
]);

const CONSISTENT_HASH: Type = Message(&[
    ("httpHeaderName", Text),
    (
        "httpCookie",
        Message(&[
            ("name", Text),
            ("path", Text),
            ("ttl", Duration),
            ("attributes", List(&Message(&[("name", Text), ("value", Text)]))),
        ]),
    ),
    ("useSourceIp", Flag),
    ("httpQueryParameterName", Text),
    ("ringHash", Message(&[("minimumRingSize", U64)])),
    ("maglev", Message(&[("tableSize", U64)])),
    ("minimumRingSize", U64),
]);

const LOAD_BALANCER: Type = Message(&[
    ("simple", Choice(&SIMPLE_LB)),
    ("consistentHash", CONSISTENT_HASH),
    ("backendUtilization", Message(&[("errorUtilizationPenaltyPercent", U32)])),
    ("localityLbSetting", LOCALITY),
    ("zoneAwareLbSetting", ZONE_AWARE),
    ("warmupDurationSecs", Duration),
    ("warmup", Message(&[("duration", Duration), ("minimumPercent", Double), ("aggression", Double)])),
]);

pub(in super::super) const OUTLIER_DETECTION: Type = Message(&[
    ("consecutiveErrors", I32),
    ("splitExternalLocalOriginErrors", Flag),
    ("consecutiveLocalOriginFailures", U32),
    ("consecutiveGatewayErrors", U32),
    ("consecutive5xxErrors", U32),
    ("interval", Duration),
    ("baseEjectionTime", Duration),
    ("maxEjectionPercent", I32),
    ("minHealthPercent", I32),
    ("outlierDetectionHttpErrorCodes", List(&U32)),
]);

pub(in super::super) const CLIENT_TLS: Type = Message(&[
    ("mode", Choice(&CLIENT_TLS_MODE)),
    ("clientCertificate", Text),
    ("privateKey", Text),
    ("caCertificates", Text),
    ("credentialName", Text),
    ("subjectAltNames", TEXTS),
    ("sni", Text),
    ("insecureSkipVerify", Flag),
    ("caCrl", Text),
]);

pub(in super::super) const TRAFFIC_POLICY: Type = Message(&[
    ("loadBalancer", LOAD_BALANCER),
    ("connectionPool", CONNECTION_POOL),
    ("outlierDetection", OUTLIER_DETECTION),
    ("tls", CLIENT_TLS),
    (
        "portLevelSettings",
        List(&Message(&[
            ("port", PORT_SELECTOR),
            ("loadBalancer", LOAD_BALANCER),
            ("connectionPool", CONNECTION_POOL),
            ("outlierDetection", OUTLIER_DETECTION),
            ("tls", CLIENT_TLS),
        ])),
    ),
    ("tunnel", Message(&[("protocol", Text), ("targetHost", Text), ("targetPort", U32)])),
    ("proxyProtocol", Message(&[("version", Choice(&PROXY_PROTOCOL))])),
    ("retryBudget", Message(&[("percent", Double), ("minRetryConcurrency", U32)])),
]);
