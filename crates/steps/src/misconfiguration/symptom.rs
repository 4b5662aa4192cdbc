//! What users see, and the problems to look for then, by the ids of the catalogue of detectable problems.

use problems::{Problem, all_named};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a user sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Symptom {
    ControlPlaneDown,
    PodsCannotBeCreated,
    NoSidecar,
    SidecarNotReady,
    ApplicationStartsBadly,
    #[serde(rename = "503")]
    ServiceUnavailable,
    #[serde(rename = "404")]
    NotFound,
    #[serde(rename = "403")]
    Forbidden,
    #[serde(rename = "401")]
    Unauthorized,
    #[serde(rename = "426")]
    UpgradeRequired,
    #[serde(rename = "502")]
    BadGateway,
    #[serde(rename = "504")]
    TimedOut,
    Reset,
    IngressUnreachable,
    IngressTls,
    NoEffect,
    MeshConfigNoEffect,
    Resources,
    Dns,
    ApplyFails,
    UpgradeStuck,
    EgressGatewayStuck,
    /// No symptom of its own: a risk, or worth knowing.
    Latent,
}

/// Each symptom with its words and the problems to try, in this order
/// (a problem may stand under several).
#[rustfmt::skip]
pub(crate) static SYMPTOMS: &[(Symptom, &str, &[&Problem])] = &[
    (Symptom::ControlPlaneDown, "istiod does not run", &all_named(["cp/istiod-unschedulable", "cp/istiod-image-pull", "ca/init-stuck", "cp/istiod-crashloop", "cp/istiod-oom", "cp/policy-blocks-pods", "cp/istiod-not-ready", "cp/no-addon"])),
    (Symptom::PodsCannotBeCreated, "Pods cannot be created", &all_named(["inject/webhook-no-endpoints", "inject/webhook-ca-mismatch", "inject/webhook-timeout", "cp/leftover-webhook", "inject/pod-security", "cp/quota-blocks-pods", "cp/policy-blocks-pods", "inject/template-failed", "inject/bad-annotation", "cni/sandbox-failed"])),
    (Symptom::NoSidecar, "Pods have no sidecar", &all_named(["inject/unsupported-label", "inject/unknown-revision", "inject/label-conflict", "inject/rev-default", "inject/opted-out", "inject/label-only-pod", "inject/pod-without-sidecar", "inject/host-network", "inject/ignored-namespace", "inject/webhook-missing", "inject/webhook-deactivated", "upg/tag-dangling", "inject/unsupported-node", "inject/mixed-workload", "inject/annotation-instead-of-label", "inject/namespace-unlabelled"])),
    (Symptom::SidecarNotReady, "The sidecar does not become ready", &all_named(["inject/proxy-not-ready", "cp/proxy-not-connected", "upg/revision-removed", "cp/xds-rejected", "sec/no-cert", "ca/root-configmap", "dns/capture-not-ready", "inject/proxy-crash", "inject/proxy-image-pull", "res/proxy-oom"])),
    (Symptom::ApplicationStartsBadly, "Applications restart at the start, or have no network at first", &all_named(["inject/race-app-first", "inject/init-needs-network", "cni/validation-failed", "inject/init-failed"])),
    (Symptom::ServiceUnavailable, "503 Service Unavailable", &all_named(["net/vs-host-unknown", "net/no-endpoints", "net/subset-missing", "net/subset-no-pods", "net/503-after-dr", "net/dr-tls-to-plain", "net/upstream-refused", "net/upstream-reset", "net/overflow", "net/headless-503", "net/endpoint-unhealthy", "sec/root-mismatch", "net/retry-exhausted", "net/vs-port-unknown", "net/vs-port-required", "net/https-to-http-port", "net/fault-active", "net/tcp-lb", "net/h2-upgrade", "k8sgw/backend-not-granted", "net/waypoint-not-ready", "net/listener-conflict", "net/se-duplicate"])),
    (Symptom::NotFound, "404 Not Found", &all_named(["gw/host-mismatch", "gw/vs-not-bound", "net/vs-gateway-missing", "gw/terminate-with-tls-route", "gw/passthrough-with-http-route", "gw/404-shared-cert", "net/short-host", "net/rewrite-slashes", "net/route-shadowed", "k8sgw/revision-pin", "net/no-route", "k8sgw/route-not-accepted", "k8sgw/route-refs", "res/sidecar-cuts-traffic"])),
    (Symptom::Forbidden, "403 RBAC: access denied", &all_named(["sec/authz-observed", "sec/authz-deny-all", "sec/authz-allow-exists", "sec/authz-http-on-tcp", "sec/authz-needs-mtls", "sec/jwt-principal", "sec/authz-ipblocks", "sec/authz-unknown-source", "sec/authz-custom", "meshcfg/trust-domain"])),
    (Symptom::Unauthorized, "401 Unauthorized", &all_named(["sec/jwt-issuer", "sec/jwks-unreachable", "sec/jwks-in-mesh"])),
    (Symptom::UpgradeRequired, "426 Upgrade Required", &all_named(["net/http10-upstream", "net/websocket", "net/h2-upgrade"])),
    (Symptom::BadGateway, "502 towards hosts outside", &all_named(["egress/registry-only", "egress/proxy-no-serviceentry", "egress/proxy-serviceentry-wrong", "dns/se-unresolvable", "net/double-tls-egress"])),
    (Symptom::TimedOut, "504, or requests that time out", &all_named(["net/timeout", "net/server-first", "net/networkpolicy-app", "net/hbone-closed", "gw/health-probe", "gw/nsg", "net/upstream-reset"])),
    (Symptom::Reset, "Connections are reset, or answers are empty", &all_named(["sec/strict-plain-client", "sec/strict-plain-callers", "net/not-injected-client", "gw/sni", "gw/secret-missing", "gw/no-listener", "gw/selector-mismatch", "net/protocol-mismatch"])),
    (Symptom::IngressUnreachable, "The ingress cannot be reached from outside", &all_named(["gw/not-enabled", "gw/no-ip", "gw/pods-not-ready", "gw/service-selector", "gw/selector-mismatch", "gw/no-listener", "gw/port-not-on-service", "gw/health-probe", "gw/local-traffic-policy", "gw/allowed-ip-ranges", "gw/nsg"])),
    (Symptom::IngressTls, "TLS errors at the ingress", &all_named(["gw/secret-missing", "gw/secret-invalid", "gw/secret-not-synced", "gw/cert-expired", "gw/cert-hostname", "gw/cert-chain", "gw/tls-no-options"])),
    (Symptom::NoEffect, "Routes, weights or policies have no effect", &all_named(["net/not-injected-client", "net/port-naming", "net/vs-unreachable", "net/vs-conflict", "net/route-shadowed", "net/no-waypoint", "cni/ambient-redirection", "k8sgw/revision-pin", "net/ingress-rules-no-effect", "net/subset-policy-idle", "net/dr-not-visible", "net/exportto-hidden", "cp/proxy-stale", "cp/xds-rejected", "net/rules-not-seen", "net/envoyfilter-invalid", "net/selector-empty", "sec/authz-selector", "sec/peerauth-rootns", "obs/telemetry-wrong-root", "net/dr-host-unknown"])),
    (Symptom::MeshConfigNoEffect, "The mesh configuration has no effect", &all_named(["meshcfg/shared-misnamed", "meshcfg/shared-missing-for-revision", "meshcfg/no-mesh-key", "meshcfg/bad-yaml", "meshcfg/unknown-field", "meshcfg/wrong-level", "meshcfg/overridden", "meshcfg/default-edited", "inject/outdated-settings", "meshcfg/annotation-override"])),
    (Symptom::Resources, "Proxies use much memory or CPU", &all_named(["res/no-sidecar-scope", "res/config-large", "res/stats-wide", "res/cardinality", "res/concurrency-zero", "res/sidecar-wrong-root", "res/discovery-selectors-absent", "res/access-log-cost", "res/tracing-sampling"])),
    (Symptom::Dns, "Names are not resolved", &all_named(["dns/coredns-overload", "dns/coredns-crash", "dns/strict-dns-many", "dns/custom-config", "dns/nxdomain-amplification", "dns/se-unresolvable"])),
    (Symptom::ApplyFails, "Objects of Istio cannot be applied", &all_named(["val/ca-bundle", "val/no-endpoints", "val/timeout", "meshcfg/blocked-field", "cp/blocked-cr", "obs/telemetry-blocked", "k8sgw/configmap-field", "upg/newer-validates", "cp/crds-missing"])),
    (Symptom::UpgradeStuck, "An upgrade does not proceed", &all_named(["upg/third-revision", "upg/skip", "upg/cluster-first", "cp/revision-k8s-incompatible", "upg/downgrade"])),
    (Symptom::EgressGatewayStuck, "The egress gateway does not start", &all_named(["egress/sgc-missing", "egress/sgc-no-prefix", "egress/no-gateway-pool", "egress/controllers", "egress/pod-subnet"])),
];

