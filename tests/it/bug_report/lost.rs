//! Services that die in the middle of a report: the next start, or another replica, makes it anew.

use std::{path::Path, sync::Arc, time::Duration};

use meshtriage::{
    app::App,
    artifacts::Artifacts,
    auth::{Caller, Identify},
    history::{Enqueued, History, QueueBounds, Queued, Weight},
    report::{Progress, State},
    runs::{self, Plan},
    steps::{self, BugReport},
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    history::{Database, run_at},
    support::{
        app::{TestApp, app, recording},
        needs,
    },
};

fn service(url: &str, folder: &Path) -> App {
    let mut parts = app(recording("upstream"), Identify::Nobody);
    parts.history = History::open(url, Duration::from_secs(20)).unwrap();
    parts.artifacts = Artifacts::open(folder, 1 << 30).unwrap();
    parts
}

/// What a service leaves that was killed: a run that it held, and half an archive.
async fn killed(app: &App) -> Uuid {
    let prepared = steps::prepared::<BugReport>(serde_json::from_value(json!({})).unwrap()).unwrap();
    let ready = Plan::one(prepared.as_ref(), None, 60).ready().unwrap();
    let mut run = run_at(0);
    app.cluster.id().clone_into(&mut run.header.cluster);
    "istioctl.bug-report".clone_into(&mut run.header.step);
    run.header.state = State::Running;
    run.header.started_at = app.clock.now();
    run.header.expires_at = None;
    run.header.access.clear();
    run.header.inputs = ready.inputs();
    (run.header.verdict, run.header.summary) = (None, String::new());
    run.header.requested_by = Caller::anonymous().user;
    run.answer = None;
    let id = run.header.id;
    let caller = json!({"user": "anonymous", "uid": null, "groups": [], "extra": [], "reviewed": false});
    let enqueued = Enqueued {
        run,
        cluster: app.cluster.id().to_owned(),
        caller: caller.to_string(),
        plan: ready.plan.text(),
        plan_key: None,
        weight: Weight::Light,
        request: None,
        holder: Some((Uuid::now_v7(), runs::LEASE)),
    };
    let bounds = QueueBounds { runs: 10, runs_per_caller: 10 };
    assert_eq!(app.history.enqueue(&enqueued, bounds).await.unwrap(), Queued::Added);
    std::fs::write(app.artifacts.make(id).unwrap().join(".capture-x.part"), "half").unwrap();
    id
}

/// Another process takes it over, and makes the whole archive.
async fn taken_over(next: App, run: Uuid) {
    let next = Arc::new(next);
    let watching = tokio::spawn(runs::watch(Arc::clone(&next)));
    let app = TestApp { router: meshtriage::api::router(Arc::clone(&next)) };
    let answer = app.get(&format!("/v1/runs/{run}/result?wait=50")).await;
    assert_eq!(
        (answer.status, &answer.json()["run"]["state"]),
        (http::StatusCode::OK, &json!("succeeded")),
        "{answer:?}"
    );
    let kept: Vec<_> = std::fs::read_dir(next.artifacts.make(run).unwrap()).unwrap().collect();
    runs::clean(&next).await;
    let archive = app.get(&format!("/v1/runs/{run}/artifacts")).await.json();
    assert_eq!(archive["items"][0]["name"], "bug-report.tar.gz", "{archive} {kept:?}");
    let left = std::fs::read_dir(next.artifacts.make(run).unwrap()).unwrap().count();
    assert_eq!(left, 1, "the half archive is gone");
    watching.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_start_takes_the_run_over_at_once() {
    let (database, folder) = (Database::sqlite(), tempfile::tempdir().unwrap());
    let run = killed(&service(&database.url(), folder.path())).await;
    taken_over(service(&database.url(), folder.path()), run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_replica_takes_the_run_over_when_its_lease_is_over() {
    needs!(Postgres);
    let (database, folder) = (Database::postgres().await, tempfile::tempdir().unwrap());
    let (lost, mut other) = (service(&database.url(), folder.path()), service(&database.url(), folder.path()));
    let run = killed(&lost).await;
    // The database's clock counts, and not that of the replica.
    let ahead = other.clock.now().saturating_add(jiff::SignedDuration::from_hours(1)).unwrap();
    other.clock = meshtriage::clock::Clock::Fixed(ahead);
    assert_eq!(other.history.claim(other.cluster.id(), Uuid::now_v7(), runs::LEASE).await.unwrap(), None);
    let begun = std::time::Instant::now();
    taken_over(other, run).await;
    assert!(begun.elapsed() > Duration::from_secs(4), "it may have been alive: {:?}", begun.elapsed());
    // Had it lived after all, it would not hold the run any more.
    let progress = Progress::default();
    assert_eq!(lost.history.renew(run, Uuid::now_v7(), runs::LEASE, &progress).await.unwrap(), None);
    lost.history.close().await;
}

#[tokio::test]
async fn files_of_the_oldest_runs_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = app(recording("upstream"), Identify::Nobody);
    parts.artifacts = Artifacts::open(folder.path(), 250).unwrap();
    let mut ids = Vec::new();
    for second in 0..3 {
        let mut run = run_at(second);
        run.header.cluster = parts.cluster.id().to_owned();
        run.header.started_at = parts.clock.now();
        run.header.expires_at = None;
        assert!(parts.history.record(&run, &[]).await.unwrap());
        std::fs::write(parts.artifacts.make(run.header.id).unwrap().join("bug-report.tar.gz"), [0; 100]).unwrap();
        ids.push(run.header.id);
    }
    std::fs::write(parts.artifacts.make(uuid::Uuid::now_v7()).unwrap().join("of-no-run"), [0; 100]).unwrap();
    runs::clean(&parts).await;
    let kept: Vec<_> = parts.artifacts.kept().unwrap().into_iter().map(|kept| kept.run).collect();
    assert_eq!(kept, ids[1..]);
}
