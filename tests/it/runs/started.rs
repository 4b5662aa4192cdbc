//! Runs in the background through the API: asking, waiting, watching, canceling, comparing.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt as _;
use http::{Method, Request, StatusCode};
use meshtriage::auth::Identify;
use serde_json::{Value, json};

use crate::support::{
    app::{Answered, TestApp, app, recording},
    fake,
};

const RUNS: &str = "/v1/runs";

async fn with_header(app: &TestApp, path: &str, name: &str, value: &str, body: &Value) -> Answered {
    let request = Request::post(path).header("content-type", "application/json").header(name, value);
    app.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// Over a pod that hangs, so that what asks it does not end.
async fn hanging() -> TestApp {
    let silent = crate::pods::silent().await;
    let cluster = fake::cluster(fake::Pods::from([("silent".to_owned(), silent)])).await;
    TestApp::new(app(cluster, Identify::Nobody))
}

fn page_of_silent() -> Value {
    json!({"step": "kubectl.envoy-clusters", "inputs": {"namespace": "shop", "pod": "silent"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn checklist_runs_in_the_background_and_is_polled_in_both_dialects() {
    let app = TestApp::over("broken");
    let accepted = app.post(RUNS, &json!({"checklist": "quick", "labels": {"team": "shop"}})).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{accepted:?}");
    let run = accepted.json();
    assert_eq!((&run["done"], &run["step"]), (&json!(false), &json!("checklist.quick")));
    let (location, operation) = (accepted.headers["location"].clone(), accepted.headers["operation-location"].clone());
    assert!(accepted.headers.contains_key("retry-after"));
    let result = app.get(&format!("{}?wait=50", location.to_str().unwrap())).await;
    assert_eq!(result.status, StatusCode::OK, "{result:?}");
    let answer = result.json();
    assert_eq!(answer["run"]["verdict"], "error");
    let steps = answer["data"]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 5);
    assert!(steps.iter().all(|step| step["state"] == "succeeded"), "{steps:?}");
    let monitor = app.get(operation.to_str().unwrap()).await;
    assert_eq!((monitor.status, &monitor.json()["state"]), (StatusCode::OK, &json!("succeeded")));
    let analyze = steps.iter().find(|step| step["step"] == "istioctl.analyze").unwrap();
    let one = app.get(analyze["links"]["self"].as_str().unwrap()).await.json();
    assert_eq!(one["run"]["step"], "istioctl.analyze");
    assert!(one["data"].is_object() && !one["findings"].as_array().unwrap().is_empty());
    for (query, count) in [("label=team=shop", 1), ("label=team=bank", 0), ("step=checklist.quick", 1)] {
        let list = app.get(&format!("{RUNS}?{query}")).await.json();
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{query}");
    }
    let report = app.get(&format!("{}/report", operation.to_str().unwrap())).await;
    assert!(report.headers["content-type"].to_str().unwrap().starts_with("text/markdown"));
    assert!(report.text.starts_with("## Quick checks"), "{}", report.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn preference_to_wait_is_applied_and_said() {
    let app = TestApp::over("healthy");
    let body = json!({"steps": [{"step": "istioctl.tags"}]});
    let answer = with_header(&app, RUNS, "prefer", "respond-async, wait=20", &body).await;
    assert_eq!((answer.status, &answer.headers["preference-applied"]), (StatusCode::OK, &"wait=20".parse().unwrap()));
    assert_eq!(answer.json()["run"]["step"], "istioctl.tags", "one step answers as at its own endpoint");
    let plain = app.get("/v1/istioctl/tags?wait=20&format=text").await;
    assert_eq!(plain.status, StatusCode::OK);
    assert_eq!(plain.text, app.get("/v1/istioctl/tags?format=text").await.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_step_becomes_a_run() {
    let app = hanging().await;
    let answer = app.get("/v1/kubectl/envoy/clusters?namespace=shop&pod=silent&wait=1").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let run = answer.json();
    assert_eq!((&run["state"], &run["step"]), (&json!("running"), &json!("kubectl.envoy-clusters")));
    let cancelled = app.post(run["links"]["cancel"].as_str().unwrap(), &json!({})).await;
    assert_eq!(cancelled.json()["state"], "canceled", "{cancelled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn canceled_run_keeps_what_is_there() {
    let app = hanging().await;
    let body = json!({"steps": [{"step": "kubectl.resource-status", "inputs": {"resource": "pods", "all_namespaces": true}},
        page_of_silent()]});
    let run = app.post(RUNS, &body).await.json();
    let path = run["links"]["self"].as_str().unwrap().to_owned();
    let done = async {
        while app.get(&path).await.json()["steps"].as_array().is_none_or(Vec::is_empty) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), done).await.unwrap();
    let cancelled = app.post(&format!("{path}/cancel"), &json!({})).await;
    assert_eq!((cancelled.status, &cancelled.json()["state"]), (StatusCode::OK, &json!("canceled")));
    let answer = app.get(&format!("{path}/result")).await.json();
    assert_eq!((&answer["run"]["state"], &answer["run"]["completeness"]), (&json!("canceled"), &json!("partial")));
    assert_eq!(answer["data"]["steps"].as_array().unwrap().len(), 1);
    let missing = json!({"what": "step kubectl.envoy-clusters", "why": "canceled"});
    assert!(answer["skipped"].as_array().unwrap().contains(&missing), "{}", answer["skipped"]);
    assert_eq!(app.post(&format!("{path}/cancel"), &json!({})).await.problem(), "run_not_cancelable");
    let gate = app.get(&format!("{path}/gate")).await;
    assert_eq!((gate.status, gate.problem()), (StatusCode::FAILED_DEPENDENCY, "gate_failed".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_plans_are_joined_and_keys_replayed() {
    let app = hanging().await;
    let body = json!({"steps": [page_of_silent()]});
    let first = with_header(&app, RUNS, "idempotency-key", "a", &body).await.json();
    let joined = app.post(RUNS, &body).await;
    assert_eq!((&joined.json()["id"], &joined.headers["meshtriage-joined"]), (&first["id"], &"true".parse().unwrap()));
    let replayed = with_header(&app, RUNS, "idempotency-key", "a", &body).await;
    assert_eq!(replayed.json()["id"], first["id"]);
    assert_eq!(replayed.headers["idempotency-replayed"], "true");
    let other = json!({"steps": [{"step": "istioctl.tags"}]});
    let reused = with_header(&app, RUNS, "idempotency-key", "a", &other).await;
    assert_eq!((reused.status, reused.problem()), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused".into()));
    let again = app.post(&format!("/v1/runs/{}/rerun", first["id"].as_str().unwrap()), &json!({})).await;
    assert_eq!(again.json()["id"], first["id"], "the same is under way");
}

#[tokio::test]
async fn wrong_plans_are_pointed_at() {
    let app = TestApp::over("healthy");
    for (body, pointer) in [
        (json!({}), "/steps"),
        (json!({"checklist": "slow"}), "/checklist"),
        (json!({"checklist": "quick", "steps": [{"step": "istioctl.tags"}]}), "/checklist"),
        (json!({"steps": [{"step": "istioctl.tag"}]}), "/steps/0/step"),
        (
            json!({"steps": [{"step": "istioctl.tags"}, {"step": "istioctl.analyze", "inputs": {"namespce": ["a"]}}]}),
            "/steps/1/inputs/namespce",
        ),
        (json!({"steps": [{"step": "istioctl.tags"}, {"step": "istioctl.bug-report"}]}), "/steps/1/step"),
        (json!({"checklist": "quick", "limits": {"timeout_s": 0}}), "/limits/timeout_s"),
        (json!({"checklist": "quick", "labels": {"a=b": "c"}}), "/labels"),
        (json!({"cheklist": "quick"}), "/cheklist"),
    ] {
        let answer = app.post(RUNS, &body).await;
        assert_eq!(answer.problem(), "validation_failed", "{body}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}: {}", answer.text);
    }
    let plan = app.post(RUNS, &json!({"checklist": "full", "scope": {"namespace": ["shop"]}, "dry_run": true})).await;
    assert_eq!(plan.status, StatusCode::OK);
    let plan = plan.json();
    assert_eq!(plan["heavy"], true);
    for step in plan["inputs"]["steps"].as_array().unwrap() {
        let namespace = &step["inputs"]["namespace"];
        assert!(namespace.is_null() || namespace == &json!(["shop"]), "{step}");
    }
    assert!(app.get("/v1/checklists").await.json()["items"].as_array().unwrap().len() == 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn gate_opens_for_what_is_well_only() {
    let (healthy, broken) = (TestApp::over("healthy"), TestApp::over("broken"));
    for (app, status) in [(&healthy, StatusCode::OK), (&broken, StatusCode::FAILED_DEPENDENCY)] {
        let body = json!({"steps": [{"step": "istioctl.analyze"}]});
        let run = app.post(&format!("{RUNS}?wait=50"), &body).await.json();
        let gate = app.get(&format!("{}/gate?fail_on=error", run["run"]["links"]["self"].as_str().unwrap())).await;
        assert_eq!(gate.status, status, "{gate:?}");
    }
}

/// The events of a stream: id, kind and data.
async fn events(app: &TestApp, path: &str, last: Option<&str>) -> Vec<(Option<String>, String, Value)> {
    let mut request = Request::get(path);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = {
        use tower::ServiceExt as _;
        app.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    let mut events = Vec::new();
    for block in text.split("\n\n").filter(|block| block.contains("event:")) {
        let field =
            |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(|text| text.trim().to_owned());
        let data = serde_json::from_str(&field("data:").unwrap()).unwrap();
        events.push((field("id:"), field("event:").unwrap(), data));
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_hears_of_each_step_and_of_the_end() {
    let app = TestApp::over("healthy");
    let run = app.post(RUNS, &json!({"checklist": "kubectl"})).await.json();
    let path = run["links"]["events"].as_str().unwrap().to_owned();
    let all = events(&app, &path, None).await;
    let kinds: Vec<&str> = all.iter().map(|(_, kind, _)| kind.as_str()).filter(|kind| *kind != "progress").collect();
    let steps = app.get("/v1/checklists").await.json()["items"][1]["steps"].as_array().unwrap().len();
    assert_eq!(kinds.len(), steps + 3);
    assert_eq!((kinds[0], kinds[1], kinds[2], *kinds.last().unwrap()), ("queued", "started", "step", "ended"));
    let ids: Vec<u64> = all.iter().filter_map(|(id, _, _)| id.as_ref()?.parse().ok()).collect();
    assert_eq!(ids, (0..ids.len() as u64).collect::<Vec<_>>());
    let rest = events(&app, &path, Some("2")).await;
    let numbered: Vec<_> = all.into_iter().filter(|(id, ..)| id.is_some()).collect();
    let rest: Vec<_> = rest.into_iter().filter(|(id, ..)| id.is_some()).collect();
    assert_eq!(rest, numbered[3..], "who comes back misses nothing and hears nothing twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousand_may_watch_one_run() {
    let app = hanging().await;
    let run = app.post(RUNS, &json!({"steps": [page_of_silent()]})).await.json();
    let path = run["links"]["events"].as_str().unwrap().to_owned();
    let watching: Vec<_> = (0..1000)
        .map(|_| {
            let (app, path) = (TestApp { router: app.router.clone() }, path.clone());
            tokio::spawn(async move { events(&app, &path, None).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    app.post(run["links"]["cancel"].as_str().unwrap(), &json!({})).await;
    for watching in watching {
        let events = tokio::time::timeout(Duration::from_secs(20), watching).await.unwrap().unwrap();
        assert_eq!(events.last().unwrap().2["state"], "canceled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn action_goes_on_when_its_caller_is_gone_and_stays_in_the_audit() {
    let app = TestApp::over("healthy");
    let body =
        json!({"namespace": "aks-istio-system", "deployment": "istiod-asm-1-30", "reason": "test", "dry_run": false});
    let path = "/v1/kubectl/restart-deployment";
    let refused = with_header(&app, path, "idempotency-key", "restart-1", &body).await;
    assert_eq!(refused.problem(), "capture_is_read_only");
    let list = app.get(&format!("{RUNS}?step=kubectl.restart-deployment")).await.json();
    let run = &list["items"][0];
    assert_eq!((&run["state"], &run["reason"]), (&json!("failed"), &json!("test")));
    let path_of_run = format!("/v1/runs/{}", run["id"].as_str().unwrap());
    let deleted = app.call(Method::DELETE, &path_of_run).await;
    assert_eq!((deleted.status, deleted.problem()), (StatusCode::FORBIDDEN, "forbidden".to_owned()));
    let again = with_header(&app, path, "idempotency-key", "restart-1", &body).await;
    assert_eq!(again.headers["idempotency-replayed"], "true", "{again:?}");
    assert_eq!(again.json()["run"]["id"], run["id"]);
    assert_eq!(app.post(&format!("{path_of_run}/rerun"), &json!({})).await.problem(), "conflict");
    let list = app.get(&format!("{RUNS}?step=kubectl.restart-deployment")).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn no_record_no_action() {
    let mut parts = app(recording("healthy"), Identify::Nobody);
    // Nothing listens on port 1.
    let nowhere = "postgres://nobody@127.0.0.1:1/none";
    parts.history = meshtriage::history::History::open(nowhere, Duration::from_secs(2)).unwrap();
    let body =
        json!({"namespace": "aks-istio-system", "deployment": "istiod-asm-1-30", "reason": "test", "dry_run": false});
    let answer = TestApp::new(parts).post("/v1/kubectl/restart-deployment", &body).await;
    assert_eq!(answer.problem(), "history_unavailable");
}
