//! The kinds of objects that a cluster serves: as recorded discovery says, as `CustomResourceDefinition`s say, and a
//! table of the usual ones for recordings that have neither.

use serde_json::{Value, json};

use super::store::{Gvr, text};

/// A served resource, as discovery describes it.
#[derive(Debug, Clone)]
pub(super) struct ResourceType {
    pub(super) kind: String,
    pub(super) singular: String,
    pub(super) namespaced: bool,
    pub(super) short_names: Vec<String>,
    pub(super) categories: Vec<String>,
    pub(super) listable: bool,
}

impl ResourceType {
    /// From an entry of an `APIResourceList`; `None` for subresources.
    pub(super) fn from_discovery(entry: &Value) -> Option<(String, Self)> {
        let plural = text(entry, &["name"]);
        if plural.is_empty() || plural.contains('/') {
            return None;
        }
        let verbs = strings(entry, "verbs");
        Some((
            plural.to_owned(),
            Self {
                kind: text(entry, &["kind"]).to_owned(),
                singular: text(entry, &["singularName"]).to_owned(),
                namespaced: entry.get("namespaced").and_then(Value::as_bool).unwrap_or_default(),
                short_names: strings(entry, "shortNames"),
                categories: strings(entry, "categories"),
                listable: verbs.iter().any(|verb| verb == "list"),
            },
        ))
    }

    /// Every version that a `CustomResourceDefinition` serves.
    pub(super) fn from_definition(definition: &Value) -> Vec<(Gvr, Self)> {
        let Some(names) = definition.pointer("/spec/names") else { return Vec::new() };
        let (group, plural) = (text(definition, &["spec", "group"]), text(names, &["plural"]));
        let kind = text(names, &["kind"]);
        if group.is_empty() || plural.is_empty() || kind.is_empty() {
            return Vec::new();
        }
        let found = Self {
            kind: kind.to_owned(),
            singular: Some(text(names, &["singular"]))
                .filter(|name| !name.is_empty())
                .map_or_else(|| kind.to_lowercase(), str::to_owned),
            namespaced: text(definition, &["spec", "scope"]) != "Cluster",
            short_names: strings(names, "shortNames"),
            categories: strings(names, "categories"),
            listable: true,
        };
        let versions =
            definition.pointer("/spec/versions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let served = versions.iter().filter(|version| version.get("served").and_then(Value::as_bool) != Some(false));
        served.map(|version| (Gvr::new(group, text(version, &["name"]), plural), found.clone())).collect()
    }

    /// A kind that nothing describes, named by the usual rule.
    pub(super) fn guess(kind: &str, namespaced: bool) -> Self {
        Self {
            kind: kind.to_owned(),
            singular: kind.to_lowercase(),
            namespaced,
            short_names: Vec::new(),
            categories: Vec::new(),
            listable: true,
        }
    }

    /// An entry of an `APIResourceList`. A recording can be read only.
    pub(super) fn to_discovery(&self, plural: &str) -> Value {
        let mut entry = json!({
            "name": plural, "singularName": self.singular, "namespaced": self.namespaced, "kind": self.kind,
            "verbs": ["get", "list", "watch"],
        });
        if !self.short_names.is_empty() {
            entry["shortNames"] = json!(self.short_names);
        }
        if !self.categories.is_empty() {
            entry["categories"] = json!(self.categories);
        }
        entry
    }
}

fn strings(value: &Value, name: &str) -> Vec<String> {
    let list = value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The plural of a kind that nothing describes, as Kubernetes guesses it.
/// <https://pkg.go.dev/k8s.io/apimachinery/pkg/api/meta#UnsafeGuessKindToResource>
pub(super) fn guess_plural(kind: &str) -> String {
    let singular = kind.to_lowercase();
    match singular.as_bytes().last() {
        Some(b's') => format!("{singular}es"),
        Some(b'y') => format!("{}ies", &singular[..singular.len() - 1]),
        _ => format!("{singular}s"),
    }
}

/// Lists that are never empty in a cluster with a mesh: every cluster has nodes, system namespaces with their
/// accounts, roles and `ConfigMap`s, and the Service `kubernetes`; istiod brings a Deployment, webhooks, CRDs and the
/// Secret of its certificate authority. Where such a list is absent, it was not recorded.
pub(super) fn is_never_empty(gvr: &Gvr) -> bool {
    matches!(
        (gvr.group.as_str(), gvr.plural.as_str()),
        ("", "namespaces" | "nodes" | "pods" | "services" | "serviceaccounts" | "configmaps" | "secrets" | "endpoints")
            | ("apps", "deployments" | "replicasets")
            | ("discovery.k8s.io", "endpointslices")
            | ("apiextensions.k8s.io", "customresourcedefinitions")
            | ("admissionregistration.k8s.io", "mutatingwebhookconfigurations" | "validatingwebhookconfigurations")
            | ("rbac.authorization.k8s.io", "clusterroles" | "clusterrolebindings")
    )
}

struct Usual {
    group: &'static str,
    /// All have the same fields, so that an object may be served in each.
    versions: &'static [&'static str],
    plural: &'static str,
    kind: &'static str,
    namespaced: bool,
    short_names: &'static [&'static str],
}