impl Symptom {
    /// Its row of the table; one without problems of its own has none.
    pub(crate) fn row(self) -> (Self, &'static str, &'static [&'static Problem]) {
        let found = SYMPTOMS.iter().find(|(symptom, ..)| *symptom == self).copied();
        found.unwrap_or((self, "", &[]))
    }

    /// In a user's words.
    pub(crate) fn title(self) -> &'static str {
        let found = SYMPTOMS.iter().find(|(symptom, ..)| *symptom == self);
        found.map_or("No symptom yet, or worth knowing", |(_, title, _)| title)
    }

    /// What the problems of these ids are felt as.
    pub(crate) fn of_problems(ids: &[&str]) -> Vec<Self> {
        let caused = SYMPTOMS
            .iter()
            .filter(|(_, _, problems)| ids.iter().any(|id| problems.iter().any(|problem| problem.id == *id)));
        let mut symptoms: Vec<Self> = caused.map(|(symptom, ..)| *symptom).collect();
        if symptoms.is_empty() {
            symptoms.push(Self::Latent);
        }
        symptoms
    }

    /// What a status of a failed request is felt as.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            426 => Self::UpgradeRequired,
            502 => Self::BadGateway,
            504 | 408 => Self::TimedOut,
            0 => Self::Reset,
            _ => Self::ServiceUnavailable,
        }
    }
}
