//! A capture belongs to whoever uploaded it.

use axum::body::Body;
use http::{Request, StatusCode};
use meshtriage::{auth::Rights, uploads::Limits};
use serde_json::json;
use uuid::Uuid;

use super::{As, Service, folder, step};
use crate::support::archives::{good, gzip};

const ALICE: As = As("alice");
const BOB: As = As("bob");

#[tokio::test]
async fn capture_of_another_caller_does_not_exist() {
    let folder = folder();
    let service = Service::with_callers(folder.path(), Limits::default(), Rights::Reviewed);
    let id = service.uploaded(ALICE, gzip(&good())).await;
    let about = service.get(ALICE, &format!("/v1/captures/{id}")).await.json();
    assert_eq!(about["uploaded_by"], "alice");
    assert_eq!(service.listed(ALICE).await, [id.as_str()]);
    assert_eq!(service.listed(BOB).await, [""; 0]);
    let path = step(&id);
    let unknown = path.replace(&id, &Uuid::now_v7().to_string());
    let theirs = service.get(BOB, &path).await;
    assert_eq!((theirs.status, theirs.problem()), (StatusCode::NOT_FOUND, "not_found".to_owned()));
    assert_eq!(theirs.json()["detail"], service.get(BOB, &unknown).await.json()["detail"], "no difference can be told");
    assert_eq!(service.get(BOB, &format!("/v1/captures/{id}")).await.problem(), "not_found");
    assert_eq!(service.delete(BOB, &id).await.problem(), "not_found");
    assert_eq!(service.get(ALICE, "/v1/kubectl/crds?capture=x").await.problem(), "not_found");

    // Alice's own permissions in the cluster do not matter inside of it: there are none to ask for.
    let answer = service.get(ALICE, &path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);

    let run = answer.json()["run"]["links"]["self"].as_str().unwrap().to_owned();
    let found = service.get(ALICE, &run).await.json();
    assert_eq!((&found["capture"], &found["requested_by"]), (&id.as_str().into(), &"alice".into()));
    assert_eq!(service.get(BOB, &run).await.problem(), "not_found");
    let runs = format!("/v1/runs?capture={id}");
    assert_eq!(service.get(ALICE, &runs).await.json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(service.get(BOB, &runs).await.json()["items"], json!([]));
    assert_eq!(service.get(ALICE, "/v1/runs").await.json()["items"], json!([]), "the cluster itself was not read");

    // The run outlives its capture.
    assert_eq!(service.delete(ALICE, &id).await.status, StatusCode::NO_CONTENT);
    assert_eq!(service.get(ALICE, &path).await.problem(), "not_found");
    assert_eq!(service.get(ALICE, &run).await.status, StatusCode::OK);
    let deleted = service.send(ALICE, Request::delete(&run), Body::empty()).await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    assert_eq!(service.get(ALICE, &run).await.problem(), "not_found");
}

#[tokio::test]
async fn callers_with_all_rights_use_every_capture() {
    let folder = folder();
    let service = Service::with_callers(folder.path(), Limits::default(), Rights::All);
    let id = service.uploaded(ALICE, gzip(&good())).await;
    assert_eq!(service.listed(BOB).await, [id.as_str()]);
    let path = step(&id);
    assert_eq!(service.get(BOB, &path).await.status, StatusCode::OK);
    assert_eq!(service.delete(BOB, &id).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn capture_cannot_be_changed() {
    let folder = folder();
    let service = Service::with_callers(folder.path(), Limits::default(), Rights::All);
    let id = service.uploaded(ALICE, gzip(&good())).await;
    for action in ["bounce-pod", "restart-deployment"] {
        let request = Request::post(format!("/v1/kubectl/{action}?capture={id}"));
        let answer = service.send(ALICE, request.header("content-type", "application/json"), "{}").await;
        assert_eq!((answer.status, answer.problem()), (StatusCode::CONFLICT, "capture_is_read_only".to_owned()));
    }
}

#[tokio::test]
async fn capture_is_no_parameter_of_other_paths() {
    let folder = folder();
    let service = Service::with_callers(folder.path(), Limits::default(), Rights::All);
    let id = service.uploaded(ALICE, gzip(&good())).await;
    for path in ["/v1/errors", "/v1/captures", "/v1/steps", "/v1/whoami"] {
        assert_eq!(service.get(ALICE, &format!("{path}?capture={id}")).await.problem(), "validation_failed", "{path}");
    }
    let twice = service.get(ALICE, &format!("/v1/kubectl/crds?capture={id}&capture={id}")).await;
    assert_eq!(twice.json()["errors"][0]["pointer"], "/capture");
}
