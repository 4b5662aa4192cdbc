//! `istioctl analyze` over the API: the cluster, proposed YAML on top of it, and YAML alone.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    app::{Answered, TestApp},
    recording_path,
};

const PROPOSED: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: proposed
  namespace: shop
spec:
  hosts: [cart.shop.svc.cluster.local]
  http:
  - route:
    - destination:
        host: nowhere.shop.svc.cluster.local
";

async fn post_yaml(app: &TestApp, path: &str, yaml: &str) -> Answered {
    let request = Request::post(path).header("content-type", "application/yaml").body(Body::from(yaml.to_owned()));
    app.send(request.unwrap()).await
}

fn codes(answer: &Value) -> Vec<&str> {
    answer["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn compatible_text_is_istioctls() {
    let app = TestApp::over("broken");
    let answer = app.get("/v1/istioctl/analyze?compatible=true&revision=asm-1-30&all_namespaces=true&format=raw").await;
    let mut ours: Vec<_> = answer.text.lines().collect();
    let expected = std::fs::read_to_string(recording_path("broken/istioctl/analyze-30-all.txt")).unwrap();
    let mut theirs: Vec<_> = expected.lines().collect();
    ours.sort_unstable();
    theirs.sort_unstable();
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn proposed_objects_show_only_what_they_add() {
    let app = TestApp::over("broken");
    let answer = post_yaml(&app, "/v1/istioctl/analyze?only_new=true", PROPOSED).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(codes(&answer), ["IST0101"], "{answer:#}");
    let finding = &answer["findings"][0];
    assert_eq!(finding["subject"]["name"], "proposed");
    assert_eq!(finding["subject"]["file"], "request.yaml:11");
    assert_eq!(answer["data"]["failing"], true);

    let all = post_yaml(&app, "/v1/istioctl/analyze", PROPOSED).await.json();
    assert!(codes(&all).len() > 5);
}

#[tokio::test]
async fn files_can_be_judged_alone() {
    let app = TestApp::over("healthy");
    let body = json!({ "alone": true, "files": [{ "name": "vs.yaml", "content": PROPOSED }] });
    let answer = app.post("/v1/istioctl/analyze", &body).await.json();
    assert_eq!(answer["findings"][0]["subject"]["file"], "vs.yaml:11");
    let run = app.get(answer["run"]["links"]["self"].as_str().unwrap()).await.json();
    assert_eq!(run["inputs"]["files"], json!([{ "name": "vs.yaml" }]), "the documents are not kept");
}

#[tokio::test]
async fn what_is_suppressed_is_counted_and_shown_on_request() {
    let app = TestApp::over("broken");
    let path = "/v1/istioctl/analyze?show_suppressed=true&suppress=IST0101%3DVirtualService%20shop%2F*";
    let answer = app.get(path).await.json();
    let hidden = answer["data"]["suppressed"]["findings"].as_array().unwrap();
    assert_eq!(answer["data"]["suppressed"]["count"], hidden.len());
    assert!(hidden.iter().all(|finding| finding["code"] == "IST0101") && hidden.len() >= 2, "{hidden:?}");
    let shown = answer["findings"].as_array().unwrap();
    assert!(!shown.iter().any(|f| f["code"] == "IST0101" && f["subject"]["kind"] == "VirtualService"));
}

#[tokio::test]
async fn wrong_inputs_are_named() {
    let app = TestApp::over("healthy");
    for (path, pointer) in [
        ("/v1/istioctl/analyze?suppress=nonsense", "/suppress/0"),
        ("/v1/istioctl/analyze?analyzer=none", "/analyzer/0"),
        ("/v1/istioctl/analyze?failure_threshold=bad", "/failure_threshold"),
        ("/v1/istioctl/analyze?only_new=true", "/only_new"),
        ("/v1/istioctl/analyze?namespace=shop&all_namespaces=true", "/all_namespaces"),
    ] {
        let answer = app.get(path).await;
        assert_eq!(answer.problem(), "validation_failed", "{path}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{path}");
    }
}

#[tokio::test]
async fn ci_formats_hold_every_finding() {
    let app = TestApp::over("broken");
    let found = app.get("/v1/istioctl/analyze").await.json();
    let count = found["findings"].as_array().unwrap().len();
    let skipped = found["skipped"].as_array().unwrap().len();
    let sarif = app.get("/v1/istioctl/analyze?format=sarif").await.json();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), count);
    let junit = app.get("/v1/istioctl/analyze?format=junit").await;
    assert_eq!(junit.headers["content-type"], "application/xml; charset=utf-8");
    assert_eq!(junit.text.matches("<testcase").count(), count + skipped);
    assert_eq!(junit.text.matches("<skipped").count(), skipped);
}

/// `kubectl apply` puts an object that names no namespace into `default`, so that is where its short hosts lead to.
#[tokio::test]
async fn proposed_object_without_namespace_belongs_to_the_one_that_is_named() {
    let app = TestApp::over("healthy");
    let service = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: proposed}\n\
        spec: {hosts: [cart], http: [{route: [{destination: {host: cart}}]}]}\n";
    let body = |namespace: &str| {
        json!({ "files": [{ "name": "v.yaml", "content": service }], "only_new": true,
        "namespace": [namespace] })
    };
    let of_proposed = async |namespace: &str| {
        let answer = app.post("/v1/istioctl/analyze", &body(namespace)).await.json();
        let findings = answer["findings"].as_array().unwrap().clone();
        findings.into_iter().filter(|it| it["subject"]["name"] == "proposed").collect::<Vec<_>>()
    };
    assert_eq!(of_proposed("shop").await, Vec::<serde_json::Value>::new());
    let elsewhere = of_proposed("tools").await;
    assert_eq!(elsewhere[0]["code"], "IST0101");
    assert_eq!(elsewhere[0]["subject"]["namespace"], "tools");
}
