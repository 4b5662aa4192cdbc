//! Messages to others: signed, tried again, never sent where they must not go; and runs at set times.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use http::{HeaderMap, StatusCode};
use meshtriage::{
    app::App,
    auth::Identify,
    callbacks::{self, Allowed, Callbacks, Seal, Sender},
    clock::Clock,
    history::History,
    runs,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    history::Database,
    support::app::{TestApp, app, recording},
};

/// What a receiver got, and what it answers.
#[derive(Default)]
struct Received {
    messages: Vec<(BTreeMap<String, String>, Vec<u8>)>,
    answers: Vec<u16>,
}

type Shared = Arc<Mutex<Received>>;

async fn receive(State(received): State<Shared>, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap) {
    let mut received = received.lock().unwrap();
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    received.messages.push((headers, body.to_vec()));
    let status = if received.answers.is_empty() { 200 } else { received.answers.remove(0) };
    let mut headers = HeaderMap::new();
    // Followed by nobody.
    headers.insert("location", "http://169.254.169.254/latest/meta-data".parse().unwrap());
    (StatusCode::from_u16(status).unwrap(), headers)
}

/// A receiver on this machine.
async fn receiver(answers: &[u16]) -> (Shared, u16) {
    let received = Shared::default();
    received.lock().unwrap().answers = answers.to_vec();
    let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&received));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (received, port)
}

/// A service that may send to this port.
fn service(name: &str, port: u16) -> Arc<App> {
    let mut parts = app(recording(name), Identify::Nobody);
    let allowed = Allowed::of(&[format!("127.0.0.1:{port}")]);
    let sender = Sender::new(allowed).unwrap();
    parts.callbacks = Some(Callbacks::new(Seal::new(&[1; 32]).unwrap(), sender));
    Arc::new(parts)
}

fn through(app: &Arc<App>) -> TestApp {
    TestApp { router: meshtriage::api::router(Arc::clone(app)) }
}

