//! The other [traffic management](https://istio.io/latest/docs/reference/config/networking/) kinds.

use super::Type::{Choice, Flag, I32, List, Map, Message, Text, U32};
use super::shared::{DESTINATION, LABEL_SELECTOR, PORT, SELECTOR};
use super::traffic_policy::{CONNECTION_POOL, TRAFFIC_POLICY};
use super::{Enum, TEXT_MAP, TEXTS, Type};

pub(in super::super) const DESTINATION_RULE: Type = Message(&[
    ("host", Text),
    ("trafficPolicy", TRAFFIC_POLICY),
    ("subsets", List(&Message(&[("name", Text), ("labels", TEXT_MAP), ("trafficPolicy", TRAFFIC_POLICY)]))),
    ("exportTo", TEXTS),
    ("workloadSelector", SELECTOR),
]);

pub(in super::super) static SERVER_TLS_MODE: Enum = Enum {
    name: "istio.networking.v1alpha3.ServerTLSSettings.TLSmode",
    values: &[
        ("PASSTHROUGH", 0),
        ("SIMPLE", 1),
        ("MUTUAL", 2),
        ("AUTO_PASSTHROUGH", 3),
        ("ISTIO_MUTUAL", 4),
        ("OPTIONAL_MUTUAL", 5),
    ],
};

pub(in super::super) static TLS_PROTOCOL: Enum = Enum {
    name: "istio.networking.v1alpha3.ServerTLSSettings.TLSProtocol",
    values: &[("TLS_AUTO", 0), ("TLSV1_0", 1), ("TLSV1_1", 2), ("TLSV1_2", 3), ("TLSV1_3", 4)],
};

const SERVER_TLS: Type = Message(&[
    ("httpsRedirect", Flag),
    ("mode", Choice(&SERVER_TLS_MODE)),
    ("serverCertificate", Text),
    ("privateKey", Text),
    ("caCertificates", Text),
    ("caCrl", Text),
    ("credentialName", Text),
    ("credentialNames", TEXTS),
    ("tlsCertificates", List(&Message(&[("serverCertificate", Text), ("privateKey", Text), ("caCertificates", Text)]))),
    ("subjectAltNames", TEXTS),
    ("verifyCertificateSpki", TEXTS),
    ("verifyCertificateHash", TEXTS),
    ("minProtocolVersion", Choice(&TLS_PROTOCOL)),
    ("maxProtocolVersion", Choice(&TLS_PROTOCOL)),
    ("cipherSuites", TEXTS),
]);

pub(in super::super) const GATEWAY: Type = Message(&[
    (
        "servers",
        List(&Message(&[
            ("port", PORT),
            ("bind", Text),
            ("hosts", TEXTS),
            ("tls", SERVER_TLS),
            ("defaultEndpoint", Text),
            ("name", Text),
        ])),
    ),
    ("selector", TEXT_MAP),
]);

pub(in super::super) static LOCATION: Enum = Enum {
    name: "istio.networking.v1alpha3.ServiceEntry.Location",
    values: &[("MESH_EXTERNAL", 0), ("MESH_INTERNAL", 1)],
};

pub(in super::super) static RESOLUTION: Enum = Enum {
    name: "istio.networking.v1alpha3.ServiceEntry.Resolution",
    values: &[("NONE", 0), ("STATIC", 1), ("DNS", 2), ("DNS_ROUND_ROBIN", 3), ("DYNAMIC_DNS", 4)],
};

pub(in super::super) const WORKLOAD_ENTRY: Type = Message(&[
    ("address", Text),
    ("ports", Map(&U32)),
    ("labels", TEXT_MAP),
    ("network", Text),
    ("locality", Text),
    ("weight", U32),
    ("serviceAccount", Text),
]);

pub(in super::super) const SERVICE_ENTRY: Type = Message(&[
    ("hosts", TEXTS),
    ("addresses", TEXTS),
    ("ports", List(&PORT)),
    ("location", Choice(&LOCATION)),
    ("resolution", Choice(&RESOLUTION)),
    ("endpoints", List(&WORKLOAD_ENTRY)),
    ("workloadSelector", LABEL_SELECTOR),
    ("exportTo", TEXTS),
    ("subjectAltNames", TEXTS),
]);

const PROBE: Type = Message(&[
    ("initialDelaySeconds", I32),
    ("timeoutSeconds", I32),
    ("periodSeconds", I32),
    ("successThreshold", I32),
    ("failureThreshold", I32),
    (
        "httpGet",
        Message(&[
            ("path", Text),
            ("port", U32),
            ("host", Text),
            ("scheme", Text),
            ("httpHeaders", List(&Message(&[("name", Text), ("value", Text)]))),
        ]),
    ),
    ("tcpSocket", Message(&[("host", Text), ("port", U32)])),
    ("exec", Message(&[("command", TEXTS)])),
    ("grpc", Message(&[("service", Text), ("port", U32)])),
]);

pub(in super::super) const WORKLOAD_GROUP: Type = Message(&[
    ("metadata", Message(&[("labels", TEXT_MAP), ("annotations", TEXT_MAP)])),
    ("template", WORKLOAD_ENTRY),
    ("probe", PROBE),
]);

pub(in super::super) static CAPTURE_MODE: Enum =
    Enum { name: "istio.networking.v1alpha3.CaptureMode", values: &[("DEFAULT", 0), ("IPTABLES", 1), ("NONE", 2)] };

pub(in super::super) static OUTBOUND_MODE: Enum = Enum {
    name: "istio.networking.v1alpha3.OutboundTrafficPolicy.Mode",
    values: &[("REGISTRY_ONLY", 0), ("ALLOW_ANY", 1)],
};

pub(in super::super) const SIDECAR: Type = Message(&[
    ("workloadSelector", LABEL_SELECTOR),
    (
        "ingress",
        List(&Message(&[
            ("port", PORT),
            ("bind", Text),
            ("captureMode", Choice(&CAPTURE_MODE)),
            ("defaultEndpoint", Text),
            ("tls", SERVER_TLS),
            ("connectionPool", CONNECTION_POOL),
        ])),
    ),
    (
        "egress",
        List(&Message(&[("port", PORT), ("bind", Text), ("captureMode", Choice(&CAPTURE_MODE)), ("hosts", TEXTS)])),
    ),
    ("inboundConnectionPool", CONNECTION_POOL),
    ("outboundTrafficPolicy", Message(&[("mode", Choice(&OUTBOUND_MODE)), ("egressProxy", DESTINATION)])),
]);

pub(in super::super) const PROXY_CONFIG: Type = Message(&[
    ("selector", SELECTOR),
    ("concurrency", I32),
    ("environmentVariables", TEXT_MAP),
    ("image", Message(&[("imageType", Text)])),
]);
