//! Judges the pods of revisions written here.

use std::sync::Arc;

use serde_json::json;

use super::*;

const IMAGE: &str = "mcr.microsoft.com/oss/v2/istio/pilot:1.30.3";

fn istiod(name: &str, node: &str, image: &str, ready: bool) -> Object {
    Object::new(
        "Pod",
        json!({
        "metadata": {"namespace": "aks-istio-system", "name": name, "labels": {"app": "istiod", "istio.io/rev": "asm-1-30"}},
        "spec": {"nodeName": node, "containers": [{"name": "discovery", "image": image}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]}}),
    )
}

fn in_namespace(mut object: Object, namespace: &str) -> Object {
    Arc::make_mut(&mut object.value)["metadata"]["namespace"] = json!(namespace);
    object
}

fn judge(pods: Vec<Object>, wanted: Option<i64>, input: &IstiodPodsInput) -> Vec<String> {
    let deployments = wanted.map(|wanted| {
        let namespace = pods.first().and_then(Object::namespace).unwrap_or("aks-istio-system");
        Object::new(
            "Deployment",
            json!({"metadata": {"namespace": namespace, "name": "istiod-asm-1-30",
            "labels": {"app": "istiod", "istio.io/rev": "asm-1-30"}}, "spec": {"replicas": wanted}}),
        )
    });
    let lists = BTreeMap::from([
        ("Pod".to_owned(), pods.clone()),
        ("Deployment".to_owned(), deployments.into_iter().collect()),
    ]);
    let family = Family::new(lists, "2026-01-01T12:00:00Z".parse().unwrap());
    let evidence = IstiodPodsEvidence { scope: Scope::All, pods, only: None, family, skipped: Vec::new() };
    let findings = IstiodPods::judge(input, evidence).findings;
    findings.iter().map(|finding| format!("{} {:?}", finding.code, finding.severity)).collect()
}

fn check(pods: Vec<Object>, wanted: Option<i64>, expected: &[&str]) {
    assert_eq!(judge(pods, wanted, &IstiodPodsInput::default()), expected);
}

#[test]
fn two_replicas_apart_are_well() {
    check(vec![istiod("a", "n1", IMAGE, true), istiod("b", "n2", IMAGE, true)], Some(2), &[]);
}

#[test]
fn few_replicas_are_reported_by_what_is_left() {
    check(vec![istiod("a", "n1", IMAGE, true), istiod("b", "n2", IMAGE, false)], Some(2), &["K8S0070 Warning"]);
    check(vec![istiod("a", "n1", IMAGE, false)], Some(2), &["K8S0070 Error"]);
    // Elsewhere than on the add-on one replica may be meant.
    check(vec![in_namespace(istiod("a", "n1", IMAGE, true), "istio-system")], Some(1), &["K8S0070 Info"]);
    check(vec![istiod("a", "n1", IMAGE, true)], Some(1), &["K8S0070 Warning"]);
}

#[test]
fn deployment_without_a_pod_is_a_revision_too() {
    check(Vec::new(), Some(2), &["K8S0070 Error"]);
    check(Vec::new(), None, &["K8S0073 Error"]);
}

#[test]
fn selector_says_nothing_about_how_many_there_are() {
    let input = IstiodPodsInput { selector: Some("x=y".to_owned()), ..IstiodPodsInput::default() };
    assert!(judge(vec![istiod("a", "n1", IMAGE, true)], Some(2), &input).is_empty());
}

#[test]
fn replicas_on_one_node_are_reported() {
    check(vec![istiod("a", "n1", IMAGE, true), istiod("b", "n1", IMAGE, true)], Some(2), &["K8S0072 Warning"]);
}

#[test]
fn images_are_compared_with_each_other_with_the_revision_and_with_the_registry() {
    let other = "mcr.microsoft.com/oss/v2/istio/pilot:1.30.4";
    check(vec![istiod("a", "n1", IMAGE, true), istiod("b", "n2", other, true)], Some(2), &["K8S0071 Warning"]);
    let older = "mcr.microsoft.com/oss/v2/istio/pilot:1.29.6-distroless";
    check(vec![istiod("a", "n1", older, true), istiod("b", "n2", older, true)], Some(2), &["AKS0004 Warning"]);
    let foreign = "docker.io/istio/pilot:1.30.3";
    let pods = vec![istiod("a", "n1", foreign, true), istiod("b", "n2", foreign, true)];
    check(pods.clone(), Some(2), &["AKS0003 Error", "AKS0003 Error"]);
    check(pods.into_iter().map(|pod| in_namespace(pod, "istio-system")).collect(), Some(2), &[]);
}

#[test]
fn other_pods_of_the_add_ons_namespace_are_worth_knowing() {
    let mut other = istiod("own-app", "n1", IMAGE, true);
    Arc::make_mut(&mut other.value)["metadata"]["labels"] = json!({"app": "mine"});
    let agent = {
        let mut agent = other.clone();
        Arc::make_mut(&mut agent.value)["metadata"]["name"] = json!("azure-service-mesh-istio-cni-addon-node-x");
        agent
    };
    let pods = vec![istiod("a", "n1", IMAGE, true), istiod("b", "n2", IMAGE, true), agent];
    check(pods.clone(), Some(2), &[]);
    check(pods.into_iter().chain([other]).collect(), Some(2), &["K8S0074 Info"]);
}

#[test]
fn versions_are_read_from_tags() {
    assert_eq!(view::version("mcr.microsoft.com/a/pilot:1.29.6-distroless"), Some("1.29.6"));
    assert_eq!(view::version("localhost:5000/pilot"), None);
    assert_eq!(view::version("docker.io/istio/pilot:1.30.3@sha256:abc"), Some("1.30.3"));
    assert_eq!(view::version("pilot:latest"), None);
    assert_eq!(view::version(""), None);
}
