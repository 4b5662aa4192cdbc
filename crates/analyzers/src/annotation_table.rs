//! The annotations that Istio knows: where they belong, how ripe they are, and what their values look like.
//!
//! From [Istio's reference](https://istio.io/latest/docs/reference/config/annotations/).

/// One annotation.
#[derive(Debug)]
pub(super) struct Annotation {
    pub name: &'static str,
    pub is_alpha: bool,
    pub is_deprecated: bool,
    /// The kinds that it may stand on; `Any` for all.
    pub kinds: &'static [&'static str],
    pub value: Value,
}

/// What the value of an annotation must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Anything,
    InterceptionMode,
    StatusPort,
    Unsigned,
    IncludedRanges,
    ExcludedRanges,
    IncludedInboundPorts,
    ExcludedInboundPorts,
    ExcludedOutboundPorts,
    Interfaces,
    Boolean,
    ProxyConfig,
    Quantity,
}

/// The annotation of this name, if Istio knows it.
pub(super) fn find(name: &str) -> Option<&'static Annotation> {
    ANNOTATIONS.binary_search_by(|annotation| annotation.name.cmp(name)).ok().map(|index| &ANNOTATIONS[index])
}

/// Whether an annotation is Istio's, or would be if it were spelt correctly: one of its domain, or the class of an
/// Ingress.
pub(super) fn is_istios(name: &str) -> bool {
    name == "kubernetes.io/ingress.class" || name.split('/').next().is_some_and(|domain| domain.ends_with("istio.io"))
}

/// Annotations that Istio itself sets, or that stand in many places.
pub(super) fn is_exempt(name: &str) -> bool {
    matches!(name, "sidecar.istio.io/status" | "gateway.istio.io/controller-version" | "istio.io/rev")
}

const fn annotation(
    name: &'static str,
    is_alpha: bool,
    is_deprecated: bool,
    kinds: &'static [&'static str],
    value: Value,
) -> Annotation {
    Annotation { name, is_alpha, is_deprecated, kinds, value }
}

const ALPHA: bool = true;
const DEPRECATED: bool = true;

