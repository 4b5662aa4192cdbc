use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::resource_status::object::Object;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The webhook of a revision, as Istio's chart writes it.
fn injector(revision: &str, policy: &str) -> WebhookConfiguration {
    let service = json!({"service": {"namespace": "istio-system", "name": format!("istiod-{revision}")},
        "caBundle": "LS0t"});
    let value = json!({
        "metadata": {"name": format!("istio-sidecar-injector-{revision}"), "labels": {"istio.io/rev": revision}},
        "webhooks": [
            {"name": "rev.namespace.sidecar-injector.istio.io", "failurePolicy": policy, "clientConfig": service,
             "namespaceSelector": {"matchExpressions": [
                {"key": "istio.io/rev", "operator": "In", "values": [revision]},
                {"key": "istio-injection", "operator": "DoesNotExist"}]},
             "objectSelector": {"matchExpressions": [
                {"key": "sidecar.istio.io/inject", "operator": "NotIn", "values": ["false"]}]}},
            {"name": "rev.object.sidecar-injector.istio.io", "failurePolicy": policy, "clientConfig": service,
             "namespaceSelector": {"matchExpressions": [
                {"key": "istio.io/rev", "operator": "DoesNotExist"},
                {"key": "istio-injection", "operator": "DoesNotExist"}]},
             "objectSelector": {"matchExpressions": [
                {"key": "sidecar.istio.io/inject", "operator": "NotIn", "values": ["false"]},
                {"key": "istio.io/rev", "operator": "In", "values": [revision]}]}},
        ],
    });
    WebhookConfiguration::of(&Object::new("MutatingWebhookConfiguration", value)).unwrap()
}

fn alive(revisions: &[&str]) -> Backends {
    let service =
        |revision: &&str| ServiceOf { namespace: "istio-system".to_owned(), name: format!("istiod-{revision}") };
    Backends {
        services: Ok(revisions.iter().map(service).collect()),
        ready: Ok(revisions.iter().map(|revision| (service(revision), 1)).collect()),
        roots: Ok(BTreeMap::new()),
    }
}

fn fate(space: &[(&str, &str)], pod: &[(&str, &str)], alive_revisions: &[&str], policy: &str) -> Fate {
    let known = [injector("a-1", policy), injector("a-2", policy)];
    let (labels, annotations) = (labels(pod), Labels::new());
    let shape = PodShape { namespace: "shop", labels: &labels, annotations: &annotations, host_network: false };
    judge(&known, &self::labels(space), shape, &alive(alive_revisions), |_| None).fate
}

#[test]
fn selectors_and_webhooks_decide_together() {
    let both = ["a-1", "a-2"];
    assert_eq!(fate(&[("istio.io/rev", "a-1")], &[], &both, "Fail"), Fate::Injected);
    assert_eq!(fate(&[], &[("istio.io/rev", "a-2")], &both, "Fail"), Fate::Injected);
    assert_eq!(fate(&[("istio-injection", "enabled")], &[], &both, "Fail"), Fate::NotSelected);
    assert_eq!(fate(&[("istio.io/rev", "a-1"), ("istio-injection", "x")], &[], &both, "Fail"), Fate::NotSelected);
    assert_eq!(fate(&[("istio.io/rev", "a-1")], &[], &["a-2"], "Fail"), Fate::CannotBeCreated);
    assert_eq!(fate(&[("istio.io/rev", "a-1")], &[], &["a-2"], "Ignore"), Fate::CreatedWithoutSidecar);
    let refused = [("sidecar.istio.io/inject", "no")];
    assert_eq!(fate(&[("istio.io/rev", "a-1")], &refused, &both, "Fail"), Fate::Refused);
}

#[test]
fn failing_expressions_are_shown() {
    let known = injector("a-1", "Fail");
    let failing = known.webhooks[0].namespace_selector.failing(&labels(&[("istio-injection", "enabled")]), "namespace");
    assert_eq!(
        failing,
        [
            "istio.io/rev in (a-1), but the namespace has no label istio.io/rev",
            "istio-injection does not exist, but the namespace has istio-injection=enabled"
        ]
    );
}

