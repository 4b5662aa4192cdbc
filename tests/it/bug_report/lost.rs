//! Services that die in the middle of a report: the next start, or another replica, ends the run and removes its files.

use std::{path::Path, time::Duration};

use meshtriage::{
    app::App,
    artifacts::Artifacts,
    auth::Identify,
    history::{Begun, History, Run},
    report::{Progress, State},
    runs,
};
use serde_json::json;

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

/// What a service leaves that was killed: a run, its lease, and half an archive.
async fn killed(app: &App, held_for: i64) -> Run {
    let mut run = run_at(0);
    app.cluster.id().clone_into(&mut run.header.cluster);
    "istioctl.bug-report".clone_into(&mut run.header.step);
    run.header.state = State::Running;
    run.header.started_at = app.clock.now();
    run.header.expires_at = None;
    run.header.access.clear();
    (run.header.verdict, run.header.summary) = (None, String::new());
    run.header.requested_by = meshtriage::auth::Caller::anonymous().user;
    run.answer = None;
    let held_until = app.clock.now().saturating_add(jiff::SignedDuration::from_secs(held_for)).unwrap();
    assert_eq!(app.history.begin(&run, held_until, None).await.unwrap(), Begun::Started);
    std::fs::write(app.artifacts.make(run.header.id).unwrap().join(".capture-x.part"), "half").unwrap();
    run
}

#[tokio::test]
async fn the_next_start_ends_the_run_and_removes_the_half_archive() {
    let (database, folder) = (Database::sqlite(), tempfile::tempdir().unwrap());
    let run = killed(&service(&database.url(), folder.path()), 29).await;
    let next = service(&database.url(), folder.path());
    assert_eq!(runs::end_abandoned(&next, Some(next.clock.now())).await.unwrap(), 1);
    runs::clean(&next).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let next = TestApp::new(next);
    let answer = next.get(&format!("/v1/runs/{}/result", run.header.id)).await.json();
    assert_eq!(answer["run"]["state"], "failed");
    assert!(answer["summary"].as_str().unwrap().contains("ended in the middle"), "{answer}");
    let again = next.post("/v1/istioctl/bug-report?wait=50", &json!({})).await;
    assert_eq!(again.status, http::StatusCode::OK, "the caller's place is free: {again:?}");
}

#[tokio::test]
async fn another_replica_ends_the_run_when_its_lease_is_over() {
    needs!(Postgres);
    let (database, folder) = (Database::postgres().await, tempfile::tempdir().unwrap());
    let (lost, other) = (service(&database.url(), folder.path()), service(&database.url(), folder.path()));
    let run = killed(&lost, 30).await;
    // It may be alive.
    assert_eq!(runs::end_abandoned(&other, Some(other.clock.now())).await.unwrap(), 0);
    runs::clean(&other).await;
    assert!(folder.path().join(run.header.id.to_string()).join(".capture-x.part").exists());
    let id = run.header.id;
    assert!(other.history.ask_to_cancel(other.cluster.id(), id).await.unwrap());
    let past = other.clock.now().saturating_sub(jiff::SignedDuration::from_secs(60)).unwrap();
    let progress = Progress { parts_done: 7, ..Progress::default() };
    assert_eq!(lost.history.renew(id, past, &progress).await.unwrap(), Some(true), "the owner is told to cancel");
    assert_eq!(other.history.progress(other.cluster.id(), id).await.unwrap(), Some(progress));
    assert_eq!(runs::end_abandoned(&other, None).await.unwrap(), 1);
    runs::clean(&other).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // Had it lived after all, its end would not count.
    assert_eq!(lost.history.renew(id, past, &Progress::default()).await.unwrap(), None);
    let mut late = run;
    late.header.state = State::Succeeded;
    assert!(!lost.history.record(&late, &[]).await.unwrap());
    lost.history.close().await;
    other.history.close().await;
    database.remove().await;
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
