//! Replicas of istiod that hang cost a short while only, and that once in some seconds.

use std::time::{Duration, Instant};

use meshtriage::{cluster::Cluster, report::Format};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::{pod, request_line, silent};
use crate::support::{
    Outcome,
    checklist::{Call, call},
    fake,
};

/// A replica with one proxy.
async fn answering(proxy: &'static str) -> u16 {
    pod(move |mut stream| async move {
        while let Some(line) = request_line(&mut stream).await {
            let url = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
            let body = match line.split(' ').nth(1).unwrap_or_default() {
                "/version" => "1.30.3-0-Clean".to_owned(),
                "/debug/syncz" => json!([{ "cluster_id": "Kubernetes", "proxy": proxy, "proxy_type": "sidecar",
                    "istio_version": "1.30.3", "resources": { url: { "sent": "1", "acked": "1" } } }])
                .to_string(),
                _ => json!({ "configs": [] }).to_string(),
            };
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    })
    .await
}

async fn timed(cluster: &Cluster, step: &'static str, inputs: &[(&str, &str)]) -> (Outcome, Duration) {
    let start = Instant::now();
    let outcome = call(cluster, &Call::new(step, inputs), Format::Json).await;
    (outcome, start.elapsed())
}

fn skipped(outcome: &Outcome) -> Vec<String> {
    outcome.skipped.iter().map(|part| format!("{}: {}", part.what, part.why)).collect()
}

const ONE: [(&str, &str); 2] = [("namespace", "shop"), ("pod", "cart")];

#[tokio::test]
async fn a_silent_replica_costs_little_and_is_named() {
    let (one, hung, cart) = (answering("cart.shop").await, silent().await, answering("").await);
    let pods = [("istiod-one", one), ("istiod-two-unready", hung), ("cart", cart)];
    let cluster = fake::cluster(pods.map(|(name, port)| (name.to_owned(), port)).into()).await;

    let (outcome, took) = timed(&cluster, "istioctl.proxy-status", &ONE).await;
    assert!(took < Duration::from_millis(1500), "the owner has answered: {took:?}");
    let parts = skipped(&outcome);
    assert!(parts.iter().any(|part| part.contains("istiod-two-unready")), "{parts:?}");

    let (outcome, took) = timed(&cluster, "istioctl.proxy-status", &[]).await;
    assert!(took < Duration::from_secs(3), "{took:?}");
    let data: Value = outcome.data.clone();
    assert_eq!(data["proxies"][0]["proxy"], "cart.shop");
    let parts = skipped(&outcome);
    assert!(parts.iter().any(|part| part.contains("istiod-two-unready: no answer within 2 s")), "{parts:?}");

    let (outcome, took) = timed(&cluster, "istioctl.version", &[]).await;
    assert!(took < Duration::from_secs(1), "it is remembered: {took:?}");
    let parts = skipped(&outcome);
    assert!(
        parts.iter().any(|part| part.contains("istiod-two-unready: no answer when it was last asked")),
        "{parts:?}"
    );
}

#[tokio::test]
async fn a_ready_replica_that_hangs_does_not_hold_up_the_others() {
    let (one, hung) = (answering("cart.shop").await, silent().await);
    let pods = [("istiod-one", one), ("istiod-two", hung)];
    let cluster = fake::cluster(pods.map(|(name, port)| (name.to_owned(), port)).into()).await;
    let (outcome, took) = timed(&cluster, "istioctl.version", &[]).await;
    assert!(took < Duration::from_secs(6), "{took:?}");
    let parts = skipped(&outcome);
    assert!(parts.iter().any(|part| part.contains("istiod-two: no answer within 4 s")), "{parts:?}");
}

#[tokio::test]
async fn replicas_that_answer_are_all_read() {
    let (one, two, cart) = (answering("cart.shop").await, answering("till.shop").await, answering("").await);
    let pods = [("istiod-one", one), ("istiod-two-unready", two), ("cart", cart)];
    let cluster = fake::cluster(pods.map(|(name, port)| (name.to_owned(), port)).into()).await;
    for inputs in [&ONE[..], &[]] {
        let (outcome, _) = timed(&cluster, "istioctl.proxy-status", inputs).await;
        let parts = skipped(&outcome);
        assert!(parts.iter().all(|part| !part.contains("istiod-")), "{parts:?}");
    }
}