#[test]
fn the_injector_has_rules_of_its_own() {
    let config = |text: &str| {
        let map = json!({"data": {"config": format!("{text}\ntemplates:\n  sidecar: |\n    {{{{ this is no YAML")}});
        InjectorConfig::of(&Object::new("ConfigMap", map)).unwrap()
    };
    let enabled =
        config("policy: enabled\nneverInjectSelector:\n- matchLabels: {job: \"yes\"}\nalwaysInjectSelector: []");
    let disabled =
        config("policy: disabled\nalwaysInjectSelector:\n- matchExpressions: [{key: team, operator: Exists}]");
    let why = |pod: &[(&str, &str)], config: &InjectorConfig, namespace: &str, host_network: bool| {
        let (labels, annotations) = (labels(pod), Labels::new());
        let shape = PodShape { namespace, labels: &labels, annotations: &annotations, host_network };
        injector::refusal(shape, Some(config)).map(|refusal| refusal.why)
    };
    assert_eq!(why(&[], &enabled, "shop", false), None);
    assert_eq!(why(&[("sidecar.istio.io/inject", "true")], &enabled, "shop", true), Some(Why::HostNetwork));
    assert_eq!(why(&[], &enabled, "kube-system", false), Some(Why::IgnoredNamespace));
    assert_eq!(why(&[("job", "yes")], &enabled, "shop", false), Some(Why::NeverSelector));
    assert_eq!(why(&[("job", "yes"), ("sidecar.istio.io/inject", "On")], &enabled, "shop", false), None);
    assert_eq!(why(&[], &disabled, "shop", false), Some(Why::Policy));
    assert_eq!(why(&[("team", "a")], &disabled, "shop", false), None);
    assert_eq!(why(&[("sidecar.istio.io/inject", "maybe")], &disabled, "shop", false), Some(Why::OptedOut));
}

#[test]
fn the_ca_bundle_must_hold_the_root() {
    use base64::Engine as _;
    let pem = |text: &str| {
        let body = base64::engine::general_purpose::STANDARD.encode(text);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    };
    let mut webhook = injector("a-1", "Fail").webhooks.remove(0);
    let mut backends = alive(&["a-1"]);
    backends.roots = Ok(BTreeMap::from([("istio-system".to_owned(), certificates(&(pem("old") + &pem("new"))))]));
    webhook.ca_bundle = base64::engine::general_purpose::STANDARD.encode(pem("new").replace('\n', "\r\n"));
    assert_eq!(backends.troubles(&webhook), []);
    webhook.ca_bundle = base64::engine::general_purpose::STANDARD.encode(pem("other"));
    assert_eq!(backends.troubles(&webhook), [Trouble::ForeignCa("istio-system".to_owned())]);
    webhook.ca_bundle = String::new();
    assert_eq!(backends.troubles(&webhook), [Trouble::NoCaBundle]);
}

#[test]
fn what_could_not_be_read_is_no_trouble() {
    let unread = || report::Skipped::new("services", "forbidden");
    let backends = Backends { services: Err(unread()), ready: Err(unread()), roots: Err(unread()) };
    assert_eq!(backends.troubles(&injector("a-1", "Fail").webhooks[0]), []);
}

#[test]
fn revisions_have_an_order() {
    assert_eq!(newest(["asm-1-9", "asm-1-30", "asm-1-28"]), Some("asm-1-30"));
    assert_eq!(newest(["default"]), Some("default"));
    assert_eq!(newest([]), None);
    assert!(numbers("asm-99999999999999999999-1") > numbers("asm-1-30"));
}

#[test]
fn hostile_webhooks_are_read() {
    for value in [
        json!(null),
        json!({"webhooks": null}),
        json!({"webhooks": [null, 3, {"name": 4}]}),
        json!({"metadata": {"labels": []}, "webhooks": [{"name": "x.istio.io", "clientConfig": {"service": [], "caBundle": 3},
            "namespaceSelector": {"matchExpressions": [null, {"key": null, "operator": "In", "values": "a"}]},
            "objectSelector": "all"}]}),
    ] {
        if let Some(found) = WebhookConfiguration::of(&Object::new("MutatingWebhookConfiguration", value)) {
            assert!(found.selecting(&Labels::new(), &Labels::new()).is_none());
        }
    }
    let deep = (0..200).fold(Value::Null, |inner, _| json!([inner]));
    let map = Object::new("ConfigMap", json!({"data": {"config": deep.to_string()}}));
    assert!(InjectorConfig::of(&map).is_none());
}
