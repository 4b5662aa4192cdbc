//! What can be wrong with the set of definitions.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{BLOCKED, EXPECTED, GATEWAY_API, installed_by, is_of_istio, is_shown};
use crate::resource_status::{
    ambiguous_kind, codes,
    object::{Object, list as items, text},
};
use report::{Evidence as Quote, Finding, Severity, Subject};

pub(super) fn missing(crds: &[Object]) -> Vec<String> {
    let is_there = |name: &str| crds.iter().any(|crd| crd.name() == name);
    EXPECTED.iter().filter(|name| !is_there(name)).map(|name| (*name).to_owned()).collect()
}

pub(super) fn is_missing(name: &str, of: usize) -> Finding {
    let message = if of == EXPECTED.len() {
        format!("{name} is not defined, nor is any other of Istio's types: Istio is not installed here")
    } else {
        format!("{name} is not defined, so istiod cannot watch it and nobody can create such objects")
    };
    Finding::new(&codes::CRD_IS_MISSING, Subject::cluster_wide("CustomResourceDefinition", name), message).remedy(
        "Reconcile the add-on (`az aks update -g <group> -n <cluster>`), or apply the CRDs of the installed version: `helm \
         upgrade istio-base istio/base -n istio-system`.",
    )
}

pub(super) fn not_established(crd: &Object) -> Option<Finding> {
    let unmet = |kind: &str| crd.condition(kind).filter(|condition| !condition.is("True"));
    let condition = unmet("NamesAccepted").or_else(|| unmet("Established"));
    let established = crd.condition("Established").is_some();
    if condition.is_none() && established {
        return None;
    }
    let why = condition
        .as_ref()
        .map_or("no condition Established yet".to_owned(), |c| format!("{}: {}", c.reason, c.message));
    let mut finding = Finding::new(
        &codes::CRD_IS_NOT_ESTABLISHED,
        crd.subject(),
        format!("the API server does not serve it ({why})"),
    );
    finding.evidence.extend(condition.map(|condition| condition.evidence()));
    Some(finding.remedy("Remove the definition that has taken its names, or correct what the condition says."))
}

pub(super) fn being_deleted(crd: &Object) -> Option<Finding> {
    let since = crd.text("/metadata/deletionTimestamp");
    (!since.is_empty()).then(|| {
        Finding::new(
            &codes::CRD_IS_BEING_DELETED,
            crd.subject(),
            format!("was deleted at {since}; its objects go with it"),
        )
        .evidence(Quote::new("metadata.deletionTimestamp", since))
        .remedy(format!(
            "Save what is left: `kubectl get {} -A -o yaml`. Then let it end and apply it again.",
            crd.name()
        ))
    })
}

/// A stored version that is not the storage version hinders the next update of the definition, all the more when the
/// definition no longer has it.
pub(super) fn leftover_version(crd: &Object) -> Option<Finding> {
    let versions = items(&crd.value, "/spec/versions");
    let storage = |version: &&Value| version.get("storage").and_then(Value::as_bool).unwrap_or(false);
    let storage = versions.iter().find(storage).map(|version| text(version, "/name"))?;
    let stored = items(&crd.value, "/status/storedVersions").iter().filter_map(Value::as_str);
    let old: Vec<&str> = stored.filter(|version| *version != storage).collect();
    if old.is_empty() {
        return None;
    }
    let gone: Vec<&str> =
        old.iter().copied().filter(|old| !versions.iter().any(|version| text(version, "/name") == *old)).collect();
    let message = format!("objects may still be stored as {}; the storage version is {storage}", old.join(", "));
    let mut finding = Finding::new(&codes::CRD_HAS_LEFTOVER_STORED_VERSION, crd.subject(), message)
        .evidence(Quote::new("status.storedVersions", old.join(", ")));
    if !gone.is_empty() {
        finding.severity = Severity::Error;
        finding.evidence.push(Quote::new("versions that the definition no longer has", gone.join(", ")));
    }
    let name = crd.name();
    Some(finding.remedy(format!(
        "`kubectl get {name} -A -o json | kubectl replace -f -`, then `kubectl patch crd {name} --subresource status --type \
         merge -p '{{\"status\":{{\"storedVersions\":[\"{storage}\"]}}}}'`"
    )))
}

