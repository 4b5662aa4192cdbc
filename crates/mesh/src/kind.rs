//! The kinds of objects that a mesh consists of, and which of them may come from a file.

use std::fmt;

/// A kind of object that rules read. The order is that of the table below: first what `istioctl analyze` reads, then
/// what surrounds it, then what comes from the mesh configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Namespace,
    Node,
    Pod,
    Service,
    Secret,
    ConfigMap,
    Deployment,
    MutatingWebhookConfiguration,
    ValidatingWebhookConfiguration,
    CustomResourceDefinition,
    /// `Gateway` of `gateway.networking.k8s.io`, as opposed to Istio's own.
    KubernetesGateway,
    HttpRoute,
    GrpcRoute,
    VirtualService,
    Gateway,
    ServiceEntry,
    WorkloadEntry,
    WorkloadGroup,
    DestinationRule,
    Sidecar,
    EnvoyFilter,
    ProxyConfig,
    AuthorizationPolicy,
    RequestAuthentication,
    PeerAuthentication,
    Telemetry,
    WasmPlugin,
    TrafficExtension,
    DaemonSet,
    StatefulSet,
    Job,
    Event,
    EndpointSlice,
    ServiceAccount,
    ResourceQuota,
    HorizontalPodAutoscaler,
    PodDisruptionBudget,
    NetworkPolicy,
    GatewayClass,
    TlsRoute,
    TcpRoute,
    ReferenceGrant,
    BackendTlsPolicy,
    /// Of the Secrets Store CSI driver, through which the AKS add-on reads its plug-in CA.
    SecretProviderClass,
    /// Of AKS: the addresses of an egress gateway.
    StaticGatewayConfiguration,
    MeshConfig,
    MeshNetworks,
}

struct Row {
    kind: Kind,
    name: &'static str,
    group: &'static str,
    /// The first is the one that a live cluster is read at; files may use any.
    versions: &'static [&'static str],
    plural: &'static str,
    namespaced: bool,
}

const fn row(
    kind: Kind,
    name: &'static str,
    group: &'static str,
    versions: &'static [&'static str],
    plural: &'static str,
    namespaced: bool,
) -> Row {
    Row { kind, name, group, versions, plural, namespaced }
}

const CORE: &str = "";
const ADMISSION: &str = "admissionregistration.k8s.io";
const GATEWAY_API: &str = "gateway.networking.k8s.io";
const NETWORKING: &str = "networking.istio.io";
const SECURITY: &str = "security.istio.io";
const EXTENSIONS: &str = "extensions.istio.io";
const APPS: &str = "apps";
const NETWORKING_VERSIONS: &[&str] = &["v1", "v1beta1", "v1alpha3"];
const SECURITY_VERSIONS: &[&str] = &["v1", "v1beta1"];

