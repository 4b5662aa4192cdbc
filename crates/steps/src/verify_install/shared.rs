//! What the revisions share: resource types, root certificates, node agents, and webhooks of revisions that are gone.

use std::collections::BTreeSet;

use super::{InstalledObject, ObjectState, gather::VerifyInstallEvidence, rollout};
use crate::{
    injection::{INJECTION, NEVER_INJECTED, REVISION, certificates},
    resource_status::object::{Object, text},
    two_roots,
};
use report::Finding;

/// The types that istiod reads, each with the version that must be served
/// (<https://istio.io/latest/docs/reference/config/>).
const TYPES: [(&str, &str); 14] = [
    ("authorizationpolicies.security.istio.io", "v1"),
    ("destinationrules.networking.istio.io", "v1"),
    ("envoyfilters.networking.istio.io", "v1alpha3"),
    ("gateways.networking.istio.io", "v1"),
    ("peerauthentications.security.istio.io", "v1"),
    ("proxyconfigs.networking.istio.io", "v1beta1"),
    ("requestauthentications.security.istio.io", "v1"),
    ("serviceentries.networking.istio.io", "v1"),
    ("sidecars.networking.istio.io", "v1"),
    ("telemetries.telemetry.istio.io", "v1"),
    ("virtualservices.networking.istio.io", "v1"),
    ("wasmplugins.extensions.istio.io", "v1alpha1"),
    ("workloadentries.networking.istio.io", "v1"),
    ("workloadgroups.networking.istio.io", "v1"),
];
/// Where istiod publishes the roots, in every namespace.
const ROOT: &str = "istio-ca-root-cert";
const NO_TYPE: &str = "objects of this type cannot be read or applied, and istiod waits for it";
const NO_ROOT: &str = "new proxies of the namespace cannot start: they have no root to check istiod's certificate with";
const OLD_ROOT: &str = "proxies of the namespace do not trust istiod, or the certificates that it issues";
const NO_AGENT: &str = "pods on nodes without it cannot start, or their traffic is not redirected";

pub(super) fn objects(evidence: &VerifyInstallEvidence) -> Vec<InstalledObject> {
    let mut objects = types(evidence);
    objects.extend(roots(evidence));
    objects.extend(agents(evidence));
    objects
}

fn unknown(kind: &str, name: &str, why: &str) -> InstalledObject {
    let mut row = InstalledObject::present(kind, None, name);
    row.state = ObjectState::Unknown;
    row.why = Some(why.to_owned());
    row
}

fn types(evidence: &VerifyInstallEvidence) -> Vec<InstalledObject> {
    const KIND: &str = "CustomResourceDefinition";
    let all = match evidence.list(KIND) {
        Ok(all) => all,
        Err(part) => return vec![unknown(KIND, "those of Istio", &part.why)],
    };
    let row = |(name, version): &(&str, &str)| {
        let row = InstalledObject::present(KIND, None, name);
        let Some(found) = all.iter().find(|found| found.name() == *name) else {
            return row.is(ObjectState::Missing, "it does not exist", NO_TYPE);
        };
        if found.has("/metadata/deletionTimestamp") {
            return row.is(ObjectState::Unhealthy, "it is being deleted, with all its objects", NO_TYPE);
        }
        // Written by hand or by a tool, it may not say; the API server always does.
        if found.condition("Established").is_some_and(|condition| !condition.is("True")) {
            return row.is(ObjectState::Unhealthy, "it is not established", NO_TYPE);
        }
        let served: Vec<&str> = found
            .list("/spec/versions")
            .iter()
            .filter(|version| version.get("served").and_then(serde_json::Value::as_bool) == Some(true))
            .map(|version| text(version, "/name"))
            .collect();
        if served.contains(version) {
            return row;
        }
        row.is(ObjectState::Drifted, format!("it serves {} and not {version}", served.join(", ")), NO_TYPE)
    };
    TYPES.iter().map(row).collect()
}

/// The root certificate, in the control plane's namespace and in each that is in the mesh.
fn roots(evidence: &VerifyInstallEvidence) -> Vec<InstalledObject> {
    let roots = match &evidence.roots {
        Ok(roots) => roots,
        Err(part) => return vec![unknown("ConfigMap", ROOT, &part.why)],
    };
    let Ok(namespaces) = evidence.list("Namespace") else {
        return Vec::new();
    };
    let in_mesh = |namespace: &&Object| {
        let labelled = namespace.label(REVISION).is_some() || namespace.label(INJECTION) == Some("enabled");
        let control_plane = evidence.places.iter().any(|place| place == namespace.name());
        (labelled || control_plane) && !NEVER_INJECTED.contains(&namespace.name())
    };
    let of = |namespace: &str| roots.iter().find(|map| map.name() == ROOT && map.namespace() == Some(namespace));
    let read = |map: &Object| certificates(text(&map.value, "/data/root-cert.pem"));
    let own: BTreeSet<Vec<u8>> = evidence.places.iter().filter_map(|place| of(place)).flat_map(read).collect();
    let row = |namespace: &Object| {
        let row = InstalledObject::present("ConfigMap", Some(namespace.name()), ROOT);
        let Some(found) = of(namespace.name()) else {
            return row.is(ObjectState::Missing, "it does not exist", NO_ROOT);
        };
        let certificates = read(found);
        if certificates.is_empty() {
            return row.is(ObjectState::Drifted, "it holds no certificate", NO_ROOT);
        }
        if !own.is_empty() && certificates.is_disjoint(&own) {
            return row.is(ObjectState::Drifted, "its certificates are not those of the control plane", OLD_ROOT);
        }
        row
    };
    namespaces.iter().filter(in_mesh).map(row).collect()
}

/// The CNI plug-in and ztunnel, where they are installed.
fn agents(evidence: &VerifyInstallEvidence) -> Vec<InstalledObject> {
    let is_agent = |found: &&Object| {
        found.label("k8s-app") == Some("istio-cni-node")
            || found.label("app") == Some("ztunnel")
            || matches!(found.name(), "istio-cni-node" | "ztunnel" | "azure-service-mesh-istio-cni-addon-node")
    };
    let row = |found: &Object| {
        let row = InstalledObject::present("DaemonSet", found.namespace(), found.name());
        match rollout::daemon_set(found) {
            Some(why) => row.is(ObjectState::Unhealthy, why, NO_AGENT),
            None => row,
        }
    };
    evidence.list("DaemonSet").unwrap_or_default().iter().filter(is_agent).map(row).collect()
}

/// Roots of namespaces of the mesh that have nothing in common.
pub(super) fn two_roots(evidence: &VerifyInstallEvidence) -> Option<Finding> {
    let roots = evidence.roots.iter().flatten().filter(|map| map.name() == ROOT);
    let roots = roots.map(|map| (map.namespace().unwrap_or_default(), text(&map.value, "/data/root-cert.pem")));
    two_roots::of_namespaces(roots, &evidence.places)
}

/// Whether a row says that a namespace has another root than the control plane.
pub(super) fn has_other_root(row: &InstalledObject) -> bool {
    row.kind == "ConfigMap" && row.consequence.as_deref() == Some(OLD_ROOT)
}
