//! Every step call is a run that can be listed, read and deleted.

use http::{Method, StatusCode};
use meshtriage::{
    auth::Identify,
    history::{History, TIME_LIMIT},
};

use crate::support::app::{TestApp, app, recording};

#[tokio::test]
async fn step_is_recorded_and_found_again() {
    let app = TestApp::over("broken");
    let pod = super::steps::pod_of(&app, "legacy", "inventory").await;
    let path = format!("/v1/kubectl/envoy/clusters?namespace=legacy&pod={pod}");
    let answer = app.get(&path).await.json();
    assert_eq!(answer["run"]["recorded"], true);
    let id = answer["run"]["id"].as_str().unwrap();

    let list = app.get("/v1/runs?step=kubectl.envoy-clusters&verdict=error&code=ENV0004&namespace=legacy").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["id"], id);
    let run = app.get(&format!("/v1/runs/{id}")).await.json();
    assert_eq!(run["answer"]["findings"], answer["findings"]);
    assert_eq!(run["inputs"]["pod"], pod.as_str());

    assert_eq!(app.call(Method::DELETE, &format!("/v1/runs/{id}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(app.get(&format!("/v1/runs/{id}")).await.problem(), "not_found");
}

#[tokio::test]
async fn pages_follow_each_other() {
    let app = TestApp::over("broken");
    let pod = super::steps::pod_of(&app, "legacy", "inventory").await;
    for _ in 0..5 {
        app.get(&format!("/v1/kubectl/envoy/memory?namespace=legacy&pod={pod}")).await;
    }
    let mut seen = Vec::new();
    let mut path = "/v1/runs?step=kubectl.envoy-clusters&limit=2".to_owned();
    loop {
        let page = app.get(&path).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/runs?step=kubectl.envoy-clusters&limit=2&cursor={cursor}"),
            None => break,
        }
    }
    let mut distinct = seen.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((seen.len(), distinct.len()), (5, 5));
    assert_eq!(app.get("/v1/runs?cursor=nonsense").await.problem(), "validation_failed");
}

#[tokio::test]
async fn failed_step_is_recorded_too() {
    let app = TestApp::over("broken");
    app.get("/v1/kubectl/envoy/clusters?namespace=legacy&pod=nobody").await;
    let list = app.get("/v1/runs?state=failed").await.json();
    let summary = list["items"][0]["summary"].as_str().unwrap();
    assert!(summary.starts_with("there is no pod \"nobody\" in namespace legacy; did you mean "), "{summary}");
}

#[tokio::test]
async fn step_answers_without_its_database() {
    let mut parts = app(recording("broken"), Identify::Nobody);
    // Nothing listens on port 1.
    parts.history = History::open("postgres://nobody@127.0.0.1:1/none", TIME_LIMIT).unwrap();
    let app = TestApp::new(parts);
    let pod = super::steps::pod_of(&app, "legacy", "inventory").await;
    let answer = app.get(&format!("/v1/kubectl/envoy/clusters?namespace=legacy&pod={pod}")).await.json();
    assert_eq!(answer["run"]["recorded"], false);
    assert!(answer["run"]["not_recorded_because"].as_str().unwrap().contains("cannot be reached"));
    assert_eq!(answer["findings"][0]["code"], "ENV0004");
    let ready = app.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.json()["checks"][0]["name"], "history");
    assert_eq!(app.get("/v1/runs").await.problem(), "history_unavailable");
}
