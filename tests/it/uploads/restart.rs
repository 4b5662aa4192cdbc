//! What is kept outlives the process, and what a killed one left is removed.

use std::{fs, path::PathBuf};

use http::StatusCode;
use uuid::Uuid;

use super::{ANYBODY, Service, files, folder, step};
use crate::support::archives::{good, gzip};

#[tokio::test]
async fn captures_outlive_a_restart() {
    let folder = folder();
    let before = Service::new(folder.path());
    let id = before.uploaded(ANYBODY, gzip(&good())).await;
    let about = before.get(ANYBODY, &format!("/v1/captures/{id}")).await.json();
    drop(before);
    let after = Service::new(folder.path());
    after.uploads.tend().await.unwrap();
    assert_eq!(after.listed(ANYBODY).await, [id.as_str()]);
    assert_eq!(after.get(ANYBODY, &format!("/v1/captures/{id}")).await.json(), about);
    let path = step(&id);
    assert_eq!(after.get(ANYBODY, &path).await.status, StatusCode::OK);
}

#[tokio::test]
async fn replicas_that_share_the_folder_see_the_same() {
    let folder = folder();
    let (one, other) = (Service::new(folder.path()), Service::new(folder.path()));
    let id = one.uploaded(ANYBODY, gzip(&good())).await;
    let path = step(&id);
    assert_eq!(other.get(ANYBODY, &path).await.status, StatusCode::OK);
    // Neither takes what the other has open for left behind.
    other.uploads.tend().await.unwrap();
    assert_eq!(one.get(ANYBODY, &path).await.status, StatusCode::OK);
    assert_eq!(files(folder.path()).iter().filter(|path| path.is_dir()).count(), 2);
    assert_eq!(one.delete(ANYBODY, &id).await.status, StatusCode::NO_CONTENT);
    assert_eq!(other.get(ANYBODY, &path).await.problem(), "not_found");
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed() {
    let folder = folder();
    let captures = folder.path().join("captures");
    let working = captures.join(format!("working-{}", Uuid::now_v7()));
    fs::create_dir_all(working.join("meshtriage-capture-x/cluster")).unwrap();
    fs::write(working.join("upload-x"), b"half of it").unwrap();
    fs::write(working.with_extension("lock"), b"").unwrap();
    // A file whose description was not written any more: an old one, and one that somebody may be writing just now.
    let old = captures.join("01900000-0000-7000-8000-000000000000.capture");
    let young: PathBuf = captures.join(format!("{}.capture", Uuid::now_v7()));
    fs::write(&old, b"x").unwrap();
    fs::write(&young, b"x").unwrap();
    fs::write(captures.join("README"), b"not ours").unwrap();
    let service = Service::new(folder.path());
    service.uploads.tend().await.unwrap();
    let mut left = files(folder.path());
    left.sort();
    assert_eq!(left, [young, captures.join("README")]);
    assert!(!working.exists());
}

#[tokio::test]
async fn description_that_cannot_be_read_costs_only_itself() {
    let folder = folder();
    let service = Service::new(folder.path());
    let id = service.uploaded(ANYBODY, gzip(&good())).await;
    let broken = Uuid::now_v7();
    fs::write(folder.path().join(format!("captures/{broken}.json")), b"{").unwrap();
    assert_eq!(service.listed(ANYBODY).await, [id]);
    assert_eq!(service.get(ANYBODY, &format!("/v1/captures/{broken}")).await.problem(), "internal");
    service.uploads.tend().await.unwrap();
}
