//! Judges definitions written here: what is missing, left over, foreign, blocked.

use serde_json::json;

use super::*;

fn definition(name: &str, kind: &str, more: &Value) -> Object {
    let (plural, group) = name.split_once('.').unwrap();
    let mut value = json!({
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T10:00:00Z", "labels": {"app.kubernetes.io/managed-by": "Helm"}},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
            "versions": [{"name": "v1", "served": true, "storage": true}]},
        "status": {"storedVersions": ["v1"], "conditions": [{"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "True"}]}});
    merge(&mut value, more);
    Object::new("CustomResourceDefinition", value)
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

fn whole_set() -> Vec<Object> {
    EXPECTED.iter().map(|name| definition(name, &name.split('.').next().unwrap().to_uppercase(), &json!({}))).collect()
}

fn judge(crds: Vec<Object>, objects: &[(&str, usize)], on_add_on: bool) -> Vec<(String, String)> {
    let objects = objects.iter().map(|(name, count)| ((*name).to_owned(), Ok((*count, vec!["shop/x".to_owned()]))));
    let evidence = CrdsEvidence {
        crds,
        table: Ok(PrintedTable::default()),
        objects: objects.collect(),
        on_add_on: Ok(on_add_on),
        now: "2026-01-01T12:00:00Z".parse().unwrap(),
    };
    let judgement = Crds::judge(&CrdsInput::default(), evidence);
    judgement.findings.iter().map(|finding| (finding.code.to_string(), finding.subject.name.clone())).collect()
}

fn check(changed: &Object, on_add_on: bool, expected: &[&str]) {
    let mut crds = whole_set();
    crds.retain(|crd| crd.name() != changed.name());
    crds.push(changed.clone());
    let codes: Vec<String> = judge(crds, &[], on_add_on).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, expected);
}

const SIDECARS: &str = "sidecars.networking.istio.io";

#[test]
fn whole_set_is_quiet() {
    assert!(judge(whole_set(), &[("envoyfilters.networking.istio.io", 0)], true).is_empty());
}

#[test]
fn missing_definition_is_named() {
    let mut crds = whole_set();
    crds.retain(|crd| crd.name() != SIDECARS);
    assert_eq!(judge(crds, &[], true), [("K8S0050".to_owned(), SIDECARS.to_owned())]);
    assert_eq!(judge(Vec::new(), &[], false).len(), EXPECTED.len());
}

#[test]
fn definition_that_is_not_served_is_named() {
    let clash = json!({"status": {"conditions": [{"type": "NamesAccepted", "status": "False", "reason": "PluralConflict", "message": "taken"}]}});
    check(&definition(SIDECARS, "Sidecar", &clash), false, &["K8S0051"]);
    check(&definition(SIDECARS, "Sidecar", &json!({"status": null})), false, &["K8S0051"]);
}

#[test]
fn owner_counts_on_the_add_on_only() {
    let helm = json!({"metadata": {"annotations": {"meta.helm.sh/release-name": "istio-base"}}});
    check(&definition(SIDECARS, "Sidecar", &helm), true, &["K8S0052"]);
    check(&definition(SIDECARS, "Sidecar", &helm), false, &[]);
    let own = json!({"metadata": {"annotations": {"meta.helm.sh/release-name": "azure-service-mesh-istio-base"}}});
    check(&definition(SIDECARS, "Sidecar", &own), true, &[]);
    let sailor = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "sailor-operator"}}});
    check(&definition(SIDECARS, "Sidecar", &sailor), true, &["K8S0052"]);
}

#[test]
fn leftover_version_and_deletion_are_named() {
    let left = json!({"status": {"storedVersions": ["v1alpha3", "v1"]}});
    check(&definition(SIDECARS, "Sidecar", &left), false, &["K8S0053"]);
    let going = json!({"metadata": {"deletionTimestamp": "2026-01-01T11:00:00Z"}});
    check(&definition(SIDECARS, "Sidecar", &going), false, &["K8S0054"]);
}

#[test]
fn bundles_of_the_gateway_api_must_agree() {
    let of = |version: &str| {
        json!({"metadata": {"annotations": {
        "gateway.networking.k8s.io/bundle-version": version, "gateway.networking.k8s.io/channel": "standard"}}})
    };
    let mut crds = whole_set();
    crds.push(definition("gatewayclasses.gateway.networking.k8s.io", "GatewayClass", &of("v1.5.1")));
    assert!(judge(crds.clone(), &[], false).is_empty());
    crds.push(definition("httproutes.gateway.networking.k8s.io", "HTTPRoute", &of("v1.2.0")));
    assert_eq!(judge(crds, &[], false), [("K8S0055".to_owned(), GATEWAY_API.to_owned())]);
}

#[test]
fn one_kind_of_two_groups_is_worth_knowing() {
    let mut crds = whole_set();
    crds.push(definition("gateways.gateway.networking.k8s.io", "GATEWAYS", &json!({})));
    assert_eq!(judge(crds, &[], false), [("K8S0030".to_owned(), "GATEWAYS".to_owned())]);
}

#[test]
fn blocked_kinds_count_on_the_add_on_only() {
    let name = "wasmplugins.extensions.istio.io";
    let mut crds = whole_set();
    crds.retain(|crd| crd.name() != name && !crd.name().starts_with("envoyfilters"));
    crds.push(definition(name, "WasmPlugin", &json!({})));
    crds.push(definition("envoyfilters.networking.istio.io", "EnvoyFilter", &json!({})));
    let found = [(name, 2), ("envoyfilters.networking.istio.io", 1)];
    let codes: Vec<String> = judge(crds.clone(), &found, true).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["AKS0002", "AKS0001"]);
    assert!(judge(crds, &found, false).is_empty());
}
