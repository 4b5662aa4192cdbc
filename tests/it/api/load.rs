//! Many large pages at once: what there is no room for is refused, and everything that was taken comes back.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Router, routing::get};
use http::StatusCode;
use meshtriage::{auth::Identify, cluster::budget::Budget};
use tokio::net::TcpListener;

use crate::support::{
    app::{TestApp, app},
    fake,
};

const MIB: usize = 1 << 20;

/// The admin port of an Envoy whose dump has this many bytes.
async fn envoy(bytes: usize) -> u16 {
    let dump = format!("{{\"configs\":[{{\"padding\":\"{}\",\"password\":\"hunter2\"}}]}}", "x".repeat(bytes));
    let dump: Arc<str> = dump.into();
    let page = move || {
        let dump = Arc::clone(&dump);
        async move { ([("content-type", "application/json")], dump.to_string()) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/config_dump", get(page))).await });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_pages_at_once_are_served_or_refused() {
    let port = envoy(4 * MIB).await;
    let pods: BTreeMap<_, _> = (0..40).map(|number| (format!("pod-{number}"), port)).collect();
    let budget = Budget::new(64, 40 * MIB as u64);
    let mut parts = app(fake::cluster(pods).await, Identify::Nobody);
    parts.budget = budget.clone();
    let app = TestApp::new(parts);
    let paths: Vec<_> =
        (0..40).map(|number| format!("/v1/kubectl/envoy/config_dump?namespace=shop&pod=pod-{number}")).collect();
    let answers = futures::future::join_all(paths.iter().map(|path| app.get(path))).await;
    let (mut served, mut refused) = (0, 0);
    for answer in answers {
        match answer.status {
            StatusCode::OK => {
                served += 1;
                assert!(answer.text.len() > 4 * MIB && !answer.text.contains("hunter2"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                refused += 1;
                assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
            }
            _ => panic!("{:.500} {}", answer.text, answer.status),
        }
    }
    crate::support::say(&format!("{served} dumps served, {refused} refused"));
    assert!(served > 0);
    let all_back = async {
        while budget.free_bytes() != 40 * MIB as u64 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all_back).await.expect("all room is free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn page_that_is_larger_than_all_room_is_refused_at_once() {
    let port = envoy(16 * MIB).await;
    let mut parts = app(fake::cluster(BTreeMap::from([("pod".to_owned(), port)])).await, Identify::Nobody);
    parts.budget = Budget::new(64, 16 * MIB as u64);
    let app = TestApp::new(parts);
    let answer = app.get("/v1/kubectl/envoy/config_dump?namespace=shop&pod=pod").await;
    assert!(matches!(answer.status.as_u16(), 429 | 503), "{:.300}", answer.text);
    assert_eq!(app.get("/livez").await.status, StatusCode::OK);
}
