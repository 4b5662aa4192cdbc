//! Few captures are open at once, and each is opened once.

use std::time::Duration;

use futures::future::join_all;
use http::StatusCode;
use meshtriage::uploads::Limits;

use super::{ANYBODY, Service, files, folder, step};
use crate::support::archives::{good, gzip};

fn unpacked(folder: &std::path::Path) -> usize {
    files(folder).iter().filter(|path| path.is_dir()).count()
}

#[tokio::test]
async fn capture_that_many_ask_for_is_opened_once() {
    let folder = folder();
    let id = Service::new(folder.path()).uploaded(ANYBODY, gzip(&good())).await;
    let service = Service::new(folder.path());
    assert_eq!((service.uploads.opened(), unpacked(folder.path())), (0, 0));
    let path = step(&id);
    let answers = join_all((0..16).map(|_| service.get(ANYBODY, &path))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK), "{answers:?}");
    assert_eq!((service.uploads.opened(), unpacked(folder.path())), (1, 1));
}

#[tokio::test]
async fn longest_unused_makes_room() {
    let folder = folder();
    // Each takes a half of the room, and the largest possible one would take as much.
    let limits = Limits { opened: 2, unpacked_bytes: 8 << 20, ..Limits::default() };
    let service = Service::with(folder.path(), limits);
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(service.uploaded(ANYBODY, gzip(&good())).await);
        assert!(service.uploads.opened() <= 2 && unpacked(folder.path()) <= 2);
    }
    let paths: Vec<_> = ids.iter().cycle().take(18).map(|id| step(id)).collect();
    let answers = join_all(paths.iter().map(|path| service.get(ANYBODY, path))).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK), "{answers:?}");
    assert!(service.uploads.opened() <= 2 && unpacked(folder.path()) <= 2);
}

#[tokio::test]
async fn step_is_told_when_there_is_no_room() {
    let folder = folder();
    let limits = Limits { opened: 2, unpacked_bytes: 8 << 20, patience: Duration::ZERO, ..Limits::default() };
    let service = Service::with(folder.path(), limits);
    let caller = meshtriage::auth::Caller::anonymous();
    let (mut ids, mut held) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        ids.push(service.uploaded(ANYBODY, gzip(&good())).await);
    }
    for id in &ids[..2] {
        held.push(service.uploads.open(&caller, id.parse().unwrap()).await.unwrap());
    }
    let path = step(&ids[2]);
    let answer = service.get(ANYBODY, &path).await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded".to_owned()));
    drop(held);
    assert_eq!(service.get(ANYBODY, &path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_nobody_uses_is_closed() {
    let folder = folder();
    let service = Service::with(folder.path(), Limits { idle: Duration::ZERO, ..Limits::default() });
    let id = service.uploaded(ANYBODY, gzip(&good())).await;
    let held = service.uploads.open(&meshtriage::auth::Caller::anonymous(), id.parse().unwrap()).await.unwrap();
    service.uploads.tend().await.unwrap();
    assert_eq!(service.uploads.opened(), 1, "it is used");
    drop(held);
    service.uploads.tend().await.unwrap();
    assert_eq!((service.uploads.opened(), unpacked(folder.path())), (0, 0));
}

#[tokio::test]
async fn deleted_capture_is_closed() {
    let folder = folder();
    let service = Service::new(folder.path());
    let id = service.uploaded(ANYBODY, gzip(&good())).await;
    assert_eq!(unpacked(folder.path()), 1);
    assert_eq!(service.delete(ANYBODY, &id).await.status, StatusCode::NO_CONTENT);
    assert_eq!(files(folder.path()).len(), 0);
    assert_eq!(service.uploads.opened(), 0);
}
