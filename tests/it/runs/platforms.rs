//! Whole flows of the platforms that call us, each with what its documentation says it can and cannot do. None follows a
//! redirect; each compares what it compares, and no more.

use std::time::{Duration, Instant};

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::support::app::{Answered, TestApp};

async fn request(app: &TestApp, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answered {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = app.send(request.body(Body::from(body.map(Value::to_string).unwrap_or_default())).unwrap()).await;
    assert!(!answer.status.is_redirection());
    answer
}

/// Rundeck's HTTP step: one request, one expected status, no polling; a jq filter picks values of the body
/// (<https://docs.rundeck.com/docs/manual/jobs/job-plugins/workflow-steps/http-request.html>).
#[tokio::test(flavor = "multi_thread")]
async fn rundeck_checks_one_status_for_each_step() {
    for (name, gate) in [("healthy", 200), ("broken", 424)] {
        let app = TestApp::over(name);
        let json = [("content-type", "application/json")];
        let body = json!({"steps": [{"step": "istioctl.analyze"}]});
        let run = request(&app, "POST", "/v1/runs?wait=50", &json, Some(&body)).await;
        assert_eq!(run.status, StatusCode::OK);
        let run = run.json();
        let id = run["run"]["id"].as_str().unwrap();
        assert!(run["counts"]["error"].is_u64() && run["run"]["verdict"].is_string() && run["summary"].is_string());
        let answer = request(&app, "GET", &format!("/v1/runs/{id}/gate"), &[], None).await;
        assert_eq!(answer.status.as_u16(), gate);
    }
}

/// StackStorm's `core.http`: 200 to 206 count as success, so that only the body tells whether it is done; the body is parsed
/// where the content type is exactly `application/json`
/// (<https://github.com/StackStorm/st2/blob/master/contrib/runners/http_runner/http_runner/http_runner.py>).
#[tokio::test(flavor = "multi_thread")]
async fn stackstorm_retries_until_the_body_says_done() {
    let app = TestApp::over("healthy");
    let headers = [("content-type", "application/json"), ("accept", "*/*")];
    let parsed = |answer: &Answered| -> Value {
        assert!((200..=206).contains(&answer.status.as_u16()));
        assert_eq!(answer.headers["content-type"], "application/json");
        answer.json()
    };
    let begun = request(&app, "POST", "/v1/runs", &headers, Some(&json!({"checklist": "istioctl"}))).await;
    let mut body = parsed(&begun);
    assert_eq!((begun.status, &body["done"]), (StatusCode::ACCEPTED, &json!(false)));
    let path = format!("/v1/runs/{}", body["id"].as_str().unwrap());
    let started = Instant::now();
    while body["done"] != json!(true) {
        assert!(started.elapsed() < Duration::from_secs(55), "{body}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        body = parsed(&request(&app, "GET", &path, &headers, None).await);
    }
    assert_eq!(body["state"], "succeeded");
    let wrong = request(&app, "GET", "/v1/runs?stat=done&errors=json", &headers, None).await;
    assert_eq!((wrong.status.as_u16(), &wrong.headers["content-type"]), (422, &"application/json".parse().unwrap()));
}

/// Logic Apps' HTTP action: follows 202 and `Location`, asking again after `Retry-After` until the answer is no 202; drops
/// `Accept`, so that the form must be in the query
/// (<https://learn.microsoft.com/azure/connectors/connectors-native-http#asynchronous-request-response-behavior>).
#[tokio::test(flavor = "multi_thread")]
async fn logic_apps_ask_location_until_it_is_not_202() {
    let app = TestApp::over("healthy");
    let json = [("content-type", "application/json")];
    let body = json!({"checklist": "misc"});
    let mut answer = request(&app, "POST", "/v1/runs?format=markdown", &json, Some(&body)).await;
    let started = Instant::now();
    let mut asked = 0;
    while answer.status == StatusCode::ACCEPTED {
        assert!(started.elapsed() < Duration::from_secs(55));
        assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 5);
        let location = answer.headers["location"].to_str().unwrap().to_owned();
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer = request(&app, "GET", &location, &[], None).await;
        asked += 1;
    }
    assert_eq!(answer.status, StatusCode::OK);
    assert!(asked > 0 && answer.headers["content-type"].to_str().unwrap().starts_with("text/markdown"));
}

/// Azure's clients: `Operation-Location` answers 200 always, and its `state` tells
/// (<https://github.com/microsoft/api-guidelines/blob/vNext/azure/Guidelines.md>).
#[tokio::test(flavor = "multi_thread")]
async fn azure_clients_ask_operation_location_which_is_always_200() {
    let app = TestApp::over("healthy");
    let json = [("content-type", "application/json"), ("idempotency-key", "once")];
    let begun = request(&app, "POST", "/v1/runs", &json, Some(&json!({"checklist": "quick"}))).await;
    let monitor = begun.headers["operation-location"].to_str().unwrap().to_owned();
    let started = Instant::now();
    loop {
        let answer = request(&app, "GET", &monitor, &[], None).await;
        assert_eq!(answer.status, StatusCode::OK);
        match answer.json()["state"].as_str().unwrap() {
            "queued" | "running" => assert!(started.elapsed() < Duration::from_secs(55)),
            state => break assert_eq!(state, "succeeded"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let again = request(&app, "POST", "/v1/runs", &json, Some(&json!({"checklist": "quick"}))).await;
    assert_eq!(again.json()["id"], begun.json()["id"], "a retry of the client begins nothing");
}

/// Ansible's `uri` with `until`: asks until a field of the JSON has a value
/// (<https://docs.ansible.com/ansible/latest/collections/ansible/builtin/uri_module.html>).
#[tokio::test(flavor = "multi_thread")]
async fn ansible_asks_until_done() {
    let app = TestApp::over("broken");
    let json = [("content-type", "application/json")];
    let begun = request(&app, "POST", "/v1/runs", &json, Some(&json!({"checklist": "quick"}))).await.json();
    let path = begun["links"]["self"].as_str().unwrap();
    let started = Instant::now();
    let done = loop {
        let answer = request(&app, "GET", path, &[], None).await.json();
        if answer["done"] == json!(true) {
            break answer;
        }
        assert!(started.elapsed() < Duration::from_secs(55));
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!((&done["verdict"], &done["counts"]["error"].is_u64()), (&json!("error"), &true));
}

/// A Slack command must be answered within 3 s, and a run takes longer: the answer is the 202
/// (<https://docs.slack.dev/interactivity/implementing-slash-commands/>).
#[tokio::test(flavor = "multi_thread")]
async fn slack_is_answered_within_three_seconds() {
    let app = TestApp::over("broken");
    let json = [("content-type", "application/json")];
    let started = Instant::now();
    let answer = request(&app, "POST", "/v1/runs", &json, Some(&json!({"checklist": "full"}))).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}
