//! Wrong input gets a problem that says what is wrong; nothing panics.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::json;

use super::access::operations;
use crate::support::app::TestApp;

#[tokio::test]
async fn unknown_parameter_is_named() {
    let app = TestApp::over("healthy");
    let answer = app.get("/v1/kubectl/envoy/clusters?namespace=shop&pod=x&podd=y").await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::UNPROCESSABLE_ENTITY, "validation_failed".to_owned()));
    let problem = answer.json();
    assert_eq!(problem["errors"][0]["pointer"], "/podd");
    assert_eq!(problem["errors"][0]["code"], "unknown_field");
    assert_eq!(problem["instance"], "/v1/kubectl/envoy/clusters");
    assert_eq!(problem["request_id"], answer.headers["x-request-id"].to_str().unwrap());
}

#[tokio::test]
async fn unknown_pod_is_not_found() {
    let app = TestApp::over("healthy");
    let answer = app.get("/v1/kubectl/envoy/clusters?namespace=shop&pod=nobody").await;
    assert_eq!(answer.problem(), "not_found");
    assert_eq!(answer.json()["detail"], "there is no pod \"nobody\" in namespace shop");
    let answer = app.get("/v1/kubectl/envoy/clusters?namespace=shp&pod=nobody").await;
    assert_eq!(answer.problem(), "not_found");
    assert_eq!(answer.json()["detail"], "there is no namespace \"shp\"; did you mean shop?");
    assert_eq!(answer.json()["errors"][0]["pointer"], "/namespace");
}

#[tokio::test]
async fn names_that_would_change_the_path_are_refused() {
    let app = TestApp::over("healthy");
    for bad in ["a%2Fb", "..", "a%252fb", "%0a", "a%20b", "a%3Fb", "%23", &"x".repeat(300)] {
        for query in [format!("namespace=shop&pod={bad}"), format!("namespace={bad}&pod=x")] {
            let answer = app.get(&format!("/v1/kubectl/envoy/clusters?{query}")).await;
            assert_eq!(answer.problem(), "validation_failed", "{query}");
        }
    }
}

#[tokio::test]
async fn broken_encodings_and_bodies_are_explained() {
    let app = TestApp::over("healthy");
    assert_eq!(app.get("/v1/runs?step=%ff%fe").await.problem(), "invalid_request");
    assert_eq!(app.get("/v1/kubectl/envoy/quitquitquit?namespace=shop&pod=x").await.problem(), "validation_failed");
    assert_eq!(app.get("/v1/runs/%ff").await.problem(), "invalid_request");
    assert_eq!(app.get("/v1/no-such-thing").await.problem(), "not_found");
    assert_eq!(app.call(Method::PUT, "/v1/runs").await.problem(), "method_not_allowed");
    let body = |content_type: &str, body: &[u8]| {
        Request::post("/v1/kubectl/bounce-pod")
            .header("content-type", content_type)
            .body(Body::from(body.to_vec()))
            .unwrap()
    };
    assert_eq!(app.send(body("text/plain", b"{}")).await.problem(), "unsupported_media_type");
    assert_eq!(app.send(body("application/json", b"{")).await.problem(), "invalid_request");
    assert_eq!(app.send(body("application/json", b"{\"a\": \"\xff\"}")).await.problem(), "invalid_request");
    assert_eq!(app.send(body("application/json", b"[]")).await.problem(), "validation_failed");
    let large = vec![b' '; 11 * 1024 * 1024];
    assert_eq!(app.send(body("application/json", &large)).await.problem(), "payload_too_large");
}