/// On AKS the definitions are the add-on's. Its own chart is a Helm release too, named `azure-service-mesh…`.
pub(super) fn foreign(crd: &Object) -> Option<Finding> {
    let group = crd.text("/spec/group");
    if !is_of_istio(group) {
        return None;
    }
    let release = crd.annotation("meta.helm.sh/release-name").filter(|name| !name.contains("azure-service-mesh"));
    let manager = crd.label("app.kubernetes.io/managed-by").filter(|by| !matches!(*by, "Helm" | "aks" | "Flux"));
    let operator =
        crd.label("install.operator.istio.io/owning-resource").filter(|owner| !matches!(*owner, "" | "unknown"));
    let by_operator = crd.name() == "istiooperators.install.istio.io";
    let owner = match (release, manager, operator) {
        (Some(release), _, _) => format!("Helm release {release}"),
        (None, Some(manager), _) => manager.to_owned(),
        (None, None, Some(operator)) => format!("IstioOperator {operator}"),
        (None, None, None) if by_operator => "Istio's operator".to_owned(),
        (None, None, None) => return None,
    };
    let marks = installed_by(crd).into_iter().map(|(name, value)| format!("{name}={value}"));
    Some(
        Finding::new(
            &codes::CRD_BELONGS_TO_ANOTHER_INSTALLATION,
            crd.subject(),
            format!("belongs to {owner}, not to the AKS add-on"),
        )
        .evidence(Quote::new("labels and annotations", marks.collect::<Vec<_>>().join(", ")))
        .remedy("Remove the other control plane first; keep the definition as long as its objects are needed."),
    )
}

pub(super) fn bundles_differ(crds: &[Object]) -> Option<Finding> {
    let mut bundles: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for crd in crds.iter().filter(|crd| crd.text("/spec/group") == GATEWAY_API) {
        let version = crd.annotation("gateway.networking.k8s.io/bundle-version").unwrap_or("unknown");
        let channel = crd.annotation("gateway.networking.k8s.io/channel").unwrap_or("unknown");
        bundles.entry(format!("{version} ({channel})")).or_default().push(crd.name());
    }
    if bundles.len() < 2 {
        return None;
    }
    let names: Vec<&str> = bundles.keys().map(String::as_str).collect();
    let message = format!("definitions of the Gateway API come from {}", names.join(" and "));
    let mut finding =
        Finding::new(&codes::GATEWAY_API_BUNDLES_DIFFER, Subject::cluster_wide("APIGroup", GATEWAY_API), message);
    finding.evidence = bundles.iter().map(|(bundle, names)| Quote::new(bundle, names.join(", "))).collect();
    Some(finding.remedy("Apply all definitions of one release and channel."))
}

/// `gateway` is a kind of Istio's and of the Gateway API's.
pub(super) fn ambiguous_kinds(crds: &[Object]) -> Vec<Finding> {
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for crd in crds.iter().filter(|crd| is_shown(crd, None)) {
        kinds.entry(crd.text("/spec/names/kind")).or_default().push(crd.name());
    }
    kinds.into_iter().filter(|(_, names)| names.len() > 1).map(|(kind, names)| ambiguous_kind(kind, &names)).collect()
}

pub(super) fn in_use(crds: &[Object], name: &str, count: usize, first: &[String]) -> Option<Finding> {
    let kind = crds.iter().find(|crd| crd.name() == name)?.text("/spec/names/kind");
    let code = match kind {
        _ if count == 0 => return None,
        kind if BLOCKED.contains(&kind) => &codes::BLOCKED_KIND_IS_IN_USE,
        "EnvoyFilter" => &codes::ENVOY_FILTER_IS_IN_USE,
        _ => return None,
    };
    let blocked = BLOCKED.contains(&kind);
    let noun = if count == 1 { "object" } else { "objects" };
    let message = if blocked {
        format!("{count} {noun} of kind {kind}, which the AKS add-on does not allow")
    } else {
        format!("{count} {noun} of kind {kind}, which are outside the add-on's support")
    };
    let finding = Finding::new(code, Subject::cluster_wide("CustomResourceDefinition", name), message)
        .evidence(Quote::new("objects", first.join(", ")));
    Some(finding.remedy(match kind {
        "ProxyConfig" => "Use `defaultConfig` in the shared ConfigMap, or the annotation `proxy.istio.io/config`.",
        "WorkloadEntry" | "WorkloadGroup" => "Use a ServiceEntry with endpoints.",
        "WasmPlugin" => "Delete them; the add-on loads no WebAssembly.",
        "IstioOperator" => "Delete them: nothing acts on them.",
        _ => "Replace them by Telemetry, DestinationRule or fields of the mesh configuration where these can do it.",
    }))
}
