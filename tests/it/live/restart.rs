//! The steps that change a cluster, where controllers run: pods are deleted and come back, Deployments roll.

use std::sync::OnceLock;

use axum::body::Body;
use http::{Request, StatusCode};
use meshtriage::auth::{Identify, Keys};
use serde_json::{Value, json};

use crate::support::{
    app::{Answered, TestApp, app},
    lab::{self, Lab},
    needs,
};

/// Makes the service's own account, with the permission to restart, and waits until its Deployment has rolled out.
fn deploy() {
    static DEPLOYED: OnceLock<()> = OnceLock::new();
    DEPLOYED.get_or_init(|| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
        lab::kubectl(Lab::Empty, &["apply", "--kustomize", &format!("{folder}/overlays/postgres")]);
        lab::kubectl(Lab::Empty, &["apply", "--filename", &format!("{folder}/components/actions/role-actions.yaml")]);
        rolled_out("meshtriage", "meshtriage");
    });
}

fn rolled_out(namespace: &str, deployment: &str) {
    let deployment = format!("deployment/{deployment}");
    lab::kubectl(Lab::Empty, &["rollout", "status", &deployment, "--namespace", namespace, "--timeout=60s"]);
}

/// The service with its own roles.
async fn service() -> TestApp {
    deploy();
    let token = lab::token_of(&lab::client(Lab::Empty).await, "meshtriage", "meshtriage", &[]).await;
    let own = lab::client_with(Lab::Empty, &token).await;
    let identify = Identify::kubernetes(own.clone(), Vec::new(), Keys::default());
    TestApp::new(app(lab::cluster_through(Lab::Empty, own), identify))
}

/// A namespace of its own with two ready pods of istiod.
fn istiod() -> String {
    let namespace = format!("mesh-{}", uuid::Uuid::now_v7().simple());
    let labels = json!({"app": "istiod", "istio.io/rev": "asm-1-30"});
    let objects = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "istiod-asm-1-30", "namespace": namespace, "labels": labels},
            "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": {
                "metadata": {"labels": labels}, "spec": {"containers": [{"name": "discovery", "image": "istiod"}]}}}},
    ]});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), objects.to_string()).unwrap();
    lab::kubectl(Lab::Empty, &["apply", "--filename", file.path().to_str().unwrap()]);
    rolled_out(&namespace, "istiod-asm-1-30");
    namespace
}

fn pods(namespace: &str) -> Vec<String> {
    let names = lab::kubectl(Lab::Empty, &["get", "pods", "--namespace", namespace, "--output", "name"]);
    names.lines().map(|name| name.trim_start_matches("pod/").to_owned()).collect()
}

async fn post(service: &TestApp, token: &str, path: &str, body: &Value) -> Answered {
    let request = Request::post(path).header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/json");
    service.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn may_restart() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "delete"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]},
        {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list"]},
        {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["list"]},
    ])
}

#[tokio::test]
async fn deleted_istiod_comes_back() {
    needs!(Servers);
    let service = service().await;
    let namespace = istiod();
    let token = lab::token(Lab::Empty, "restarts", &namespace, may_restart()).await;
    let before = pods(&namespace);
    let mut body = json!({"namespace": namespace, "pod": before[0], "reason": "test", "dry_run": true});
    let path = "/v1/kubectl/bounce-pod";

    let dry = post(&service, &token, path, &body).await;
    assert_eq!(dry.status, StatusCode::OK, "{}", dry.text);
    assert_eq!(pods(&namespace), before);

    body["dry_run"] = json!(false);
    let done = post(&service, &token, path, &body).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    let data = &done.json()["data"];
    assert_eq!(data["ready"], json!(true), "{}", done.text);
    let after = pods(&namespace);
    assert!(!after.contains(&before[0]) && after.contains(&before[1]), "{before:?} {after:?}");
    assert!(after.iter().any(|pod| data["replacement"] == json!(pod)), "{after:?} {}", done.text);
}

#[tokio::test]
async fn deployment_of_istiod_rolls() {
    needs!(Servers);
    let service = service().await;
    let namespace = istiod();
    let token = lab::token(Lab::Empty, "restarts", &namespace, may_restart()).await;
    let before = pods(&namespace);
    let body = json!({"namespace": namespace, "deployment": "istiod-asm-1-30", "reason": "test", "dry_run": false});
    let done = post(&service, &token, "/v1/kubectl/restart-deployment", &body).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    rolled_out(&namespace, "istiod-asm-1-30");
    let after = pods(&namespace);
    assert!(after.iter().all(|pod| !before.contains(pod)), "{before:?} {after:?} {}", done.text);
    let annotation = "jsonpath={.spec.template.metadata.annotations.kubectl\\.kubernetes\\.io/restartedAt}";
    let deployment = ["get", "deployment", "istiod-asm-1-30", "--namespace", &namespace, "--output", annotation];
    assert!(!lab::kubectl(Lab::Empty, &deployment).is_empty());
}

#[tokio::test]
async fn who_may_only_read_restarts_nothing() {
    needs!(Servers);
    let service = service().await;
    let namespace = istiod();
    let rules = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]);
    let token = lab::token(Lab::Empty, "reads", &namespace, rules).await;
    let before = pods(&namespace);
    for dry_run in [true, false] {
        let pod = json!({"namespace": namespace, "pod": before[0], "reason": "test", "dry_run": dry_run});
        let answer = post(&service, &token, "/v1/kubectl/bounce-pod", &pod).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
        let deployment =
            json!({"namespace": namespace, "deployment": "istiod-asm-1-30", "reason": "test", "dry_run": dry_run});
        let answer = post(&service, &token, "/v1/kubectl/restart-deployment", &deployment).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
    }
    assert_eq!(pods(&namespace), before);
}