#[tokio::test]
async fn mistakes_are_said_plainly_and_pointed_at() {
    let app = TestApp::over("healthy");
    let check = async |path: &str, pointer: &str, code: &str, message: &str| {
        let answer = app.get(path).await;
        assert_eq!(answer.problem(), "validation_failed", "{path}");
        let error = &answer.json()["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!(pointer), &json!(code)), "{path}");
        assert!(error["message"].as_str().unwrap().contains(message), "{path}: {error}");
    };
    check("/v1/runs?verdict=bad", "/verdict/0", "unknown_value", "must be one of ok, info").await;
    check("/v1/kubectl/istiod-logs?level=WARNING", "/level", "unknown_value", "must be one of trace").await;
    check("/v1/kubectl/istiod-logs?tail=-1", "/tail", "type", "must be a whole number").await;
    check("/v1/kubectl/istiod-logs?tail=1&tail=2", "/tail", "type", "may be given only once").await;
    check("/v1/kubectl/envoy/clusters?pod=x", "/namespace", "required", "is required").await;
    check("/v1/kubectl/istiod-logs?follow=true&format=yaml", "/format", "conflict", "events only").await;
    let answer = app.post("/v1/errors/lookup", &json!({ "messages": ["a", 5] })).await;
    assert_eq!(answer.json()["errors"][0]["pointer"], "/messages/1");
}

#[tokio::test]
async fn parameters_that_a_path_does_not_have_are_refused() {
    let app = TestApp::over("healthy");
    app.get("/v1/kubectl/crds").await;
    let runs = app.get("/v1/runs").await.json();
    let run = format!("/v1/runs/{}", runs["items"][0]["id"].as_str().unwrap());
    for path in [run.as_str(), "/v1/steps", "/v1/steps/kubectl.crds", "/v1/codes", "/v1/whoami", "/v1/version"] {
        assert_eq!(app.get(path).await.status, StatusCode::OK, "{path}");
        assert_eq!(app.get(&format!("{path}?formt=text")).await.problem(), "validation_failed", "{path}");
    }
}

#[tokio::test]
async fn what_the_api_server_cannot_read_is_the_callers_mistake() {
    let app = TestApp::over("healthy");
    let answer = app.get("/v1/kubectl/resource-status?resource=pods&namespace=shop&selector=app+in+(").await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::UNPROCESSABLE_ENTITY, "validation_failed".to_owned()));
    assert_eq!(answer.json()["retryable"], false);
}

#[tokio::test]
async fn runs_are_filtered_by_several_values_with_commas() {
    let app = TestApp::over("healthy");
    for path in ["/v1/kubectl/crds", "/v1/kubectl/istiod-pods", "/v1/kubectl/istiod-logs?tail=1"] {
        assert_eq!(app.get(path).await.status, StatusCode::OK);
    }
    let answer = app.get("/v1/runs?step=kubectl.crds,kubectl.istiod-pods").await;
    assert_eq!(answer.json()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn problems_come_as_plain_json_on_request() {
    let app = TestApp::over("healthy");
    let answer = app.get("/v1/no-such-thing?errors=json").await;
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[tokio::test]
async fn no_operation_panics_at_hostile_values() {
    let app = TestApp::over("broken");
    let hostile =
        ["", "\0", "../../etc/passwd", "%", "\u{202e}", "-1", "1e400", "9".repeat(400).as_str(), "[]", "null"]
            .map(|text| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
    let names =
        ["namespace", "pod", "selector", "limit", "cursor", "since", "tail", "resource", "name", "page", "format"];
    for (method, path, id) in operations() {
        for value in &hostile {
            let query: Vec<_> = names.iter().map(|name| format!("{name}={value}")).collect();
            let all = app.call(method.clone(), &format!("{path}?{}", query.join("&"))).await;
            assert_ne!(all.status, StatusCode::INTERNAL_SERVER_ERROR, "{id} {value}");
            for pair in &query {
                let one = app.call(method.clone(), &format!("{path}?{pair}")).await;
                assert_ne!(one.status, StatusCode::INTERNAL_SERVER_ERROR, "{id} {pair}");
            }
        }
    }
}

#[tokio::test]
async fn recording_cannot_be_changed() {
    let app = TestApp::over("healthy");
    let pods = app.get("/v1/runs").await;
    assert_eq!(pods.status, StatusCode::OK);
    let pod = super::steps::some_istiod(&app).await;
    let body = json!({ "namespace": "aks-istio-system", "pod": pod, "reason": "test", "dry_run": false });
    let answer = app.post("/v1/kubectl/bounce-pod", &body).await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::CONFLICT, "capture_is_read_only".to_owned()));
}