/// Sorted by name.
#[rustfmt::skip]
static ANNOTATIONS: &[Annotation] = &[
    annotation("alpha.istio.io/canonical-serviceaccounts", ALPHA, DEPRECATED, &["Service"], Value::Anything),
    annotation("alpha.istio.io/kubernetes-serviceaccounts", ALPHA, DEPRECATED, &["Service"], Value::Anything),
    annotation("ambient.istio.io/bypass-inbound-capture", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("ambient.istio.io/dns-capture", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("ambient.istio.io/redirection", !ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("ambient.istio.io/waypoint-inbound-binding", ALPHA, !DEPRECATED, &["GatewayClass", "Gateway"], Value::Anything),
    annotation("galley.istio.io/analyze-suppress", ALPHA, !DEPRECATED, &["Any"], Value::Anything),
    annotation("gateway.istio.io/controller-version", ALPHA, !DEPRECATED, &["Any"], Value::Anything),
    annotation("gateway.istio.io/name-override", ALPHA, !DEPRECATED, &["Gateway"], Value::Anything),
    annotation("gateway.istio.io/service-account", ALPHA, !DEPRECATED, &["Gateway"], Value::Anything),
    annotation("inject.istio.io/templates", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("istio.io/autoRegistrationGroup", ALPHA, !DEPRECATED, &["WorkloadEntry"], Value::Anything),
    annotation("istio.io/connectedAt", ALPHA, !DEPRECATED, &["WorkloadEntry"], Value::Anything),
    annotation("istio.io/disconnectedAt", ALPHA, !DEPRECATED, &["WorkloadEntry"], Value::Anything),
    annotation("istio.io/dry-run", ALPHA, !DEPRECATED, &["AuthorizationPolicy"], Value::Anything),
    annotation("istio.io/reroute-virtual-interfaces", ALPHA, !DEPRECATED, &["Pod"], Value::Interfaces),
    annotation("istio.io/rev", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("istio.io/use-waypoint-canary-weight", ALPHA, !DEPRECATED, &["Service", "ServiceEntry", "Namespace"], Value::Anything),
    annotation("istio.io/workloadController", ALPHA, !DEPRECATED, &["WorkloadEntry"], Value::Anything),
    annotation("kubernetes.io/ingress.class", !ALPHA, !DEPRECATED, &["Ingress"], Value::Anything),
    annotation("networking.istio.io/exportTo", ALPHA, !DEPRECATED, &["Service"], Value::Anything),
    annotation("networking.istio.io/service-type", ALPHA, !DEPRECATED, &["Gateway"], Value::Anything),
    annotation("networking.istio.io/traffic-distribution", ALPHA, !DEPRECATED, &["Namespace", "Service", "ServiceEntry"], Value::Anything),
    annotation("prometheus.istio.io/merge-metrics", ALPHA, !DEPRECATED, &["Pod"], Value::Boolean),
    annotation("proxy.istio.io/config", !ALPHA, !DEPRECATED, &["Pod"], Value::ProxyConfig),
    annotation("proxy.istio.io/overrides", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("readiness.status.sidecar.istio.io/applicationPorts", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("readiness.status.sidecar.istio.io/failureThreshold", ALPHA, !DEPRECATED, &["Pod"], Value::Unsigned),
    annotation("readiness.status.sidecar.istio.io/initialDelaySeconds", ALPHA, !DEPRECATED, &["Pod"], Value::Unsigned),
    annotation("readiness.status.sidecar.istio.io/periodSeconds", ALPHA, !DEPRECATED, &["Pod"], Value::Unsigned),
    annotation("sidecar.istio.io/agentLogLevel", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/bootstrapOverride", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/componentLogLevel", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/discoveryAddress", ALPHA, DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/extraStatTags", ALPHA, DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/inject", !ALPHA, DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/interceptionMode", ALPHA, !DEPRECATED, &["Pod"], Value::InterceptionMode),
    annotation("sidecar.istio.io/logLevel", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/nativeSidecar", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/proxyCPU", ALPHA, !DEPRECATED, &["Pod"], Value::Quantity),
    annotation("sidecar.istio.io/proxyCPULimit", ALPHA, !DEPRECATED, &["Pod"], Value::Quantity),
    annotation("sidecar.istio.io/proxyImage", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/proxyImageType", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/proxyMemory", ALPHA, !DEPRECATED, &["Pod"], Value::Quantity),
    annotation("sidecar.istio.io/proxyMemoryLimit", ALPHA, !DEPRECATED, &["Pod"], Value::Quantity),
    annotation("sidecar.istio.io/rewriteAppHTTPProbers", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/statsCompression", ALPHA, DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/statsEvictionInterval", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/statsFlushInterval", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/statsHistogramBins", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/statsHistogramBuckets", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/statsInclusionPrefixes", ALPHA, DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/statsInclusionRegexps", ALPHA, DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/statsInclusionSuffixes", ALPHA, DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/status", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/userVolume", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("sidecar.istio.io/userVolumeMount", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("status.sidecar.istio.io/port", ALPHA, !DEPRECATED, &["Pod"], Value::StatusPort),
    annotation("topology.istio.io/controlPlaneClusters", ALPHA, !DEPRECATED, &["Namespace"], Value::Anything),
    annotation("traffic.istio.io/nodeSelector", !ALPHA, !DEPRECATED, &["Service"], Value::Anything),
    annotation("traffic.sidecar.istio.io/excludeInboundPorts", ALPHA, !DEPRECATED, &["Pod"], Value::ExcludedInboundPorts),
    annotation("traffic.sidecar.istio.io/excludeInterfaces", ALPHA, !DEPRECATED, &["Pod"], Value::Interfaces),
    annotation("traffic.sidecar.istio.io/excludeOutboundIPRanges", ALPHA, !DEPRECATED, &["Pod"], Value::ExcludedRanges),
    annotation("traffic.sidecar.istio.io/excludeOutboundPorts", ALPHA, !DEPRECATED, &["Pod"], Value::ExcludedOutboundPorts),
    annotation("traffic.sidecar.istio.io/includeInboundPorts", ALPHA, !DEPRECATED, &["Pod"], Value::IncludedInboundPorts),
    annotation("traffic.sidecar.istio.io/includeOutboundIPRanges", ALPHA, !DEPRECATED, &["Pod"], Value::IncludedRanges),
    annotation("traffic.sidecar.istio.io/includeOutboundPorts", ALPHA, !DEPRECATED, &["Pod"], Value::Anything),
    annotation("traffic.sidecar.istio.io/kubevirtInterfaces", ALPHA, DEPRECATED, &["Pod"], Value::Interfaces),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted() {
        assert!(ANNOTATIONS.is_sorted_by(|a, b| a.name < b.name));
    }
}
