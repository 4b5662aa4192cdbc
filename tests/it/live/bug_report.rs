//! A bug report of a real API server holds what its caller may read and nothing else, and says what is missing.

use std::{collections::BTreeMap, path::Path};

use axum::body::Body;
use http::{Method, Request, StatusCode};
use meshtriage::auth::{Identify, Keys};
use serde_json::{Value, json};

use crate::bug_report::unpacked;
use crate::support::{
    app::{TestApp, app},
    lab::{self, Lab},
    needs, say,
};

/// The service, which itself may do everything.
async fn service() -> TestApp {
    let own = lab::client(Lab::Healthy).await;
    let identify = Identify::kubernetes(own.clone(), Vec::new(), Keys::default());
    TestApp::new(app(lab::cluster_through(Lab::Healthy, own), identify))
}

fn request(method: Method, path: &str, token: &str, body: &Value) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
}

/// The answer, and the archive's files.
async fn report(service: &TestApp, token: &str) -> (Value, BTreeMap<String, Vec<u8>>) {
    let started = service.send(request(Method::POST, "/v1/istioctl/bug-report", token, &json!({}))).await;
    assert_eq!(started.status, StatusCode::ACCEPTED, "{}", started.text);
    let run = started.headers["operation-location"].to_str().unwrap().to_owned();
    let result = format!("{run}/result?wait=50");
    let mut answer = service.send(request(Method::GET, &result, token, &Value::Null)).await;
    while answer.status == StatusCode::ACCEPTED {
        answer = service.send(request(Method::GET, &result, token, &Value::Null)).await;
    }
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["run"]["state"], "succeeded", "{}", answer.text);
    let path = format!("{run}/artifacts/bug-report.tar.gz");
    let (_, archive) = service.download(request(Method::GET, &path, token, &Value::Null)).await;
    (answer.json(), unpacked(archive.as_slice()))
}

fn read_only() -> Value {
    json!([
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]},
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_one_namespace_gets_a_report_of_it() {
    needs!(Servers);
    let service = service().await;
    let token = lab::token(Lab::Healthy, "reports-shop", "shop", read_only()).await;
    let (answer, files) = report(&service, &token).await;
    assert_eq!(answer["run"]["completeness"], "partial");
    assert_eq!(answer["data"]["plan"]["namespaces"], json!(["shop"]), "{}", answer["data"]["plan"]);
    let pods: Value = serde_json::from_slice(&files["cluster/resources/api/v1/pods.json"]).unwrap();
    let items = pods["items"].as_array().unwrap();
    assert!(!items.is_empty() && items.iter().all(|pod| pod["metadata"]["namespace"] == "shop"), "{}", items.len());
    let others: Vec<_> = files
        .keys()
        .filter(|file| ["envoy/", "logs/", "istiod/"].iter().any(|folder| file.starts_with(folder)))
        .filter(|file| file.split('/').nth(1) != Some("shop"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(files.keys().any(|file| file.starts_with("envoy/shop/")), "his own proxies are asked");
    // What the names of the others would tell is not his to know.
    let told = answer["skipped"].to_string();
    assert!(told.contains("forbidden") && !told.contains("bank"), "{told}");
    say(&format!("shop alone: {} files, {}", files.len(), answer["summary"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_everything_gets_everything() {
    needs!(Servers);
    let service = service().await;
    let token = lab::cluster_token(Lab::Healthy, "reports-all", "default", read_only()).await;
    let (answer, files) = report(&service, &token).await;
    for namespace in ["shop", "bank"] {
        assert!(files.keys().any(|file| file.starts_with(&format!("envoy/{namespace}/"))), "{namespace}");
    }
    let forbidden: Vec<_> = answer["skipped"].as_array().unwrap().iter().map(|part| part["why"].to_string()).collect();
    assert!(!forbidden.iter().any(|why| why.contains("forbidden")), "{forbidden:?}");
    say(&format!("everything: {} files, {}", files.len(), answer["summary"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_read_nothing_is_told_so() {
    needs!(Servers);
    let service = service().await;
    let token = lab::token(Lab::Healthy, "reports-nothing", "shop", json!([])).await;
    let (answer, files) = report(&service, &token).await;
    assert_eq!(answer["run"]["verdict"], "unknown", "{}", answer["run"]);
    assert!(answer["skipped"][0]["why"].as_str().unwrap().starts_with("forbidden"), "{}", answer["skipped"][0]);
    // The steps over the archive say why it lacks what they needed.
    let told = answer["skipped"].to_string();
    assert!(told.contains("pods: not recorded in this capture: 403"), "{told}");
    let lists: Vec<_> = files.keys().filter(|file| file.starts_with("cluster/resources/")).collect();
    let is_error = |file: &&String| Path::new(file.as_str()).extension().is_some_and(|ending| ending == "error");
    assert!(lists.iter().copied().all(|file| is_error(&file)), "{lists:?}");
    let others: Vec<_> = files.keys().filter(|file| file.starts_with("envoy/") || file.starts_with("logs/")).collect();
    assert!(others.is_empty(), "{others:?}");
}
