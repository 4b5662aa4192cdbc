//! The run of a bug report through the API, over a recording.

use std::fmt::Write as _;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use meshtriage::{
    auth::Identify,
    capture::{Capture, Limits},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::unpacked;
use crate::support::{
    app::{Answered, TestApp, app, recording},
    fake, say,
};

const PATH: &str = "/v1/istioctl/bug-report";

async fn finished(app: &TestApp, started: &Answered) -> Value {
    let result = started.headers["location"].to_str().unwrap().to_owned();
    for _ in 0..20 {
        let answer = app.get(&format!("{result}?wait=50")).await;
        if answer.status == StatusCode::OK {
            return answer.json();
        }
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        assert!(answer.headers.contains_key("retry-after"));
    }
    panic!("the bug report does not end");
}

/// A download, which is no text.
async fn download(
    app: &TestApp,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> (http::response::Parts, Vec<u8>) {
    let mut request = Request::builder().method(method).uri(path).header("accept-encoding", "gzip");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.download(request.body(Body::empty()).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_made_in_the_background_and_downloaded() {
    let app = TestApp::over("broken");
    let started = app.post(PATH, &json!({"reason": "frontend fails"})).await;
    assert_eq!(started.status, StatusCode::ACCEPTED, "{started:?}");
    let run = started.headers["operation-location"].to_str().unwrap().to_owned();
    assert_eq!(started.headers["location"].to_str().unwrap(), format!("{run}/result"));
    let status = started.json();
    assert_eq!((&status["state"], &status["done"]), (&json!("running"), &json!(false)));
    assert_eq!(status["reason"], "frontend fails");
    assert!(status["progress"]["parts_done"].is_u64() && status["links"]["cancel"].is_string(), "{status}");
    assert_eq!(app.call(Method::DELETE, &run).await.problem(), "run_not_finished");

    let answer = finished(&app, &started).await;
    assert_eq!((&answer["run"]["state"], &answer["run"]["verdict"]), (&json!("succeeded"), &json!("error")));
    let findings = answer["findings"].as_array().unwrap();
    let by_analyze = |finding: &&Value| finding["found_by"].as_array().unwrap().contains(&json!("istioctl.analyze"));
    assert!(findings.iter().filter(by_analyze).any(|finding| finding["code"] == "IST0101"), "{}", answer["summary"]);
    assert!(answer["counts"]["error"].as_u64().unwrap() >= 9, "{}", answer["counts"]);
    let mut seen = std::collections::BTreeSet::new();
    for finding in findings {
        assert!(seen.insert(format!("{}{}{}", finding["code"], finding["subject"], finding["message"])), "{finding}");
    }
    let steps: Vec<_> = answer["data"]["steps"].as_array().unwrap().iter().map(|step| &step["step"]).collect();
    for step in ["istioctl.analyze", "istioctl.proxy-status", "kubectl.istiod-logs", "kubectl.resource-status"] {
        assert!(steps.contains(&&json!(step)), "{step} is not among {steps:?}");
    }
    assert!(answer["data"]["logs"][0]["importance"].as_u64().unwrap() >= 100, "{}", answer["data"]["logs"]);
    say(&format!("bug report of broken: {}", answer["summary"]));

    let details = app.get(&run).await.json();
    assert_eq!(
        (&details["state"], &details["done"], &details["progress"]),
        (&json!("succeeded"), &json!(true), &Value::Null)
    );
    let artifacts = app.get(&format!("{run}/artifacts")).await.json();
    let artifact = &artifacts["items"][0];
    assert_eq!(artifact["sha256"], answer["data"]["archive"]["sha256"]);
    check_download(&app, &format!("{run}/artifacts/bug-report.tar.gz"), artifact).await;
    assert_eq!(app.get(&format!("{run}/artifacts/other")).await.problem(), "not_found");
    assert_eq!(app.post(&format!("{run}/cancel"), &json!({})).await.problem(), "run_not_cancelable");
    assert_eq!(app.call(Method::DELETE, &run).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.get(&format!("{run}/artifacts/bug-report.tar.gz")).await.problem(), "not_found");
}

fn sum(content: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(content) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

async fn check_download(app: &TestApp, path: &str, artifact: &Value) {
    let (head, content) = download(app, Method::GET, path, &[]).await;
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(head.headers["content-type"], "application/gzip");
    assert!(!head.headers.contains_key("content-encoding"), "it is packed already");
    let size = content.len();
    assert_eq!(artifact["bytes"], json!(size));
    assert_eq!(artifact["sha256"], json!(sum(&content)));
    let tag = head.headers["etag"].to_str().unwrap().to_owned();
    let (head, none) = download(app, Method::HEAD, path, &[]).await;
    assert_eq!((head.status, none.len()), (StatusCode::OK, 0));
    assert_eq!(head.headers["content-length"].to_str().unwrap(), size.to_string());
    assert_eq!(head.headers["accept-ranges"], "bytes");
    let (head, none) = download(app, Method::GET, path, &[("if-none-match", &tag)]).await;
    assert_eq!((head.status, none.len()), (StatusCode::NOT_MODIFIED, 0));
    let (head, part) = download(app, Method::GET, path, &[("range", "bytes=100-"), ("if-range", &tag)]).await;
    assert_eq!(head.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(head.headers["content-range"].to_str().unwrap(), format!("bytes 100-{}/{size}", size - 1));
    assert!(part == content[100..]);
    let (head, whole) = download(app, Method::GET, path, &[("range", "bytes=0-9"), ("if-range", "\"other\"")]).await;
    assert_eq!((head.status, whole.len()), (StatusCode::OK, size));
    let (head, _) = download(app, Method::GET, path, &[("range", &format!("bytes={size}-"))]).await;
    assert_eq!(head.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(head.headers["content-range"].to_str().unwrap(), format!("bytes */{size}"));

    let files = unpacked(content.as_slice());
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    let sums = manifest["files"].as_object().unwrap();
    for (file, content) in files.iter().filter(|(file, _)| *file != "manifest.json") {
        assert_eq!(sums[file]["sha256"], json!(sum(content)), "{file}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bug-report.tar.gz");
    std::fs::write(&file, &content).unwrap();
    assert!(Capture::open(&file, &Limits::default()).unwrap().recorded_at().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_may_be_waited_for_in_the_layout_of_istioctl() {
    let app = TestApp::over("upstream");
    let body = json!({"namespace": ["web"], "exclude": ["//ui-*"]});
    let answer = app.post(&format!("{PATH}?wait=50&layout=istioctl"), &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let answer = answer.json();
    assert_eq!(answer["data"]["archive"]["layout"], "istioctl");
    assert_eq!(answer["data"]["plan"]["namespaces"], json!(["istio-system", "web"]));
    let path = format!("{}/artifacts/bug-report.tar.gz", answer["run"]["links"]["self"].as_str().unwrap());
    let (_, content) = download(&app, Method::GET, &path, &[]).await;
    let files = unpacked(content.as_slice());
    let has = |pod: &str| files.keys().any(|file| file.starts_with(&format!("proxies/{pod}")));
    assert!(has("web/api-") && !has("web/ui-") && !has("default-apps/"), "{:?}", files.keys());
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_collected() {
    let app = TestApp::over("broken");
    let answer = app
        .post(PATH, &json!({"dry_run": true, "include": ["shop/cart"], "istio_namespace": "aks-istio-system"}))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let answer = answer.json();
    assert_eq!(answer["data"]["plan"]["proxies"], 1);
    assert_eq!(answer["data"]["plan"]["istiods"], 4);
    assert!(answer["data"]["archive"].is_null());
    let command = answer["commands"][0].as_str().unwrap();
    assert_eq!(
        command,
        "istioctl bug-report --istio-namespace aks-istio-system --istioNamespace aks-istio-system --include shop/cart"
    );
}

#[tokio::test]
async fn wrong_inputs_are_pointed_at() {
    let app = TestApp::over("upstream");
    for (body, pointer) in [
        (json!({"include": ["a/b/c/d=e/f=g/h/i"]}), "/include/0"),
        (json!({"include": ["ok", "///app"]}), "/include/1"),
        (json!({"exclude": ["/////"]}), "/exclude/0"),
        (json!({"start_time": "2026-11-25T11:00:00Z", "end_time": "2026-11-25T10:00:00Z"}), "/start_time"),
        (json!({"start_time": "2026-11-25T11:00:00Z", "duration": "1h"}), "/duration"),
        (json!({"config": "include: 5"}), "/config"),
        (json!({"tail": 0}), "/tail"),
        (json!({"full_secrets": true}), "/full_secrets"),
        (json!({"layout": "tar"}), "/layout"),
    ] {
        let answer = app.post(PATH, &body).await;
        assert_eq!(answer.problem(), "validation_failed", "{body}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}: {}", answer.text);
    }
    assert_eq!(app.post(&format!("{PATH}?wait=soon"), &json!({})).await.problem(), "validation_failed");
    assert_eq!(app.post(&format!("{PATH}?tail=5"), &json!({})).await.problem(), "validation_failed");
}

async fn keyed(app: &TestApp, key: &str, body: &Value) -> Answered {
    let request = Request::post(PATH).header("content-type", "application/json").header("idempotency-key", key);
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// Over a pod that hangs, so that the report is still being made.
#[tokio::test(flavor = "multi_thread")]
async fn each_caller_has_one_report_at_a_time_and_may_cancel_it() {
    let silent = crate::pods::silent().await;
    let cluster = fake::cluster(fake::Pods::from([("silent".to_owned(), silent)])).await;
    let app = TestApp::new(app(cluster, Identify::Nobody));
    let first = keyed(&app, "a", &json!({})).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{first:?}");
    let run = first.json()["id"].clone();
    let again = keyed(&app, "a", &json!({})).await;
    assert_eq!((again.status, &again.json()["id"]), (StatusCode::ACCEPTED, &run));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(keyed(&app, "a", &json!({"tail": 5})).await.problem(), "idempotency_key_reused");
    assert_eq!(keyed(&app, "", &json!({})).await.problem(), "invalid_request");
    let refused = app.post(PATH, &json!({})).await;
    assert_eq!(refused.status, StatusCode::ACCEPTED, "who asks again gets the one that is made");
    assert!(refused.headers.contains_key("retry-after") && refused.text.contains(run.as_str().unwrap()), "{refused:?}");

    let path = format!("/v1/runs/{}", run.as_str().unwrap());
    let cancelled = app.post(&format!("{path}/cancel"), &json!({})).await;
    assert_eq!((cancelled.status, &cancelled.json()["state"]), (StatusCode::OK, &json!("canceled")), "{cancelled:?}");
    let result = app.get(&format!("{path}/result")).await;
    assert_eq!(result.status, StatusCode::OK);
    assert_eq!(
        (&result.json()["run"]["state"], &result.json()["run"]["verdict"]),
        (&json!("canceled"), &json!("unknown"))
    );
    assert_eq!(app.get(&format!("{path}/artifacts")).await.json()["items"], json!([]));
    assert_eq!(app.post(PATH, &json!({})).await.status, StatusCode::ACCEPTED, "the place is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_beyond_the_bound_are_refused() {
    let mut parts = app(recording("upstream"), Identify::Nobody);
    parts.background = meshtriage::runs::Background::new(0);
    let answer = TestApp::new(parts).post(PATH, &json!({})).await;
    assert_eq!(answer.problem(), "overloaded");
    assert_eq!(answer.headers["retry-after"], "30");
}

#[tokio::test]
async fn the_catalogue_lists_the_report() {
    let step = TestApp::over("upstream").get("/v1/steps/istioctl.bug-report").await.json();
    assert_eq!((&step["cost"], &step["mutating"], &step["method"]), (&json!("high"), &json!(false), &json!("POST")));
}