#[rustfmt::skip]
const TABLE: [Row; 47] = [
    row(Kind::Namespace, "Namespace", CORE, &["v1"], "namespaces", false),
    row(Kind::Node, "Node", CORE, &["v1"], "nodes", false),
    row(Kind::Pod, "Pod", CORE, &["v1"], "pods", true),
    row(Kind::Service, "Service", CORE, &["v1"], "services", true),
    row(Kind::Secret, "Secret", CORE, &["v1"], "secrets", true),
    row(Kind::ConfigMap, "ConfigMap", CORE, &["v1"], "configmaps", true),
    row(Kind::Deployment, "Deployment", "apps", &["v1"], "deployments", true),
    row(Kind::MutatingWebhookConfiguration, "MutatingWebhookConfiguration", ADMISSION, &["v1"], "mutatingwebhookconfigurations", false),
    row(Kind::ValidatingWebhookConfiguration, "ValidatingWebhookConfiguration", ADMISSION, &["v1"], "validatingwebhookconfigurations", false),
    row(Kind::CustomResourceDefinition, "CustomResourceDefinition", "apiextensions.k8s.io", &["v1"], "customresourcedefinitions", false),
    row(Kind::KubernetesGateway, "Gateway", GATEWAY_API, &["v1", "v1beta1", "v1alpha2"], "gateways", true),
    row(Kind::HttpRoute, "HTTPRoute", GATEWAY_API, &["v1", "v1beta1", "v1alpha2"], "httproutes", true),
    row(Kind::GrpcRoute, "GRPCRoute", GATEWAY_API, &["v1", "v1alpha2"], "grpcroutes", true),
    row(Kind::VirtualService, "VirtualService", NETWORKING, NETWORKING_VERSIONS, "virtualservices", true),
    row(Kind::Gateway, "Gateway", NETWORKING, NETWORKING_VERSIONS, "gateways", true),
    row(Kind::ServiceEntry, "ServiceEntry", NETWORKING, NETWORKING_VERSIONS, "serviceentries", true),
    row(Kind::WorkloadEntry, "WorkloadEntry", NETWORKING, NETWORKING_VERSIONS, "workloadentries", true),
    row(Kind::WorkloadGroup, "WorkloadGroup", NETWORKING, NETWORKING_VERSIONS, "workloadgroups", true),
    row(Kind::DestinationRule, "DestinationRule", NETWORKING, NETWORKING_VERSIONS, "destinationrules", true),
    row(Kind::Sidecar, "Sidecar", NETWORKING, NETWORKING_VERSIONS, "sidecars", true),
    row(Kind::EnvoyFilter, "EnvoyFilter", NETWORKING, &["v1alpha3"], "envoyfilters", true),
    row(Kind::ProxyConfig, "ProxyConfig", NETWORKING, &["v1beta1"], "proxyconfigs", true),
    row(Kind::AuthorizationPolicy, "AuthorizationPolicy", SECURITY, SECURITY_VERSIONS, "authorizationpolicies", true),
    row(Kind::RequestAuthentication, "RequestAuthentication", SECURITY, SECURITY_VERSIONS, "requestauthentications", true),
    row(Kind::PeerAuthentication, "PeerAuthentication", SECURITY, SECURITY_VERSIONS, "peerauthentications", true),
    row(Kind::Telemetry, "Telemetry", "telemetry.istio.io", &["v1", "v1alpha1"], "telemetries", true),
    row(Kind::WasmPlugin, "WasmPlugin", EXTENSIONS, &["v1alpha1"], "wasmplugins", true),
    row(Kind::TrafficExtension, "TrafficExtension", EXTENSIONS, &["v1alpha1"], "trafficextensions", true),
    row(Kind::DaemonSet, "DaemonSet", APPS, &["v1"], "daemonsets", true),
    row(Kind::StatefulSet, "StatefulSet", APPS, &["v1"], "statefulsets", true),
    row(Kind::Job, "Job", "batch", &["v1"], "jobs", true),
    row(Kind::Event, "Event", CORE, &["v1"], "events", true),
    row(Kind::EndpointSlice, "EndpointSlice", "discovery.k8s.io", &["v1"], "endpointslices", true),
    row(Kind::ServiceAccount, "ServiceAccount", CORE, &["v1"], "serviceaccounts", true),
    row(Kind::ResourceQuota, "ResourceQuota", CORE, &["v1"], "resourcequotas", true),
    row(Kind::HorizontalPodAutoscaler, "HorizontalPodAutoscaler", "autoscaling", &["v2"], "horizontalpodautoscalers", true),
    row(Kind::PodDisruptionBudget, "PodDisruptionBudget", "policy", &["v1"], "poddisruptionbudgets", true),
    row(Kind::NetworkPolicy, "NetworkPolicy", "networking.k8s.io", &["v1"], "networkpolicies", true),
    row(Kind::GatewayClass, "GatewayClass", GATEWAY_API, &["v1", "v1beta1"], "gatewayclasses", false),
    row(Kind::TlsRoute, "TLSRoute", GATEWAY_API, &["v1", "v1alpha3", "v1alpha2"], "tlsroutes", true),
    row(Kind::TcpRoute, "TCPRoute", GATEWAY_API, &["v1", "v1alpha2"], "tcproutes", true),
    row(Kind::ReferenceGrant, "ReferenceGrant", GATEWAY_API, &["v1", "v1beta1"], "referencegrants", true),
    row(Kind::BackendTlsPolicy, "BackendTLSPolicy", GATEWAY_API, &["v1", "v1alpha3"], "backendtlspolicies", true),
    row(Kind::SecretProviderClass, "SecretProviderClass", "secrets-store.csi.x-k8s.io", &["v1"], "secretproviderclasses", true),
    row(Kind::StaticGatewayConfiguration, "StaticGatewayConfiguration", "egressgateway.kubernetes.azure.com", &["v1alpha1"], "staticgatewayconfigurations", true),
    row(Kind::MeshConfig, "MeshConfig", "", &["v1alpha1"], "", true),
    row(Kind::MeshNetworks, "MeshNetworks", "", &["v1alpha1"], "", true),
];

