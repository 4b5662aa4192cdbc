//! The fields of the mesh configuration: those of
//! [`MeshConfig`](https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig), of
//! [`ProxyConfig`](https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig) and of small
//! messages in them, of all releases since 1.24.

use std::borrow::Cow;

use mesh::View;

/// Fields at the top.
pub(super) const MESH: &[&str] = &[
    "accessLogEncoding",
    "accessLogFile",
    "accessLogFormat",
    "ca",
    "caCertificates",
    "certificates",
    "configSources",
    "connectTimeout",
    "defaultConfig",
    "defaultDestinationRuleExportTo",
    "defaultHttpRetryPolicy",
    "defaultInboundHttpRetryPolicy",
    "defaultProviders",
    "defaultServiceExportTo",
    "defaultTrafficPolicy",
    "defaultVirtualServiceExportTo",
    "disableEnvoyListenerLog",
    "discoverySelectors",
    "dnsRefreshRate",
    "enableAutoMtls",
    "enableEnvoyAccessLogService",
    "enablePrometheusMerge",
    "enableTracing",
    "extensionProviders",
    "h2UpgradePolicy",
    "hboneIdleTimeout",
    "inboundClusterStatName",
    "inboundTrafficPolicy",
    "ingressClass",
    "ingressControllerMode",
    "ingressSelector",
    "ingressService",
    "localityLbSetting",
    "meshMTLS",
    "outboundClusterStatName",
    "outboundTrafficPolicy",
    "pathNormalization",
    "protocolDetectionTimeout",
    "proxyHttpPort",
    "proxyInboundListenPort",
    "proxyListenPort",
    "rootNamespace",
    "serviceEntryVisibility",
    "serviceScopeConfigs",
    "serviceSettings",
    "tcpKeepalive",
    "tlsDefaults",
    "trustDomain",
    "trustDomainAliases",
    "verifyCertificateAtClient",
    "zoneAwareLbSetting",
];

/// Fields of `defaultConfig`.
pub(super) const PROXY: &[&str] = &[
    "availabilityZone",
    "binaryPath",
    "caCertificatesPem",
    "concurrency",
    "configPath",
    "connectionSettings",
    "controlPlaneAuthPolicy",
    "customConfigFile",
    "discoveryAddress",
    "discoveryRefreshDelay",
    "drainDuration",
    "envoyAccessLogService",
    "envoyMetricsService",
    "envoyMetricsServiceAddress",
    "extraStatTags",
    "fileFlushInterval",
    "fileFlushMinSizeKb",
    "gatewayTopology",
    "holdApplicationUntilProxyStarts",
    "image",
    "interceptionMode",
    "meshId",
    "privateKeyProvider",
    "proxyAdminPort",
    "proxyBootstrapTemplatePath",
    "proxyHeaders",
    "proxyMetadata",
    "proxyStatsMatcher",
    "readinessProbe",
    "runtimeValues",
    "sds",
    "serviceCluster",
    "statNameLength",
    "statsCompression",
    "statsdUdpAddress",
    "statusPort",
    "terminationDrainDuration",
    "tracing",
    "tracingServiceName",
    "zipkinAddress",
];

/// Fields of an item of `extensionProviders`.
pub(super) const PROVIDER: &[&str] = &[
    "datadog",
    "envoyExtAuthzGrpc",
    "envoyExtAuthzHttp",
    "envoyFileAccessLog",
    "envoyHttpAls",
    "envoyOtelAls",
    "envoyTcpAls",
    "lightstep",
    "name",
    "opencensus",
    "opentelemetry",
    "prometheus",
    "sds",
    "skywalking",
    "stackdriver",
    "zipkin",
];

