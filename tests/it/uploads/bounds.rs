//! What is kept stays within its limits.

use std::time::Duration;

use axum::body::Body;
use futures::stream;
use http::{Request, StatusCode};
use jiff::Timestamp;
use meshtriage::{
    auth::{Identify, Rights},
    clock::Clock,
    uploads::Limits,
};
use tokio::sync::oneshot;

use super::{ANYBODY, As, Service, files, folder};
use crate::support::archives::{good, gzip};

#[tokio::test]
async fn upload_is_no_larger_than_allowed() {
    let folder = folder();
    let archive = gzip(&good());
    let size = archive.len() as u64;
    let service = Service::with(folder.path(), Limits { upload_bytes: size - 1, ..Limits::default() });
    // With the length announced nothing is read, and without it no more than is allowed.
    let announced =
        Request::post("/v1/captures").header("content-type", "application/gzip").header("content-length", size);
    let never = Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let answer = service.send(ANYBODY, announced, never).await;
    assert_eq!((answer.status, answer.problem()), (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large".to_owned()));
    let pieces = archive.chunks(10).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>();
    assert_eq!(service.upload(ANYBODY, Body::from_stream(stream::iter(pieces))).await.problem(), "payload_too_large");
    assert_eq!(files(folder.path()).len(), 0);
    let service = Service::with(folder.path(), Limits { upload_bytes: size, ..Limits::default() });
    service.uploaded(ANYBODY, archive).await;
}

#[tokio::test]
async fn number_and_size_of_kept_captures_are_bounded() {
    let archive = gzip(&good());
    let size = archive.len() as u64;
    let base = Limits::default();
    for (limits, of_all) in [
        (Limits { kept_per_caller: 2, ..base.clone() }, false),
        (Limits { kept_per_caller_bytes: 2 * size + 1, ..base.clone() }, false),
        (Limits { kept: 2, ..base.clone() }, true),
        (Limits { kept_bytes: 2 * size + 1, ..base }, true),
    ] {
        let folder = folder();
        let service = Service::with_callers(folder.path(), limits, Rights::Reviewed);
        let (alice, bob) = (As("alice"), As("bob"));
        let first = service.uploaded(alice, archive.clone()).await;
        service.uploaded(alice, archive.clone()).await;
        let before = files(folder.path()).len();
        let answer = service.upload(alice, archive.clone()).await;
        assert_eq!((answer.status, answer.problem()), (StatusCode::CONFLICT, "captures_full".to_owned()));
        assert_eq!(files(folder.path()).len(), before);
        let others = service.upload(bob, archive.clone()).await.status;
        assert_eq!(others, if of_all { StatusCode::CONFLICT } else { StatusCode::CREATED });
        service.delete(alice, &first).await;
        service.uploaded(alice, archive.clone()).await;
    }
}

#[tokio::test]
async fn uploads_at_once_are_bounded() {
    let folder = folder();
    let service = Service::with(folder.path(), Limits { uploads: 1, ..Limits::default() });
    let (begun, began) = oneshot::channel();
    let (go_on, may_go_on) = oneshot::channel::<()>();
    let archive = gzip(&good());
    let body = stream::once(async move {
        begun.send(()).unwrap();
        may_go_on.await.unwrap();
        Ok::<_, std::io::Error>(archive)
    });
    let slow = service.upload(ANYBODY, Body::from_stream(body));
    let other = async {
        began.await.unwrap();
        let answer = service.upload(ANYBODY, gzip(&good())).await;
        go_on.send(()).unwrap();
        answer
    };
    let (slow, other) = tokio::join!(slow, other);
    assert_eq!(slow.status, StatusCode::CREATED);
    assert_eq!((other.status, other.problem()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded".to_owned()));
    assert_eq!(other.headers["retry-after"], "1");
}

#[tokio::test]
async fn captures_expire() {
    let folder = folder();
    let at = |hour: i64| {
        let now: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let clock = Clock::Fixed(now + Duration::from_hours(u64::try_from(hour).unwrap()));
        Service::start(
            folder.path(),
            Limits { keep: Duration::from_hours(24), ..Limits::default() },
            clock,
            Identify::Nobody,
        )
    };
    let id = at(0).uploaded(ANYBODY, gzip(&good())).await;
    let late = at(23);
    assert_eq!(late.get(ANYBODY, &format!("/v1/captures/{id}")).await.json()["expires_at"], "2026-03-02T00:00:00Z");
    assert_eq!(late.uploads.tend().await.unwrap(), 0);
    let too_late = at(24);
    // Gone for everybody, before it is gone from the disk.
    assert_eq!(too_late.listed(ANYBODY).await, [""; 0]);
    assert_eq!(too_late.get(ANYBODY, &format!("/v1/kubectl/crds?capture={id}")).await.problem(), "not_found");
    assert_eq!(too_late.uploads.tend().await.unwrap(), 1);
    drop(late);
    assert_eq!(files(folder.path()).len(), 0);
}

#[tokio::test]
async fn pages_follow_each_other() {
    let folder = folder();
    let service = Service::new(folder.path());
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, service.uploaded(ANYBODY, gzip(&good())).await);
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/captures?limit=2".to_owned());
    loop {
        let answer = service.get(ANYBODY, &path).await;
        let page = answer.json();
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/captures?limit=2&cursor={cursor}");
        assert_eq!(answer.headers["link"], format!("<{path}>; rel=\"next\""));
    }
    assert_eq!(seen, ids, "the newest first");
}
