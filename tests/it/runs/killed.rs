//! Services that are killed at any moment lose no run that they have accepted, and none stays behind for ever. How often is
//! set by `MESHTRIAGE_TEST_KILLS`.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use meshtriage::{
    auth::Identify,
    history::{Enqueued, History, QueueBounds, Queued, Weight},
    report::State,
    runs::{self, Plan},
    steps,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    history::{Database, run_at},
    support::{
        app::{TestApp, app, recording},
        needs,
        needs::setting,
        say,
    },
};

/// A service in a process of its own, over the demo.
struct Service {
    child: Child,
    port: u16,
}

impl Service {
    fn start(url: &str, artifacts: &std::path::Path) -> Self {
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let child = Command::new(env!("CARGO_BIN_EXE_meshtriage"))
            .args(["serve", "--demo", "--log", "warn", "--database-url", url, "--listen"])
            .arg(format!("127.0.0.1:{port}"))
            .arg("--artifacts-dir")
            .arg(artifacts)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let service = Self { child, port };
        let begun = Instant::now();
        while service.call("GET", "/livez", None).is_none() {
            assert!(begun.elapsed() < Duration::from_mins(1), "the service does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        service
    }

    /// Without a client library, since the service may be gone in the middle.
    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some((status, serde_json::from_str(body).unwrap_or_default()))
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn kills() -> u32 {
    setting("MESHTRIAGE_TEST_KILLS").map_or(4, |kills| kills.parse().unwrap())
}

/// Milliseconds, others at each run of the test.
fn moment() -> u64 {
    let bytes = *Uuid::now_v7().as_bytes();
    u64::from(u16::from_be_bytes([bytes[14], bytes[15]])) % 700
}

/// Begins runs until the service is killed; answers those that it has accepted.
fn accepted(service: &Service, until: Instant) -> Vec<String> {
    let mut ids = Vec::new();
    let mut number = 0;
    while Instant::now() < until {
        number += 1;
        let body = if number % 5 == 0 {
            json!({"checklist": "quick", "labels": {"number": number.to_string()}})
        } else {
            json!({"steps": [{"step": "istioctl.tags"}, {"step": "kubectl.crds"}], "limits": {"timeout_s": 60}})
        };
        if let Some((202, run)) = service.call("POST", "/v1/runs", Some(&body)) {
            ids.push(run["id"].as_str().unwrap().to_owned());
        }
        std::thread::sleep(Duration::from_millis(15));
    }
    ids
}

/// None is lost, and none is under way for ever.
fn all_end(service: &Service, ids: &BTreeSet<String>) {
    let begun = Instant::now();
    let mut left: Vec<&String> = ids.iter().collect();
    while !left.is_empty() {
        left.retain(|id| {
            let (status, run) = service.call("GET", &format!("/v1/runs/{id}"), None).unwrap();
            assert_eq!(status, 200, "run {id} is lost: {run}");
            if run["done"] == json!(true) && run["state"] != "succeeded" {
                // One that was under way at each of several kills ends with the reason.
                assert!(run["summary"].as_str().unwrap().starts_with("given up: "), "{run}");
            }
            run["done"] != json!(true)
        });
        assert!(begun.elapsed() < Duration::from_mins(2), "{} of {} runs are stuck: {left:?}", left.len(), ids.len());
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn killed_service_loses_no_run_on_sqlite() {
    let (database, artifacts) = (Database::sqlite(), tempfile::tempdir().unwrap());
    let mut ids = BTreeSet::new();
    for _ in 0..kills() {
        let service = Service::start(&database.url(), artifacts.path());
        ids.extend(accepted(&service, Instant::now() + Duration::from_millis(100 + moment())));
        service.kill();
    }
    let service = Service::start(&database.url(), artifacts.path());
    all_end(&service, &ids);
    say(&format!("{} kills, {} runs accepted, none lost", kills(), ids.len()));
    service.kill();
}

#[test]
fn killed_replicas_lose_no_run_on_postgres() {
    needs!(Postgres);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let database = runtime.block_on(Database::postgres());
    let artifacts = tempfile::tempdir().unwrap();
    let mut replicas: Vec<Service> = (0..3).map(|_| Service::start(&database.url(), artifacts.path())).collect();
    let mut ids = BTreeSet::new();
    for round in 0..kills() as usize {
        let at = round % replicas.len();
        ids.extend(accepted(&replicas[at], Instant::now() + Duration::from_millis(100 + moment())));
        replicas.remove(at).kill();
        replicas.insert(at, Service::start(&database.url(), artifacts.path()));
    }
    all_end(&replicas[0], &ids);
    say(&format!("{} kills of 3 replicas, {} runs accepted, none lost", kills(), ids.len()));
    replicas.into_iter().for_each(Service::kill);
    runtime.block_on(database.remove());
}

#[tokio::test(flavor = "multi_thread")]
async fn change_of_the_cluster_is_not_repeated() {
    let database = Database::sqlite();
    let mut parts = app(recording("healthy"), Identify::Nobody);
    parts.history = History::open(&database.url(), Duration::from_secs(20)).unwrap();
    let inputs =
        json!({"namespace": "aks-istio-system", "deployment": "istiod-asm-1-30", "reason": "test", "dry_run": false});
    let step = steps::find("kubectl.restart-deployment").unwrap();
    let prepared = step.prepare(steps::Inputs::Json(inputs)).unwrap();
    let ready = Plan::one(prepared.as_ref(), None, 60).ready().unwrap();
    let mut run = run_at(0);
    parts.cluster.id().clone_into(&mut run.header.cluster);
    "kubectl.restart-deployment".clone_into(&mut run.header.step);
    run.header.state = State::Running;
    run.header.access.clear();
    run.header.requested_by = "anonymous".to_owned();
    run.header.expires_at = None;
    run.answer = None;
    let id = run.header.id;
    let enqueued = Enqueued {
        run,
        cluster: parts.cluster.id().to_owned(),
        caller: json!({"user": "anonymous", "uid": null, "groups": [], "extra": [], "reviewed": false}).to_string(),
        plan: ready.plan.text(),
        plan_key: None,
        weight: Weight::Light,
        request: None,
        // Whoever has begun it is gone.
        holder: Some((Uuid::now_v7(), Duration::from_millis(1))),
    };
    let bounds = QueueBounds { runs: 10, runs_per_caller: 10 };
    assert_eq!(parts.history.enqueue(&enqueued, bounds).await.unwrap(), Queued::Added);
    let parts = Arc::new(parts);
    let watching = tokio::spawn(runs::watch(Arc::clone(&parts)));
    let app = TestApp { router: meshtriage::api::router(parts) };
    let answer = app.get(&format!("/v1/runs/{id}/result?wait=20")).await.json();
    assert_eq!(answer["run"]["state"], "failed");
    assert!(answer["summary"].as_str().unwrap().contains("may have been made or not"), "{answer}");
    watching.abort();
}