/// Small messages, by the way to them.
const INNER: &[(&[&str], &[&str])] = &[
    (&["outboundTrafficPolicy"], &["mode", "tls"]),
    (&["inboundTrafficPolicy"], &["mode"]),
    (&["defaultProviders"], &["accessLogging", "metrics", "tracing"]),
    (&["pathNormalization"], &["normalization"]),
    (&["meshMTLS"], &["cipherSuites", "ecdhCurves", "minProtocolVersion"]),
    (&["tlsDefaults"], &["cipherSuites", "ecdhCurves", "minProtocolVersion"]),
    (&["defaultConfig", "image"], &["imageType"]),
    (&["defaultConfig", "proxyStatsMatcher"], &["inclusionPrefixes", "inclusionRegexps", "inclusionSuffixes"]),
    (&["defaultConfig", "gatewayTopology"], &["forwardClientCertDetails", "numTrustedProxies", "proxyProtocol"]),
    (
        &["defaultConfig", "tracing"],
        &[
            "customTags",
            "datadog",
            "enableIstioTags",
            "lightstep",
            "maxPathTagLength",
            "openCensusAgent",
            "sampling",
            "stackdriver",
            "tlsSettings",
            "zipkin",
        ],
    ),
    (
        &["defaultConfig", "proxyHeaders"],
        &[
            "attemptCount",
            "envoyDebugHeaders",
            "forwardedClientCert",
            "metadataExchangeHeaders",
            "preserveHttp1HeaderCase",
            "requestId",
            "server",
            "setCurrentClientCertDetails",
            "xForwardedHost",
            "xForwardedPort",
        ],
    ),
];

/// A field that no message has at its place.
pub(super) struct Unknown<'m> {
    /// The way to the message, as `defaultConfig`; empty at the top.
    pub(super) place: String,
    pub(super) name: &'m str,
    /// The fields that there are.
    pub(super) known: &'static [&'static str],
}

/// Every field of a configuration that is not known where it stands.
pub(super) fn unknown(config: View<'_>) -> Vec<Unknown<'_>> {
    let providers = config.field("extensionProviders").items().zip(0..);
    let providers = providers.map(|(provider, index): (_, usize)| (provider, format!("extensionProviders[{index}]")));
    let inner = INNER.iter().map(|(path, known)| (config.path(path), path.join("."), *known));
    let messages = [(config, String::new(), MESH), (config.field("defaultConfig"), "defaultConfig".to_owned(), PROXY)];
    let messages =
        messages.into_iter().chain(providers.map(|(provider, place)| (provider, place, PROVIDER))).chain(inner);
    messages
        .flat_map(|(message, place, known)| {
            let unknown = message.entries().filter(move |(name, _)| !has(known, name));
            unknown.map(move |(name, _)| Unknown { place: place.clone(), name, known })
        })
        .collect()
}

/// Whether a field is one of the other level: a proxy's at the top, the mesh's below `defaultConfig`.
pub(super) fn is_misplaced(unknown: &Unknown<'_>) -> bool {
    match unknown.place.as_str() {
        "" => has(PROXY, unknown.name),
        "defaultConfig" => has(MESH, unknown.name),
        _ => false,
    }
}

/// Whether a list has a field, in either of the spellings that proto-JSON accepts.
pub(super) fn has(known: &[&str], name: &str) -> bool {
    known.contains(&camel(name).as_ref())
}

/// `access_log_file` as `accessLogFile`.
pub(super) fn camel(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return name.into();
    }
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel.into()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use mesh::yaml;

    #[test]
    fn lists_are_in_order() {
        let inner = INNER.iter().map(|(_, known)| *known);
        for list in [MESH, PROXY, PROVIDER].into_iter().chain(inner) {
            assert!(list.is_sorted(), "{list:?}");
        }
    }

    #[test]
    fn both_spellings_are_known() {
        assert!(has(MESH, "accessLogFile") && has(MESH, "access_log_file"));
        assert!(!has(MESH, "accesslogFile") && !has(PROXY, "access_log_file"));
    }

    #[test]
    fn fields_are_looked_for_where_they_belong() {
        let text = "accessLogFile: /dev/stdout\nconcurrency: 2\ndefaultConfig: {tracing: {zipkin: {}, rate: 1}, x: 1}\n\
                    extensionProviders: [{name: a, zipkin: {}}, {name: b, jaeger: {}}]\n";
        let tree = yaml::first_document(text).unwrap().unwrap();
        let found: Vec<String> =
            unknown(tree.root()).iter().map(|unknown| format!("{}/{}", unknown.place, unknown.name)).collect();
        assert_eq!(
            found,
            ["/concurrency", "defaultConfig/x", "extensionProviders[1]/jaeger", "defaultConfig.tracing/rate"]
        );
    }
}