/// Sends what is due until there are so many messages.
async fn messages(app: &App, received: &Shared, count: usize) -> Vec<(BTreeMap<String, String>, Value)> {
    for _ in 0..200 {
        callbacks::deliver_due(app).await.unwrap();
        if received.lock().unwrap().messages.len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let received = received.lock().unwrap();
    assert_eq!(received.messages.len(), count);
    let read = |(headers, body): &(BTreeMap<String, String>, Vec<u8>)| {
        (headers.clone(), serde_json::from_slice(body).unwrap())
    };
    received.messages.iter().map(read).collect()
}

fn hook(port: u16) -> String {
    format!("http://127.0.0.1:{port}/hook?token=opens-everything")
}

#[tokio::test(flavor = "multi_thread")]
async fn run_tells_of_its_end_signed_as_the_caller_wants() {
    let (received, port) = receiver(&[]).await;
    let app = service("broken", port);
    let api = through(&app);
    let callback = json!({"url": hook(port), "secret": "shared", "headers": {"St2-Api-Key": "key"}});
    let body = json!({"steps": [{"step": "istioctl.analyze"}], "callback": callback});
    let run = api.post("/v1/runs?wait=30", &body).await;
    assert_eq!(run.status, StatusCode::OK, "{run:?}");
    let (headers, data) = messages(&app, &received, 1).await.remove(0);
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!((headers["ce-type"].as_str(), headers["ce-specversion"].as_str()), ("io.meshtriage.run.ended", "1.0"));
    assert_eq!(headers["ce-id"], headers["webhook-id"]);
    assert_eq!(headers["st2-api-key"], "key");
    assert_eq!((&data["run"]["verdict"], &data["run"]["id"]), (&json!("error"), &run.json()["run"]["id"]));
    let body = received.lock().unwrap().messages[0].1.clone();
    let at = headers["webhook-timestamp"].parse().unwrap();
    for (name, value) in callbacks::signed_headers(Some("shared"), &headers["webhook-id"], at, &body) {
        assert_eq!(headers[name], value, "{name}");
    }
    let run = api.get(run.json()["run"]["links"]["self"].as_str().unwrap()).await;
    assert!(!run.text.contains("opens-everything") && !run.text.contains("shared"));
}

/// Ansible's event source checks `x-hub-signature-256` over the bytes of the body, reads JSON objects only, and takes the
/// event as its payload (<https://github.com/ansible/ansible-rulebook/blob/main/ansible_rulebook/event_source/webhook.py>).
/// A `response_url` of Slack takes `text` within its bounds.
#[tokio::test(flavor = "multi_thread")]
async fn receivers_get_what_they_can_read() {
    for form in ["json", "structured_cloud_event", "slack"] {
        let (received, port) = receiver(&[]).await;
        let app = service("broken", port);
        let api = through(&app);
        let callback = json!({"url": hook(port), "secret": "shared", "form": form});
        let body = json!({"steps": [{"step": "istioctl.analyze"}], "callback": callback});
        api.post("/v1/runs?wait=30", &body).await;
        let (headers, event) = messages(&app, &received, 1).await.remove(0);
        let body = received.lock().unwrap().messages[0].1.clone();
        assert_eq!(headers["x-hub-signature-256"], hub_signature(b"shared", &body), "{form}");
        if form == "slack" {
            let text = event["text"].as_str().unwrap();
            assert!(text.starts_with("*istioctl.analyze* error:") && text.len() < 3000, "{text}");
            assert_eq!(headers["content-type"], "application/json");
        } else {
            assert_eq!(
                (&event["type"], &event["data"]["run"]["verdict"]),
                (&json!("io.meshtriage.run.ended"), &json!("error"))
            );
            assert_eq!(headers["content-type"] == "application/json", form == "json");
        }
    }
}

/// As a receiver works it out, by the definition of HMAC (RFC 2104).
fn hub_signature(key: &[u8], body: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    let mut block = [0_u8; 64];
    block[..key.len()].copy_from_slice(key);
    let with = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(with(0x36)).chain_update(body).finalize();
    let outer = Sha256::new().chain_update(with(0x5c)).chain_update(inner).finalize();
    outer.iter().fold("sha256=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn subscription_hears_of_what_is_new_once() {
    let (received, port) = receiver(&[]).await;
    let app = service("broken", port);
    let api = through(&app);
    let callback = api.post("/v1/callbacks", &json!({"url": hook(port), "form": "json"})).await;
    assert_eq!(callback.status, StatusCode::CREATED, "{callback:?}");
    assert!(!callback.text.contains("opens-everything") && !callback.text.contains("/hook"), "{}", callback.text);
    let wanted = json!({"events": ["findings_new"], "namespace": ["shop"], "min_severity": "error"});
    let subscription = json!({"callback": callback.json()["id"], "wanted": wanted});
    assert_eq!(api.post("/v1/subscriptions", &subscription).await.status, StatusCode::CREATED);
    api.get("/v1/istioctl/analyze").await;
    let (_, event) = messages(&app, &received, 1).await.remove(0);
    assert_eq!((&event["type"], &event["specversion"]), (&json!("io.meshtriage.findings.new"), &json!("1.0")));
    let findings = event["data"]["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    for finding in findings {
        assert_eq!(
            (&finding["namespace"], &finding["severity"], &finding["state"]),
            (&json!("shop"), &json!("error"), &json!("new"))
        );
    }
    api.get("/v1/istioctl/analyze").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    messages(&app, &received, 1).await;
    let path = format!("/v1/callbacks/{}", callback.json()["id"].as_str().unwrap());
    let log = api.get(&format!("{path}/deliveries")).await.json();
    assert_eq!((&log["items"][0]["state"], &log["items"][0]["last_status"]), (&json!("delivered"), &json!(200)));
    let again = format!("{path}/deliveries/{}/redeliver", log["items"][0]["id"].as_str().unwrap());
    assert_eq!(api.post(&again, &json!({})).await.status, StatusCode::ACCEPTED);
    let twice = messages(&app, &received, 2).await;
    assert_eq!(twice[0].0["webhook-id"], twice[1].0["webhook-id"], "the receiver can tell");
}

#[tokio::test(flavor = "multi_thread")]
async fn message_that_does_not_arrive_is_tried_again_and_not_sent_elsewhere() {
    let (received, port) = receiver(&[307, 500, 410]).await;
    let app = service("healthy", port);
    let api = through(&app);
    let callback = api.post("/v1/callbacks", &json!({"url": hook(port)})).await.json();
    let path = format!("/v1/callbacks/{}", callback["id"].as_str().unwrap());
    let subscription = json!({"callback": callback["id"], "wanted": {"events": ["run_ended"]}});
    api.post("/v1/subscriptions", &subscription).await;
    api.get("/v1/istioctl/tags").await;
    messages(&app, &received, 1).await;
    let log = api.get(&format!("{path}/deliveries")).await.json();
    let delivery = &log["items"][0];
    assert_eq!(
        (&delivery["state"], &delivery["last_status"]),
        (&json!("waiting"), &json!(307)),
        "no redirect is followed"
    );
    assert_eq!(callbacks::deliver_due(&app).await.unwrap(), 0, "it is tried again later");
    let again = format!("{path}/deliveries/{}/redeliver", delivery["id"].as_str().unwrap());
    for (count, status, state) in [(2, 500, "waiting"), (3, 410, "failed")] {
        api.post(&again, &json!({})).await;
        messages(&app, &received, count).await;
        let log = api.get(&format!("{path}/deliveries")).await.json();
        assert_eq!((&log["items"][0]["state"], &log["items"][0]["last_status"]), (&json!(state), &json!(status)));
    }
}

#[tokio::test]
async fn messages_go_nowhere_inside() {
    let app = service("healthy", 1);
    let api = through(&app);
    for url in [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest",
        "https://localhost/",
        "https://[::ffff:10.0.0.1]/",
        "https://example.com:6443/",
        "https://kubernetes.default.svc/",
        "gopher://example.com/",
    ] {
        let answer = api.post("/v1/callbacks", &json!({"url": url})).await;
        if url.contains("default.svc") {
            // Nothing tells from the name alone where it leads: it is refused when it is looked up.
            continue;
        }
        assert_eq!(answer.problem(), "validation_failed", "{url}");
        let run = json!({"steps": [{"step": "istioctl.tags"}], "callback": {"url": url}});
        let answer = api.post("/v1/runs", &run).await;
        assert_eq!(answer.json()["errors"][0]["pointer"], "/callback/url", "{url}");
    }
    let off = TestApp::over("healthy");
    assert_eq!(off.post("/v1/callbacks", &json!({"url": "https://example.com"})).await.problem(), "callbacks_disabled");
}

#[tokio::test(flavor = "multi_thread")]
async fn name_that_leads_inside_is_not_followed() {
    let (received, port) = receiver(&[]).await;
    let app = service("healthy", port);
    // `localhost` is refused as it is; a name that is looked up to a private address is refused by its address.
    let sender = Sender::new(Allowed::default()).unwrap();
    let target =
        callbacks::Target { url: "https://localtest.invalid./hook".to_owned(), secret: None, headers: Vec::new() };
    assert!(sender.send(&target, Vec::new(), Vec::new()).await.is_err());
    assert!(received.lock().unwrap().messages.is_empty());
    drop(app);
}

/// A service whose clock stands at this time, over a file that it shares with others.
fn at(time: &str, database: &Database) -> Arc<App> {
    let mut parts = app(recording("healthy"), Identify::Nobody);
    parts.clock = Clock::Fixed(time.parse().unwrap());
    parts.history = History::open(&database.url(), Duration::from_secs(20)).unwrap();
    Arc::new(parts)
}

#[tokio::test(flavor = "multi_thread")]
async fn schedule_makes_up_for_missed_times_once() {
    let database = Database::sqlite();
    let before = at("2026-12-01T05:30:00Z", &database);
    let api = through(&before);
    let new = json!({"name": "morning", "timing": {"cron": "0 6 * * *", "time_zone": "Europe/Berlin"},
        "run": {"steps": [{"step": "istioctl.tags"}], "labels": {"team": "mesh"}}});
    let added = api.post("/v1/schedules", &new).await;
    assert_eq!(
        (added.status, &added.json()["next_at"]),
        (StatusCode::CREATED, &json!("2026-12-02T05:00:00Z")),
        "{added:?}"
    );
    assert_eq!(runs::begin_due(&before).await.unwrap(), 0);
    let later = at("2026-12-05T04:00:00Z", &database);
    assert_eq!(runs::begin_due(&later).await.unwrap(), 1, "three times were missed");
    assert_eq!(runs::begin_due(&later).await.unwrap(), 0);
    let api = through(&later);
    let schedule = api.get("/v1/schedules").await.json()["items"][0].clone();
    assert_eq!(schedule["next_at"], "2026-12-05T05:00:00Z");
    let run = format!("/v1/runs/{}/result?wait=30", schedule["last_run"].as_str().unwrap());
    assert_eq!(api.get(&run).await.status, StatusCode::OK);
    let list = api.get("/v1/runs?label=schedule=morning&label=team=mesh").await.json();
    assert_eq!((&list["items"][0]["id"], &list["items"][0]["state"]), (&schedule["last_run"], &json!("succeeded")));
    let path = format!("/v1/schedules/{}", schedule["id"].as_str().unwrap());
    assert_eq!(api.call(http::Method::DELETE, &path).await.status, StatusCode::NO_CONTENT);

    let wrong = json!({"name": "a", "timing": {"cron": "0 6 * *"}, "run": {"checklist": "quick"}});
    assert_eq!(api.post("/v1/schedules", &wrong).await.json()["errors"][0]["pointer"], "/timing/cron");
    let action = json!({"name": "a", "timing": {"cron": "0 6 * * *"}, "run": {"steps": [{"step": "kubectl.restart-deployment",
        "inputs": {"namespace": "a", "deployment": "b", "reason": "c"}}]}});
    assert_eq!(api.post("/v1/schedules", &action).await.json()["errors"][0]["pointer"], "/run/steps");
}
