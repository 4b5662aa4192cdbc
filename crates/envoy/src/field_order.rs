//! The order in which protobuf's JSON writes the fields of a message: that of the `.proto` file. Envoy goes by the
//! numbers of the fields, which differs where a field was added in the middle.
//!
//! Here are the messages of Envoy's API (1.40) that istiod uses and where it differs. Others stay as Envoy wrote them.

use serde_json::{Map, Value};

/// A message, the fields that hold one (with the field around that, where the name alone says too little), and its own
/// fields in order.
struct Message {
    name: &'static str,
    held_by: &'static [&'static str],
    fields: &'static str,
}

/// Puts the fields of a message in order. `path` ends with the fields that hold it.
pub(super) fn sort(fields: Map<String, Value>, path: &[String]) -> Map<String, Value> {
    let type_url = fields.get("@type").and_then(Value::as_str).and_then(|url| url.rsplit('/').next());
    let is_meant = |message: &&Message| match type_url {
        Some(type_url) => message.name == type_url,
        None => message.held_by.iter().any(|held_by| ends_with(path, held_by)),
    };
    let Some(message) = MESSAGES.iter().find(is_meant) else { return fields };
    let place = |name: &str| match name {
        "@type" => 0,
        _ => 1 + message.fields.split_ascii_whitespace().position(|field| field == name).unwrap_or(usize::MAX - 1),
    };
    let mut entries: Vec<(usize, (String, Value))> =
        fields.into_iter().map(|(name, value)| (place(&name), (name, value))).collect();
    entries.sort_by_key(|(place, _)| *place);
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn ends_with(path: &[String], held_by: &str) -> bool {
    let mut path = path.iter().rev();
    held_by.rsplit('/').all(|field| path.next().is_some_and(|name| name == field))
}

const MESSAGES: [Message; 60] = [
    Message {
        name: "envoy.config.cluster.v3.Cluster",
        held_by: &["staticResources/clusters"],
        fields: "transportSocketMatches transportSocketMatcher name altStatName statsMatcher type clusterType \
            edsClusterConfig connectTimeout perConnectionBufferLimitBytes \
            perConnectionBufferHighWatermarkTimeout lbPolicy loadAssignment healthChecks \
            maxRequestsPerConnection circuitBreakers upstreamHttpProtocolOptions commonHttpProtocolOptions \
            httpProtocolOptions http2ProtocolOptions typedExtensionProtocolOptions dnsRefreshRate dnsJitter \
            dnsFailureRefreshRate respectDnsTtl dnsLookupFamily dnsResolvers useTcpForDnsLookups \
            dnsResolutionConfig typedDnsResolverConfig waitForWarmOnInit outlierDetection cleanupInterval \
            upstreamBindConfig lbSubsetConfig ringHashLbConfig maglevLbConfig originalDstLbConfig \
            leastRequestLbConfig roundRobinLbConfig commonLbConfig transportSocket metadata \
            protocolSelection upstreamConnectionOptions closeConnectionsOnHostHealthFailure \
            ignoreHealthOnHostRemoval filters loadBalancingPolicy lrsServer lrsReportEndpointMetrics \
            trackTimeoutBudgets upstreamConfig trackClusterStats preconnectPolicy \
            connectionPoolPerDownstreamConnection queuingPolicies",
    },
    Message {
        name: "envoy.config.cluster.v3.CircuitBreakers.Thresholds",
        held_by: &["circuitBreakers/thresholds"],
        fields: "priority maxConnections maxPendingRequests maxRequests maxRetries retryBudget trackRemaining \
            maxConnectionPools",
    },
    Message {
        name: "envoy.config.cluster.v3.Cluster.LbSubsetConfig.LbSubsetSelector",
        held_by: &["subsetSelectors"],
        fields: "keys singleHostPerSubset fallbackPolicy fallbackKeysSubset",
    },
    Message {
        name: "envoy.config.listener.v3.Listener",
        held_by: &["staticResources/listeners"],
        fields: "name address additionalAddresses statPrefix statsMatcher filterChains fcdsConfig \
            filterChainMatcher useOriginalDst defaultFilterChain perConnectionBufferLimitBytes \
            perConnectionBufferHighWatermarkTimeout metadata deprecatedV1 drainType listenerFilters \
            listenerFiltersTimeout continueOnListenerFiltersTimeout transparent freebind socketOptions \
            tcpFastOpenQueueLength trafficDirection udpListenerConfig apiListener connectionBalanceConfig \
            reusePort enableReusePort accessLog tcpBacklogSize maxConnectionsToAcceptPerSocketEvent \
            bindToPort internalListener enableMptcp ignoreGlobalConnLimit bypassOverloadManager tcpKeepalive",
    },
    Message {
        name: "envoy.config.listener.v3.FilterChain",
        held_by: &["filterChains", "defaultFilterChain"],
        fields: "filterChainMatch filters useProxyProto metadata transportSocket transportSocketConnectTimeout \
            name",
    },
    Message {
        name: "envoy.config.listener.v3.FilterChainMatch",
        held_by: &["filterChainMatch"],
        fields: "destinationPort prefixRanges addressSuffix suffixLen directSourcePrefixRanges sourceType \
            sourcePrefixRanges sourcePorts serverNames transportProtocol applicationProtocols",
    },
    Message {
        name: "envoy.config.listener.v3.ListenerFilter",
        held_by: &["listenerFilters"],
        fields: "name typedConfig configDiscovery filterDisabled",
    },
    Message {
        name: "envoy.config.route.v3.RouteConfiguration",
        held_by: &["routeConfig"],
        fields: "name virtualHosts vhds internalOnlyHeaders responseHeadersToAdd responseHeadersToRemove \
            requestHeadersToAdd requestHeadersToRemove mostSpecificHeaderMutationsWins validateClusters \
            maxDirectResponseBodySizeBytes clusterSpecifierPlugins requestMirrorPolicies \
            ignorePortInHostMatching vhostHeader ignorePathParametersInPathMatching typedPerFilterConfig \
            metadata routeSpecifiers",
    },
    Message {
        name: "envoy.config.route.v3.VirtualHost",
        held_by: &["virtualHosts"],
        fields: "name domains routes matcher requireTls virtualClusters rateLimits requestHeadersToAdd \
            requestHeadersToRemove responseHeadersToAdd responseHeadersToRemove cors typedPerFilterConfig \
            includeRequestAttemptCount includeAttemptCountInResponse retryPolicy retryPolicyTypedConfig \
            hedgePolicy includeIsTimeoutRetryHeader perRequestBufferLimitBytes requestBodyBufferLimit \
            requestMirrorPolicies metadata routeSpecifiers",
    },
    Message {
        name: "envoy.config.route.v3.Route",
        held_by: &["routes"],
        fields: "name match route redirect directResponse filterAction nonForwardingAction metadata decorator \
            typedPerFilterConfig requestHeadersToAdd requestHeadersToRemove responseHeadersToAdd \
            responseHeadersToRemove tracing perRequestBufferLimitBytes statPrefix requestBodyBufferLimit \
            routeSpecifiers",
    },
    Message {
        name: "envoy.config.route.v3.RouteMatch",
        held_by: &["routes/match"],
        fields: "prefix path safeRegex connectMatcher pathSeparatedPrefix pathMatchPolicy caseSensitive \
            runtimeFraction headers queryParameters cookies grpc tlsContext dynamicMetadata filterState",
    },
    Message {
        name: "envoy.config.route.v3.RouteAction",
        held_by: &["routes/route"],
        fields: "cluster clusterHeader weightedClusters clusterSpecifierPlugin inlineClusterSpecifierPlugin \
            clusterNotFoundResponseCode metadataMatch prefixRewrite regexRewrite pathRewritePolicy \
            pathRewrite hostRewriteLiteral autoHostRewrite hostRewriteHeader hostRewritePathRegex \
            hostRewrite appendXForwardedHost timeout idleTimeout flushTimeout earlyDataPolicy retryPolicy \
            retryPolicyTypedConfig requestMirrorPolicies priority rateLimits includeVhRateLimits hashPolicy \
            cors maxGrpcTimeout grpcTimeoutOffset upgradeConfigs internalRedirectPolicy \
            internalRedirectAction maxInternalRedirects hedgePolicy maxStreamDuration",
    },
    Message {
        name: "envoy.config.route.v3.RedirectAction",
        held_by: &["routes/redirect"],
        fields: "httpsRedirect schemeRedirect hostRedirect portRedirect pathRedirect prefixRewrite regexRewrite \
            pathRewrite responseCode stripQuery",
    },
    Message {
        name: "envoy.config.route.v3.WeightedCluster",
        held_by: &["weightedClusters"],
        fields: "clusters totalWeight runtimeKeyPrefix headerName useHashPolicy",
    },
    Message {
        name: "envoy.config.route.v3.WeightedCluster.ClusterWeight",
        held_by: &["weightedClusters/clusters"],
        fields: "name clusterHeader weight metadataMatch requestHeadersToAdd requestHeadersToRemove \
            responseHeadersToAdd responseHeadersToRemove typedPerFilterConfig hostRewriteLiteral",
    },
    Message {
        name: "envoy.config.route.v3.RetryPolicy",
        held_by: &["retryPolicy"],
        fields: "retryOn numRetries perTryTimeout perTryIdleTimeout retryPriority retryHostPredicate \
            retryOptionsPredicates hostSelectionRetryMaxAttempts retriableStatusCodes retryBackOff \
            rateLimitedRetryBackOff retriableHeaders retriableRequestHeaders refreshClusterOnRetry",
    },
    Message {
        name: "envoy.config.route.v3.CorsPolicy",
        held_by: &["cors"],
        fields: "allowOriginStringMatch allowMethods allowHeaders exposeHeaders maxAge allowCredentials \
            filterEnabled shadowEnabled allowPrivateNetworkAccess forwardNotMatchingPreflights",
    },
    Message {
        name: "envoy.config.route.v3.HeaderMatcher",
        held_by: &["match/headers"],
        fields: "name exactMatch safeRegexMatch rangeMatch presentMatch prefixMatch suffixMatch containsMatch \
            stringMatch invertMatch treatMissingHeaderAsEmpty",
    },
    Message {
        name: "envoy.config.route.v3.RouteAction.RequestMirrorPolicy",
        held_by: &["requestMirrorPolicies"],
        fields: "cluster clusterHeader runtimeFraction traceSampled disableShadowHostSuffixAppend \
            requestHeadersMutations hostRewriteLiteral",
    },
    Message {
        name: "envoy.config.route.v3.RouteAction.HashPolicy",
        held_by: &["hashPolicy"],
        fields: "header cookie connectionProperties queryParameter filterState terminal",
    },
    Message {
        name: "envoy.config.route.v3.RateLimit.Action",
        held_by: &["actions"],
        fields: "sourceCluster destinationCluster requestHeaders queryParameters remoteAddress genericKey \
            headerValueMatch dynamicMetadata metadata extension maskedRemoteAddress queryParameterValueMatch \
            remoteAddressMatch",
    },
    Message {
        name: "envoy.config.endpoint.v3.ClusterLoadAssignment",
        held_by: &["loadAssignment"],
        fields: "clusterName endpoints namedEndpoints policy",
    },
    Message {
        name: "envoy.config.endpoint.v3.LocalityLbEndpoints",
        held_by: &["loadAssignment/endpoints", "ClusterLoadAssignment/endpoints"],
        fields: "locality metadata lbEndpoints loadBalancerEndpoints ledsClusterLocalityConfig \
            loadBalancingWeight priority proximity",
    },
    Message {
        name: "envoy.config.endpoint.v3.LbEndpoint",
        held_by: &["lbEndpoints"],
        fields: "endpoint endpointName healthStatus metadata loadBalancingWeight",
    },
    Message {
        name: "envoy.config.core.v3.Node",
        held_by: &["node"],
        fields: "id cluster metadata dynamicParameters locality userAgentName userAgentVersion \
            userAgentBuildVersion extensions clientFeatures listeningAddresses",
    },
    Message {
        name: "envoy.config.core.v3.ApiConfigSource",
        held_by: &["apiConfigSource", "adsConfig"],
        fields: "apiType transportApiVersion clusterNames grpcServices refreshDelay requestTimeout \
            rateLimitSettings setNodeOnFirstMessageOnly configValidators",
    },
    Message {
        name: "envoy.config.core.v3.ConfigSource",
        held_by: &["sdsConfig", "cdsConfig", "ldsConfig", "edsConfig", "configSource"],
        fields: "authorities path pathConfigSource apiConfigSource ads self initialFetchTimeout \
            resourceApiVersion",
    },
    Message {
        name: "envoy.config.core.v3.BindConfig",
        held_by: &["upstreamBindConfig"],
        fields: "sourceAddress freebind socketOptions extraSourceAddresses additionalSourceAddresses \
            localAddressSelector validateNetworkNamespaces",
    },
    Message {
        name: "envoy.config.core.v3.HealthCheck",
        held_by: &["healthChecks"],
        fields: "name timeout interval initialJitter intervalJitter intervalJitterPercent unhealthyThreshold \
            healthyThreshold altPort reuseConnection httpHealthCheck tcpHealthCheck grpcHealthCheck \
            customHealthCheck noTrafficInterval noTrafficHealthyInterval unhealthyInterval \
            unhealthyEdgeInterval healthyEdgeInterval eventLogPath eventLogger eventService \
            alwaysLogHealthCheckFailures alwaysLogHealthCheckSuccess tlsOptions transportSocketMatchCriteria",
    },
    Message {
        name: "envoy.config.core.v3.HealthCheck.HttpHealthCheck",
        held_by: &["httpHealthCheck"],
        fields: "host path send receive responseBufferSize requestHeadersToAdd requestHeadersToRemove \
            expectedStatuses retriableStatuses codecClientType useAlpnProtocol serviceNameMatcher method",
    },
    Message {
        name: "envoy.config.core.v3.HttpProtocolOptions",
        held_by: &["commonHttpProtocolOptions"],
        fields: "idleTimeout maxConnectionDuration maxConnectionDurationJitter maxHeadersCount \
            maxResponseHeadersKb maxStreamDuration headersWithUnderscoresAction maxRequestsPerConnection",
    },
    Message {
        name: "envoy.config.core.v3.Http2ProtocolOptions",
        held_by: &["http2ProtocolOptions"],
        fields: "hpackTableSize maxConcurrentStreams initialStreamWindowSize initialConnectionWindowSize \
            allowConnect allowMetadata maxOutboundFrames maxOutboundControlFrames \
            maxConsecutiveInboundFramesWithEmptyPayload maxInboundPriorityFramesPerStream \
            maxInboundWindowUpdateFramesPerDataFrameSent streamErrorOnInvalidHttpMessaging \
            overrideStreamErrorOnInvalidHttpMessage customSettingsParameters connectionKeepalive \
            useOghttp2Codec maxMetadataSize enableHuffmanEncoding maxHeaderFieldSizeKb disallowObsText \
            streamResetBurst streamResetRate",
    },
    Message {
        name: "envoy.config.core.v3.GrpcService.GoogleGrpc",
        held_by: &["googleGrpc"],
        fields: "targetUri channelCredentials channelCredentialsPlugin callCredentials callCredentialsPlugin \
            statPrefix credentialsFactoryName config perStreamBufferLimitBytes channelArgs",
    },
    Message {
        name: "envoy.config.core.v3.SubstitutionFormatString",
        held_by: &["logFormat"],
        fields: "textFormat jsonFormat textFormatSource omitEmptyValues contentType formatters jsonFormatOptions",
    },
    Message {
        name: "envoy.config.bootstrap.v3.Bootstrap",
        held_by: &["bootstrap"],
        fields: "node nodeContextParams staticResources dynamicResources clusterManager hdsConfig flagsPath \
            statsSinks deferredStatOptions statsConfig statsFlushInterval statsFlushOnAdmin \
            statsEvictionInterval watchdog watchdogs tracing layeredRuntime admin overloadManager \
            enableDispatcherStats headerPrefix statsServerVersionOverride useTcpForDnsLookups \
            dnsResolutionConfig typedDnsResolverConfig bootstrapExtensions fatalActions configSources \
            defaultConfigSource defaultSocketInterface certificateProviderInstances inlineHeaders \
            perfTracingFilePath defaultRegexEngine xdsDelegateExtension xdsConfigTrackerExtension \
            listenerManager applicationLogConfig grpcAsyncClientManagerConfig memoryAllocatorManager \
            enableWorkerCpuAffinity",
    },
    Message {
        name: "envoy.config.bootstrap.v3.Bootstrap.DynamicResources",
        held_by: &["dynamicResources"],
        fields: "ldsConfig ldsResourcesLocator cdsConfig cdsResourcesLocator adsConfig",
    },
    Message {
        name: "envoy.config.bootstrap.v3.Admin",
        held_by: &["admin"],
        fields: "accessLog accessLogPath profilePath address socketOptions ignoreGlobalConnLimit allowPaths",
    },
    Message {
        name: "envoy.config.rbac.v3.Permission",
        held_by: &["permissions", "andRules/rules", "orRules/rules", "notRule"],
        fields: "andRules orRules any header urlPath destinationIp destinationPort destinationPortRange metadata \
            notRule requestedServerName matcher uriTemplate sourcedMetadata",
    },
    Message {
        name: "envoy.config.rbac.v3.Principal",
        held_by: &["principals", "andIds/ids", "orIds/ids", "notId"],
        fields: "andIds orIds any authenticated sourceIp directRemoteIp remoteIp header urlPath metadata \
            filterState notId sourcedMetadata custom",
    },
    Message {
        name: "envoy.type.matcher.v3.StringMatcher",
        held_by: &[
            "stringMatch",
            "exact",
            "matchTypedSubjectAltNames/matcher",
            "principalName",
            "matchSubjectAltNames",
            "patterns",
        ],
        fields: "exact prefix suffix safeRegex contains custom ignoreCase",
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext",
        held_by: &["commonTlsContext"],
        fields: "tlsParams tlsCertificates tlsCertificateSdsSecretConfigs tlsCertificateProviderInstance \
            customTlsCertificateSelector tlsCertificateCertificateProvider \
            tlsCertificateCertificateProviderInstance validationContext validationContextSdsSecretConfig \
            combinedValidationContext validationContextCertificateProvider \
            validationContextCertificateProviderInstance alpnProtocols customHandshaker keyLog",
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext",
        held_by: &["validationContext", "defaultValidationContext"],
        fields: "trustedCa caCertificateProviderInstance systemRootCerts watchedDirectory verifyCertificateSpki \
            verifyCertificateHash matchTypedSubjectAltNames matchSubjectAltNames \
            requireSignedCertificateTimestamp crl allowExpiredCertificate trustChainVerification \
            customValidatorConfig onlyVerifyLeafCertCrl maxVerifyDepth suppressClientCaList",
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.TlsCertificate",
        held_by: &["tlsCertificate", "tlsCertificates"],
        fields: "certificateChain privateKey pkcs12 watchedDirectory privateKeyProvider password ocspStaple \
            signedCertificateTimestamp tlsParams",
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        held_by: &[],
        fields: "commonTlsContext sni autoHostSni autoSniSanValidation allowRenegotiation maxSessionKeys \
            enforceRsaKeyUsage",
    },
    Message {
        name: "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        held_by: &[],
        fields: "commonTlsContext requireClientCertificate requireSni sessionTicketKeys \
            sessionTicketKeysSdsSecretConfig disableStatelessSessionResumption \
            disableStatefulSessionResumption sessionTimeout ocspStaplePolicy fullScanCertsOnSniMismatch \
            preferClientCiphers",
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        held_by: &[],
        fields: "codecType statPrefix rds routeConfig scopedRoutes httpFilters addUserAgent tracing \
            commonHttpProtocolOptions http1SafeMaxConnectionDuration httpProtocolOptions \
            http2ProtocolOptions http3ProtocolOptions serverName serverHeaderTransformation \
            schemeHeaderTransformation maxRequestHeadersKb streamIdleTimeout streamFlushTimeout \
            requestTimeout requestHeadersTimeout drainTimeout drainTimeoutJitter delayedCloseTimeout \
            accessLog accessLogFlushInterval flushAccessLogOnNewRequest accessLogOptions useRemoteAddress \
            xffNumTrustedHops originalIpDetectionExtensions earlyHeaderMutationExtensions \
            internalAddressConfig skipXffAppend via generateRequestId preserveExternalRequestId \
            alwaysSetRequestIdInResponse forwardClientCertDetails setCurrentClientCertDetails \
            forwardClientCertMatcher proxy100Continue representIpv4RemoteAddressAsIpv4MappedIpv6 \
            upgradeConfigs normalizePath mergeSlashes pathWithEscapedSlashesAction requestIdExtension \
            localReplyConfig stripMatchingHostPort stripAnyHostPort streamErrorOnInvalidHttpMessage \
            pathNormalizationOptions stripTrailingHostDot proxyStatusConfig typedHeaderValidationConfig \
            appendXForwardedPort appendLocalOverload addProxyProtocolConnectionState forwardProtoConfig \
            recordRouteResolutionStats",
    },
    Message {
        name: "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails",
        held_by: &["setCurrentClientCertDetails"],
        fields: "subject cert chain dns uri issuer format",
    },
    Message {
        name: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        held_by: &[],
        fields: "statPrefix cluster weightedClusters onDemand metadataMatch idleTimeout downstreamIdleTimeout \
            upstreamIdleTimeout accessLog maxConnectAttempts backoffOptions hashPolicy tunnelingConfig \
            maxDownstreamConnectionDuration maxDownstreamConnectionDurationJitterPercentage \
            accessLogFlushInterval flushAccessLogOnConnected accessLogOptions proxyProtocolTlvs \
            proxyProtocolTlvMergePolicy upstreamConnectMode maxEarlyDataBytes checkDrainClose",
    },
    Message {
        name: "envoy.extensions.filters.network.rbac.v3.RBAC",
        held_by: &[],
        fields: "rules matcher shadowRules shadowMatcher shadowRulesStatPrefix statPrefix enforcementType \
            delayDeny",
    },
    Message {
        name: "envoy.extensions.filters.http.rbac.v3.RBAC",
        held_by: &[],
        fields: "rules rulesStatPrefix matcher shadowRules shadowMatcher shadowRulesStatPrefix trackPerRuleStats",
    },
    Message {
        name: "envoy.extensions.filters.http.router.v3.Router",
        held_by: &[],
        fields: "dynamicStats startChildSpan upstreamLog upstreamLogOptions suppressEnvoyHeaders \
            strictCheckHeaders respectExpectedRqTimeout suppressGrpcRequestFailureCodeStats \
            upstreamHttpFilters rejectConnectRequestEarlyData",
    },
    Message {
        name: "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        held_by: &[],
        fields: "grpcService httpService transportApiVersion failureModeAllow failureModeAllowHeaderAdd \
            withRequestBody clearRouteCache clearRouteCacheHeaders statusOnError validateMutations \
            metadataContextNamespaces typedMetadataContextNamespaces routeMetadataContextNamespaces \
            routeTypedMetadataContextNamespaces filterEnabled filterEnabledMetadata denyAtDisable \
            includePeerCertificate statPrefix bootstrapMetadataLabelsKey allowedHeaders disallowedHeaders \
            includeTlsSession chargeClusterResponseStats encodeRawHeaders decoderHeaderMutationRules \
            enableDynamicMetadataIngestion filterMetadata emitFilterStateStats maxDeniedResponseBodyBytes \
            enforceResponseHeaderLimits shadowMode emitClientSpan",
    },
    Message {
        name: "envoy.extensions.filters.http.ext_authz.v3.HttpService",
        held_by: &["httpService"],
        fields: "serverUri pathPrefix pathOverride authorizationRequest authorizationResponse retryPolicy",
    },
    Message {
        name: "envoy.extensions.filters.http.jwt_authn.v3.JwtProvider",
        held_by: &["providers"],
        fields: "issuer audiences subjects requireExpiration maxLifetime remoteJwks localJwks forward fromHeaders \
            fromParams fromCookies forwardPayloadHeader padForwardPayloadHeader payloadInMetadata \
            normalizePayloadInMetadata headerInMetadata failedStatusInMetadata clockSkewSeconds \
            jwtCacheConfig claimToHeaders clearRouteCache",
    },
    Message {
        name: "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        held_by: &[],
        fields: "statPrefix status tokenBucket filterEnabled filterEnforced requestHeadersToAddWhenNotEnforced \
            responseHeadersToAdd descriptors stage localRateLimitPerDownstreamConnection \
            localClusterRateLimit enableXRatelimitHeaders vhRateLimits alwaysConsumeDefaultTokenBucket \
            rateLimitedAsResourceExhausted rateLimits maxDynamicDescriptors enableRetryAfterHeader",
    },
    Message {
        name: "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
        held_by: &[],
        fields: "enableJa3Fingerprinting enableJa4Fingerprinting initialReadBufferSize \
            closeConnectionOnClientHelloParsingErrors maxClientHelloSize",
    },
    Message {
        name: "envoy.extensions.wasm.v3.PluginConfig",
        held_by: &["config"],
        fields: "name rootId vmConfig configuration failOpen failurePolicy reloadConfig \
            capabilityRestrictionConfig allowOnHeadersStopIteration",
    },
    Message {
        name: "envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig",
        held_by: &[],
        fields: "commonConfig httpService grpcService disableBuiltinLabels resourceAttributes resourceDetectors \
            body attributes statPrefix formatters logName bufferFlushInterval bufferSizeBytes \
            filterStateObjectsToLog customTags",
    },
    Message {
        name: "envoy.extensions.access_loggers.grpc.v3.CommonGrpcAccessLogConfig",
        held_by: &["commonConfig"],
        fields: "logName grpcService transportApiVersion bufferFlushInterval bufferSizeBytes \
            filterStateObjectsToLog grpcStreamRetryPolicy customTags",
    },
    Message {
        name: "envoy.config.trace.v3.OpenTelemetryConfig",
        held_by: &[],
        fields: "grpcService httpService exporter serviceName resourceDetectors sampler maxCacheSize \
            setTelemetrySdkResourceAttributes setServiceNameResourceAttribute setInstrumentationScope",
    },
];
