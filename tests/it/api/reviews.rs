//! What is asked of the cluster about callers, and what happens when it does not answer.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    response::IntoResponse,
    routing::{get, post},
};
use http::{Request, StatusCode};
use meshtriage::{
    auth::{Authority, Denied, Identify, Keys, Trail},
    clock::Clock,
    cluster::{Cluster, Settings, Source},
};
use serde_json::{Value, json};

use crate::support::app::{TestApp, app};

/// An API server that counts what it is asked.
#[derive(Clone, Default)]
struct Server {
    tokens: Arc<AtomicUsize>,
    reviews: Arc<AtomicUsize>,
    is_down: Arc<AtomicBool>,
}

async fn token(State(server): State<Server>, Json(review): Json<Value>) -> axum::response::Response {
    server.tokens.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(50)).await;
    if server.is_down.load(Ordering::SeqCst) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let known = review["spec"]["token"] == "good";
    let status = json!({"authenticated": known, "user": {"username": "alice", "uid": "1", "groups": []}});
    Json(json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {}, "status": status}))
        .into_response()
}

async fn access(State(server): State<Server>, Json(review): Json<Value>) -> axum::response::Response {
    server.reviews.fetch_add(1, Ordering::SeqCst);
    if server.is_down.load(Ordering::SeqCst) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let resource = &review["spec"]["resourceAttributes"]["resource"];
    let status = json!({"allowed": resource != "secrets"});
    Json(json!({"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": {}, "status": status}))
        .into_response()
}

async fn resources() -> Json<Value> {
    let pods =
        json!({"name": "pods", "singularName": "pod", "namespaced": true, "kind": "Pod", "verbs": ["get", "list"]});
    Json(json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [pods]}))
}

impl Server {
    async fn client(&self) -> kube::Client {
        let list = || async { Json(json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []})) };
        let router = Router::new()
            .route("/apis/authentication.k8s.io/v1/tokenreviews", post(token))
            .route("/apis/authorization.k8s.io/v1/subjectaccessreviews", post(access))
            .route("/version", get(|| async { Json(json!({"gitVersion": "v1.36.3"})) }))
            .route("/api", get(|| async { Json(json!({"kind": "APIVersions", "versions": ["v1"]})) }))
            .route("/apis", get(|| async { Json(json!({"kind": "APIGroupList", "groups": []})) }))
            .route("/api/v1", get(resources))
            .route("/metrics", get(|| async { "secret_metrics 1" }))
            .fallback(list)
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        kube::Client::try_from(kube::Config::new(format!("http://{address}").parse().unwrap())).unwrap()
    }

    async fn identify(&self) -> Identify {
        Identify::kubernetes(self.client().await, Vec::new(), Keys::default())
    }
}

const PEER: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));

#[tokio::test]
async fn those_who_send_a_token_at_once_wait_for_one_answer() {
    let server = Server::default();
    let identify = server.identify().await;
    let all = (0..50).map(|_| identify.caller(Some("good"), PEER));
    for caller in futures::future::join_all(all).await {
        assert_eq!(caller.unwrap().user, "alice");
    }
    assert_eq!(server.tokens.load(Ordering::SeqCst), 1);
    for _ in 0..20 {
        assert!(matches!(identify.caller(Some("bad"), PEER).await, Err(Denied::Unknown)));
    }
    assert_eq!(server.tokens.load(Ordering::SeqCst), 2, "an unknown token is remembered, too");
}

#[tokio::test]
async fn unknown_tokens_of_one_address_are_bounded() {
    let server = Server::default();
    let identify = server.identify().await;
    let tokens: Vec<_> = (0..300).map(|number| format!("bad-{number}")).collect();
    let all = tokens.iter().map(|token| identify.caller(Some(token), PEER));
    let refused = futures::future::join_all(all).await;
    let too_many = refused.iter().filter(|result| matches!(result, Err(Denied::TooMany))).count();
    assert!(too_many > 200, "{too_many}");
    assert!(server.tokens.load(Ordering::SeqCst) < 100);
    // Others are not concerned.
    let other = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
    assert!(identify.caller(Some("good"), other).await.is_ok());
}

#[tokio::test]
async fn cluster_that_does_not_answer_lets_nobody_in() {
    let server = Server::default();
    server.is_down.store(true, Ordering::SeqCst);
    let client = server.client().await;
    let cluster = Cluster::new(client.clone(), "fake".to_owned(), Source::Live, Clock::System, Settings::default());
    let service = TestApp::new(app(cluster, Identify::kubernetes(client, Vec::new(), Keys::default())));
    let ask = |path: &str| Request::get(path).header("authorization", "Bearer good").body(axum::body::Body::empty());
    let answer = service.send(ask("/v1/whoami").unwrap()).await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "review_unavailable".to_owned()));
    assert!(answer.headers.contains_key("retry-after"));

    server.is_down.store(false, Ordering::SeqCst);
    assert_eq!(service.send(ask("/v1/whoami").unwrap()).await.status, StatusCode::OK);
    server.is_down.store(true, Ordering::SeqCst);
    let pods = "/v1/kubectl/resource-status?resource=pods&namespace=shop";
    let answer = service.send(ask(pods).unwrap()).await;
    assert!(answer.status.is_server_error() || answer.text.contains("could not be asked"), "{answer:?}");
}

#[tokio::test]
async fn what_is_no_resource_is_not_passed_on() {
    let server = Server::default();
    let own = server.client().await;
    let caller = server.identify().await.caller(Some("good"), PEER).await.unwrap();
    let client = Authority::new(own).client_for(caller, Trail::default());
    let status = async |path: &str| {
        let request = Request::get(path).body(kube::client::Body::empty()).unwrap();
        client.send(request).await.unwrap().status()
    };
    assert_eq!(status("/version").await, StatusCode::OK);
    assert_eq!(status("/api/v1/namespaces/shop/pods").await, StatusCode::OK);
    assert_eq!(status("/api/v1/namespaces/shop/secrets").await, StatusCode::FORBIDDEN);
    for path in ["/metrics", "/logs/kube-apiserver.log", "/api/v1/../../metrics", "/healthz"] {
        assert_eq!(status(path).await, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn permissions_asked_for_in_one_run_are_bounded() {
    let server = Server::default();
    let own = server.client().await;
    let caller = server.identify().await.caller(Some("good"), PEER).await.unwrap();
    let client = Authority::new(own).client_for(caller, Trail::default());
    let mut last = StatusCode::OK;
    for number in 0..2_100 {
        let request = Request::get(format!("/api/v1/namespaces/n{number}/pods")).body(kube::client::Body::empty());
        last = client.send(request.unwrap()).await.unwrap().status();
    }
    assert_eq!(last, StatusCode::FORBIDDEN);
    assert_eq!(server.reviews.load(Ordering::SeqCst), 2_000);
}
