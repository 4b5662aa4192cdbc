//! The rules of parts that several kinds have.

use super::rule::Rule::{
    AtMostOne, Block, Cel, MaxItems, MaxLength, MaxProperties, Maximum, MinItems, MinLength, Minimum, Pattern,
    Required, UniqueBy,
};
use super::rule::{self, Rule};

pub(super) const U32: [Rule; 2] = [Minimum(0.0), Maximum(4_294_967_295.0)];
pub(super) const PORT: [Rule; 1] = [Cel(rule::is_port, "port must be between 1-65535")];
pub(super) const DURATION: [Rule; 1] = [Cel(rule::is_duration, "must be a valid duration greater than 1ms")];
pub(super) const STRING_MATCH: [Rule; 1] = [AtMostOne(&["exact", "prefix", "regex"])];

pub(super) const SELECTOR: Rule = Block(&[
    (
        &["matchLabels"],
        &[
            MaxProperties(4096),
            Cel(rule::no_wildcard_in_keys, "wildcard not allowed in label key match"),
            Cel(rule::no_empty_key, "key must not be empty"),
        ],
    ),
    (&["matchLabels{}"], &[MaxLength(63), Cel(rule::no_wildcard, "wildcard not allowed in label value match")]),
]);

pub(super) const TARGET_REF: Rule = Block(&[
    (&[""], &[Required(&["kind", "name"])]),
    (&["group"], &[MaxLength(253), Pattern(r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")]),
    (&["kind"], &[MinLength(1), MaxLength(63), Pattern("^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")]),
    (&["name"], &[MinLength(1), MaxLength(253)]),
    (&["namespace"], &[Cel(rule::is_empty_text, "cross namespace referencing is not currently supported")]),
]);

pub(super) const LABEL_SELECTOR: Rule = Block(&[
    (&["labels"], &[MaxProperties(256)]),
    (&["labels{}"], &[MaxLength(63), Cel(rule::no_wildcard, "wildcard is not supported in selector")]),
]);

pub(super) const DESTINATION: Rule = Block(&[(&[""], &[Required(&["host"])]), (&["port.number"], &U32)]);

pub(super) const CONNECTION_POOL: Rule = Block(&[
    (
        &[
            "http.http2KeepAlive.interval",
            "http.http2KeepAlive.timeout",
            "http.idleTimeout",
            "tcp.connectTimeout",
            "tcp.maxConnectionDuration",
            "tcp.tcpKeepalive.interval",
            "tcp.tcpKeepalive.time",
        ],
        &DURATION,
    ),
    (&["tcp.tcpKeepalive.probes"], &U32),
]);

const LOAD_BALANCER: Rule = Block(&[
    (&[""], &[AtMostOne(&["simple", "consistentHash", "backendUtilization"])]),
    (&["backendUtilization.errorUtilizationPenaltyPercent", "localityLbSetting.distribute[].to{}"], &U32),
    (
        &["consistentHash"],
        &[
            AtMostOne(&["httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"]),
            AtMostOne(&["ringHash", "maglev"]),
        ],
    ),
    (&["consistentHash.httpCookie", "consistentHash.httpCookie.attributes[]"], &[Required(&["name"])]),
    (
        &[
            "consistentHash.maglev.tableSize",
            "consistentHash.minimumRingSize",
            "consistentHash.ringHash.minimumRingSize",
            "warmup.aggression",
        ],
        &[Minimum(0.0)],
    ),
    (&["warmup"], &[Required(&["duration"])]),
    (&["warmup.duration", "warmupDurationSecs"], &DURATION),
    (&["warmup.minimumPercent"], &[Minimum(0.0), Maximum(100.0)]),
    (&["zoneAwareLbSetting.minClusterSize"], &[Minimum(1.0), Maximum(4_294_967_295.0)]),
]);

const OUTLIER_DETECTION: Rule = Block(&[
    (&["baseEjectionTime", "interval"], &DURATION),
    (&["consecutive5xxErrors", "consecutiveGatewayErrors", "consecutiveLocalOriginFailures"], &U32),
    (&["outlierDetectionHttpErrorCodes[]"], &[Minimum(100.0), Maximum(599.0)]),
]);

pub(super) const SERVER_TLS: Rule = Block(&[
    (
        &[""],
        &[
            Cel(
                |tls| rule::at_most_one(tls, &["tlsCertificates", "credentialNames"]),
                "only one of credentialNames or tlsCertificates can be set",
            ),
            Cel(
                |tls| rule::at_most_one(tls, &["credentialName", "credentialNames"]),
                "only one of credentialName or credentialNames can be set",
            ),
            // The message of this rule speaks of another field than the rule itself.
            Cel(
                |tls| rule::at_most_one(tls, &["credentialNames", "tlsCertificates"]),
                "only one of credentialName or tlsCertificates can be set",
            ),
        ],
    ),
    (&["credentialNames", "tlsCertificates"], &[MinItems(1), MaxItems(2)]),
]);

pub(super) const TRAFFIC_POLICY: Rule = Block(&[
    (&["connectionPool", "portLevelSettings[].connectionPool"], &[CONNECTION_POOL]),
    (&["loadBalancer", "portLevelSettings[].loadBalancer"], &[LOAD_BALANCER]),
    (&["outlierDetection", "portLevelSettings[].outlierDetection"], &[OUTLIER_DETECTION]),
    (&["portLevelSettings"], &[MaxItems(4096)]),
    (&["portLevelSettings[].port.number", "retryBudget.minRetryConcurrency", "tunnel.targetPort"], &U32),
    (&["retryBudget.percent"], &[Minimum(0.0), Maximum(100.0)]),
    (&["tunnel"], &[Required(&["targetHost", "targetPort"])]),
]);

/// A workload, whether it needs an address or not.
pub(super) const WORKLOAD: Rule = Block(&[
    (&[""], &[Cel(rule::socket_has_no_ports, "UDS may not include ports")]),
    (
        &["address"],
        &[
            MaxLength(256),
            Cel(rule::socket_is_absolute, "UDS must be an absolute path or abstract socket"),
            Cel(rule::socket_is_file, "UDS may not be a dir"),
        ],
    ),
    (&["labels"], &[MaxProperties(256)]),
    (&["locality", "network"], &[MaxLength(2048)]),
    (&["ports"], &[MaxProperties(128), Cel(rule::ports_are_named, "port name must be valid")]),
    (&["ports{}"], &PORT),
    (&["serviceAccount"], &[MaxLength(253)]),
    (&["weight"], &U32),
]);

pub(super) const ADDRESSED: Rule = Cel(rule::has_address, "Address is required");

/// A Wasm module, of a plugin or of an extension.
pub(super) const MODULE: Rule = Block(&[
    (&[""], &[Required(&["url"])]),
    (&["imagePullSecret"], &[MinLength(1), MaxLength(253)]),
    (&["pluginName"], &[MinLength(1), MaxLength(256)]),
    (&["sha256"], &[Pattern("(^$|^[a-f0-9]{64}$)")]),
    (&["url"], &[MinLength(1), Cel(rule::is_module_url, "url must have schema one of [http, https, file, oci]")]),
    (&["vmConfig.env"], &[MaxItems(256), UniqueBy("name")]),
    (
        &["vmConfig.env[]"],
        &[
            Required(&["name"]),
            Cel(
                |variable| rule::text(variable, "valueFrom") != "HOST" || !rule::has(variable, "value"),
                "value may only be set when valueFrom is INLINE",
            ),
        ],
    ),
    (&["vmConfig.env[].name"], &[MinLength(1), MaxLength(256)]),
    (&["vmConfig.env[].value"], &[MaxLength(2048)]),
]);

pub(super) const PORT_MATCH: Rule = Block(&[
    (&["match[].ports"], &[UniqueBy("number")]),
    (&["match[].ports[]"], &[Required(&["number"])]),
    (&["match[].ports[].number"], &[Minimum(1.0), Maximum(65535.0)]),
]);