impl Kind {
    /// How many kinds there are.
    pub const COUNT: usize = TABLE.len();

    /// Every kind that a cluster can be asked for, which leaves out the two that come from the mesh configuration.
    pub fn readable() -> impl Iterator<Item = Kind> {
        TABLE.iter().map(|row| row.kind).filter(|kind| !kind.is_synthetic())
    }

    /// The kind of an object in a file, from its `apiVersion` and `kind`.
    pub fn of_document(api_version: &str, name: &str) -> Option<Kind> {
        let (group, version) = api_version.rsplit_once('/').unwrap_or((CORE, api_version));
        let row = TABLE.iter().find(|row| row.name == name && row.group == group && !row.kind.is_synthetic())?;
        row.versions.contains(&version).then_some(row.kind)
    }

    /// The kind of a resource, from its group and plural name as the API server's paths have them.
    pub fn of_resource(group: &str, plural: &str) -> Option<Kind> {
        TABLE.iter().find(|row| row.plural == plural && row.group == group && !plural.is_empty()).map(|row| row.kind)
    }

    /// The plain name, so that Istio's and the Gateway API's `Gateway` read the same.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub fn group(self) -> &'static str {
        self.row().group
    }

    /// The version that a live cluster is read at.
    pub fn version(self) -> &'static str {
        self.row().versions[0]
    }

    pub fn plural(self) -> &'static str {
        self.row().plural
    }

    pub fn is_namespaced(self) -> bool {
        self.row().namespaced
    }

    /// What runs rather than what was configured; `istioctl analyze` never reads these from files.
    pub fn is_runtime(self) -> bool {
        matches!(self, Kind::Namespace | Kind::Node | Kind::Pod | Kind::Service | Kind::Secret)
    }

    /// Whether `istioctl analyze` reads it; the others are read for the detectors.
    pub fn is_analyzed(self) -> bool {
        self < Kind::DaemonSet || self.is_synthetic()
    }

    /// What a control plane brings with it, one set for each revision.
    pub fn is_control_plane(self) -> bool {
        matches!(
            self,
            Kind::ConfigMap
                | Kind::Deployment
                | Kind::MutatingWebhookConfiguration
                | Kind::ValidatingWebhookConfiguration
        )
    }

    fn is_synthetic(self) -> bool {
        matches!(self, Kind::MeshConfig | Kind::MeshNetworks)
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KindSet(u64);

impl KindSet {
    /// Every kind there is.
    pub fn all() -> Self {
        TABLE.iter().map(|row| row.kind).collect()
    }

    /// What comes from the mesh configuration, which always has a value.
    pub(super) fn all_synthetic() -> Self {
        Self::default().with(Kind::MeshConfig).with(Kind::MeshNetworks)
    }

    #[must_use]
    pub fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u64)
    }

    #[must_use]
    pub fn without(self, kind: Kind) -> Self {
        Self(self.0 & !(1 << kind as u64))
    }

    pub fn contains(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u64) != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Kind> {
        TABLE.iter().map(|row| row.kind).filter(move |kind| self.contains(*kind))
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl FromIterator<Kind> for KindSet {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::default(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_in_the_order_of_the_enum() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.kind as usize, index, "{}", row.name);
        }
    }

    #[test]
    fn two_gateways_are_told_apart_by_group() {
        assert_eq!(Kind::of_document("gateway.networking.k8s.io/v1", "Gateway"), Some(Kind::KubernetesGateway));
        assert_eq!(Kind::of_document("networking.istio.io/v1alpha3", "Gateway"), Some(Kind::Gateway));
        assert_eq!(Kind::of_document("networking.istio.io/v2", "Gateway"), None);
        assert_eq!(Kind::of_document("v1", "Service"), Some(Kind::Service));
        assert_eq!(Kind::of_resource("", "pods"), Some(Kind::Pod));
    }
}