const fn usual(
    group: &'static str,
    versions: &'static [&'static str],
    plural: &'static str,
    kind: &'static str,
    namespaced: bool,
    short_names: &'static [&'static str],
) -> Usual {
    Usual { group, versions, plural, kind, namespaced, short_names }
}

const CLUSTER: bool = false;
const NAMESPACED: bool = true;

static USUAL: &[Usual] = &[
    usual("", &["v1"], "namespaces", "Namespace", CLUSTER, &["ns"]),
    usual("", &["v1"], "nodes", "Node", CLUSTER, &["no"]),
    usual("", &["v1"], "pods", "Pod", NAMESPACED, &["po"]),
    usual("", &["v1"], "services", "Service", NAMESPACED, &["svc"]),
    usual("", &["v1"], "endpoints", "Endpoints", NAMESPACED, &["ep"]),
    usual("", &["v1"], "configmaps", "ConfigMap", NAMESPACED, &["cm"]),
    usual("", &["v1"], "secrets", "Secret", NAMESPACED, &[]),
    usual("", &["v1"], "serviceaccounts", "ServiceAccount", NAMESPACED, &["sa"]),
    usual("", &["v1"], "events", "Event", NAMESPACED, &["ev"]),
    usual("", &["v1"], "persistentvolumeclaims", "PersistentVolumeClaim", NAMESPACED, &["pvc"]),
    usual("", &["v1"], "persistentvolumes", "PersistentVolume", CLUSTER, &["pv"]),
    usual("", &["v1"], "resourcequotas", "ResourceQuota", NAMESPACED, &["quota"]),
    usual("", &["v1"], "limitranges", "LimitRange", NAMESPACED, &["limits"]),
    usual("", &["v1"], "replicationcontrollers", "ReplicationController", NAMESPACED, &["rc"]),
    usual("apps", &["v1"], "deployments", "Deployment", NAMESPACED, &["deploy"]),
    usual("apps", &["v1"], "replicasets", "ReplicaSet", NAMESPACED, &["rs"]),
    usual("apps", &["v1"], "statefulsets", "StatefulSet", NAMESPACED, &["sts"]),
    usual("apps", &["v1"], "daemonsets", "DaemonSet", NAMESPACED, &["ds"]),
    usual("batch", &["v1"], "jobs", "Job", NAMESPACED, &[]),
    usual("batch", &["v1"], "cronjobs", "CronJob", NAMESPACED, &["cj"]),
    usual("autoscaling", &["v2"], "horizontalpodautoscalers", "HorizontalPodAutoscaler", NAMESPACED, &["hpa"]),
    usual("policy", &["v1"], "poddisruptionbudgets", "PodDisruptionBudget", NAMESPACED, &["pdb"]),
    usual("discovery.k8s.io", &["v1"], "endpointslices", "EndpointSlice", NAMESPACED, &[]),
    usual("events.k8s.io", &["v1"], "events", "Event", NAMESPACED, &["ev"]),
    usual("coordination.k8s.io", &["v1"], "leases", "Lease", NAMESPACED, &[]),
    usual("networking.k8s.io", &["v1"], "networkpolicies", "NetworkPolicy", NAMESPACED, &["netpol"]),
    usual("networking.k8s.io", &["v1"], "ingresses", "Ingress", NAMESPACED, &["ing"]),
    usual("networking.k8s.io", &["v1"], "ingressclasses", "IngressClass", CLUSTER, &[]),
    usual("rbac.authorization.k8s.io", &["v1"], "roles", "Role", NAMESPACED, &[]),
    usual("rbac.authorization.k8s.io", &["v1"], "rolebindings", "RoleBinding", NAMESPACED, &[]),
    usual("rbac.authorization.k8s.io", &["v1"], "clusterroles", "ClusterRole", CLUSTER, &[]),
    usual("rbac.authorization.k8s.io", &["v1"], "clusterrolebindings", "ClusterRoleBinding", CLUSTER, &[]),
    usual("scheduling.k8s.io", &["v1"], "priorityclasses", "PriorityClass", CLUSTER, &["pc"]),
    usual("storage.k8s.io", &["v1"], "storageclasses", "StorageClass", CLUSTER, &["sc"]),
    usual(
        "apiextensions.k8s.io",
        &["v1"],
        "customresourcedefinitions",
        "CustomResourceDefinition",
        CLUSTER,
        &["crd", "crds"],
    ),
    usual("apiregistration.k8s.io", &["v1"], "apiservices", "APIService", CLUSTER, &[]),
    usual(
        "admissionregistration.k8s.io",
        &["v1"],
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        CLUSTER,
        &[],
    ),
    usual(
        "admissionregistration.k8s.io",
        &["v1"],
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        CLUSTER,
        &[],
    ),
    usual("networking.istio.io", ISTIO_NETWORKING, "virtualservices", "VirtualService", NAMESPACED, &["vs"]),
    usual("networking.istio.io", ISTIO_NETWORKING, "destinationrules", "DestinationRule", NAMESPACED, &["dr"]),
    usual("networking.istio.io", ISTIO_NETWORKING, "gateways", "Gateway", NAMESPACED, &["gw"]),
    usual("networking.istio.io", ISTIO_NETWORKING, "serviceentries", "ServiceEntry", NAMESPACED, &["se"]),
    usual("networking.istio.io", ISTIO_NETWORKING, "sidecars", "Sidecar", NAMESPACED, &[]),
    usual("networking.istio.io", ISTIO_NETWORKING, "workloadentries", "WorkloadEntry", NAMESPACED, &["we"]),
    usual("networking.istio.io", ISTIO_NETWORKING, "workloadgroups", "WorkloadGroup", NAMESPACED, &["wg"]),
    usual("networking.istio.io", &["v1alpha3"], "envoyfilters", "EnvoyFilter", NAMESPACED, &[]),
    usual("networking.istio.io", &["v1beta1"], "proxyconfigs", "ProxyConfig", NAMESPACED, &[]),
    usual("security.istio.io", ISTIO_SECURITY, "authorizationpolicies", "AuthorizationPolicy", NAMESPACED, &["ap"]),
    usual("security.istio.io", ISTIO_SECURITY, "peerauthentications", "PeerAuthentication", NAMESPACED, &["pa"]),
    usual("security.istio.io", ISTIO_SECURITY, "requestauthentications", "RequestAuthentication", NAMESPACED, &["ra"]),
    usual("telemetry.istio.io", &["v1", "v1alpha1"], "telemetries", "Telemetry", NAMESPACED, &["telemetry"]),
    usual("extensions.istio.io", &["v1alpha1"], "wasmplugins", "WasmPlugin", NAMESPACED, &[]),
    usual("gateway.networking.k8s.io", GATEWAY_API, "gatewayclasses", "GatewayClass", CLUSTER, &["gc"]),
    usual("gateway.networking.k8s.io", GATEWAY_API, "gateways", "Gateway", NAMESPACED, &["gtw"]),
    usual("gateway.networking.k8s.io", GATEWAY_API, "httproutes", "HTTPRoute", NAMESPACED, &[]),
    usual("gateway.networking.k8s.io", &["v1"], "grpcroutes", "GRPCRoute", NAMESPACED, &[]),
    usual("gateway.networking.k8s.io", GATEWAY_API, "referencegrants", "ReferenceGrant", NAMESPACED, &["refgrant"]),
];

const ISTIO_NETWORKING: &[&str] = &["v1", "v1beta1", "v1alpha3"];
const ISTIO_SECURITY: &[&str] = &["v1", "v1beta1"];
const GATEWAY_API: &[&str] = &["v1", "v1beta1"];

/// The types that clusters usually serve: those of Kubernetes, and those of Istio and the Gateway API where `all`.
pub(super) fn usual_types(all: bool) -> impl Iterator<Item = (Gvr, ResourceType)> {
    let wanted = USUAL.iter().filter(move |usual| all || !is_custom(usual.group));
    wanted.flat_map(|usual| {
        usual.versions.iter().map(|version| {
            let found = ResourceType {
                short_names: usual.short_names.iter().map(|&name| name.to_owned()).collect(),
                ..ResourceType::guess(usual.kind, usual.namespaced)
            };
            (Gvr::new(usual.group, version, usual.plural), found)
        })
    })
}

/// Groups that come with `CustomResourceDefinition`s.
fn is_custom(group: &str) -> bool {
    group.ends_with(".istio.io") || group == "gateway.networking.k8s.io"
}
