//! What was uploaded answers as the folder it was made of does.

use axum::body::Body;
use http::{Request, StatusCode};
use meshtriage::{
    capture::{self, WriteOptions},
    cluster::Cluster,
    steps,
};
use serde_json::Value;

use super::{ANYBODY, Service, folder};
use crate::support::{
    app::{TestApp, recording},
    checklist::{Call, calls},
    recording_path, say,
};

async fn archive(cluster: &Cluster) -> Vec<u8> {
    let folder = folder();
    let path = folder.path().join("mesh.tar.gz");
    let options = WriteOptions { logs_outside_mesh: true, ..WriteOptions::new(cluster.now()) };
    capture::write(cluster.client(), &path, &options).await.unwrap();
    std::fs::read(path).unwrap()
}

/// The endpoint of a call, with its inputs.
fn path(call: &Call, capture: Option<&str>) -> String {
    let mut path = steps::find(call.step).unwrap().about().endpoint.to_owned();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in &call.inputs {
        let place = format!("{{{name}}}");
        if path.contains(&place) {
            path = path.replace(&place, value);
        } else {
            query.append_pair(name, value);
        }
    }
    query.extend_pairs(capture.map(|id| ("capture", id)));
    format!("{path}?{}", query.finish())
}

/// An answer without what differs from one making to the next.
fn comparable(mut answer: Value) -> Value {
    fn forget(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|key, _| !["managedFields", "resourceVersion", "fingerprint"].contains(&key.as_str()));
                map.values_mut().for_each(forget);
            }
            Value::Array(list) => list.iter_mut().for_each(forget),
            _ => {}
        }
    }
    answer.as_object_mut().unwrap().remove("run");
    forget(&mut answer);
    answer
}

async fn compare(name: &str) {
    let cluster = recording(name);
    let (ours, folder) = (TestApp::over(name), folder());
    let service = Service::new(folder.path());
    let id = service.uploaded(ANYBODY, archive(&cluster).await).await;
    let about = service.get(ANYBODY, &format!("/v1/captures/{id}")).await.json();
    assert_eq!((&about["kind"], &about["name"]), (&"own".into(), &"test".into()));
    assert_eq!(Some(about["recorded_cluster"].as_str().unwrap()), cluster.id().strip_prefix("recording:"));
    let mut different = Vec::new();
    let calls = calls(&cluster).await;
    for one in &calls {
        let theirs = service.get(ANYBODY, &path(one, Some(&id))).await;
        let expected = ours.get(&path(one, None)).await;
        assert_eq!(theirs.status, StatusCode::OK, "{}: {}", one.words(), theirs.text);
        assert_eq!(theirs.json()["run"]["capture"], id.as_str());
        if comparable(theirs.json()) != comparable(expected.json()) {
            different.push(one.words());
        }
    }
    let same = calls.len() - different.len();
    say(&format!("{name}: {same} of {} calls answer the same from the folder and from the upload", calls.len()));
    assert!(different.is_empty(), "{different:#?}");
    let runs = service.get(ANYBODY, &format!("/v1/runs?limit=500&capture={id}")).await.json();
    assert_eq!(runs["items"].as_array().unwrap().len(), calls.len());
}

#[tokio::test]
async fn healthy_answers_the_same_when_uploaded() {
    compare("healthy").await;
}

#[tokio::test]
async fn broken_answers_the_same_when_uploaded() {
    compare("broken").await;
}

#[tokio::test]
async fn upstream_answers_the_same_when_uploaded() {
    compare("upstream").await;
}

#[tokio::test]
async fn istioctls_archives_are_taken() {
    let folder = folder();
    let service = Service::new(folder.path());
    let mut taken = 0;
    for name in ["healthy", "broken", "upstream"] {
        for entry in std::fs::read_dir(recording_path(&format!("{name}/bug-report"))).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "gz") {
                continue;
            }
            let answer = service.upload(ANYBODY, std::fs::read(&path).unwrap()).await.json();
            assert_eq!(answer["kind"], "bug_report", "{answer}");
            assert!(answer["skipped_count"].as_u64().unwrap() > 0 && answer["recorded_at"].is_string(), "{answer}");
            let id = answer["id"].as_str().unwrap();
            let found = service.get(ANYBODY, &format!("/v1/istioctl/analyze?capture={id}")).await;
            assert_eq!(found.status, StatusCode::OK, "{}: {}", path.display(), found.text);
            assert!(!found.json()["skipped"].as_array().unwrap().is_empty(), "what it lacks is said");
            taken += 1;
        }
    }
    assert!(taken >= 3, "{taken}");
}

const SERVICE: &str = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: lost, namespace: shop}\n\
    spec: {hosts: [a.shop.svc.cluster.local], http: [{route: [{destination: {host: nowhere.shop.svc.cluster.local}}]}]}\n";

#[tokio::test]
async fn yaml_is_taken_and_analyzed() {
    let folder = folder();
    let service = Service::new(folder.path());
    let request = Request::post("/v1/captures")
        .header("content-type", "application/yaml; charset=utf-8")
        .header("meshtriage-capture-name", "Übung");
    let yaml = format!("{SERVICE}---\napiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: shop}}\n");
    let answer = service.send(ANYBODY, request, yaml.clone()).await.json();
    assert_eq!((&answer["kind"], &answer["name"]), (&"yaml".into(), &"Übung".into()));
    assert_eq!(answer["bytes"], yaml.len());
    let id = answer["id"].as_str().unwrap();
    let found = service.get(ANYBODY, &format!("/v1/istioctl/analyze?capture={id}")).await.json();
    assert_eq!(found["findings"][0]["subject"]["name"], "lost", "{found:#}");
    let resources = service.get(ANYBODY, &format!("/v1/kubectl/crds/virtualservices/resources?capture={id}")).await;
    assert_eq!(resources.status, StatusCode::OK, "{}", resources.text);
}

#[tokio::test]
async fn proposed_configuration_is_judged_over_a_capture() {
    let folder = folder();
    let service = Service::new(folder.path());
    let id = service.uploaded(ANYBODY, archive(&recording("broken")).await).await;
    let post = |path: String, media: &str| Request::post(path).header("content-type", media);
    let path = format!("/v1/istioctl/analyze?only_new=true&capture={id}");
    let answer = service.send(ANYBODY, post(path, "application/yaml"), SERVICE).await.json();
    assert_eq!(answer["findings"][0]["subject"]["name"], "lost", "{answer:#}");
    assert_eq!(answer["run"]["capture"], id.as_str());
    let path = format!("/v1/istioctl/analyze?capture={id}");
    let body = serde_json::json!({ "only_new": true, "files": [{ "name": "v.yaml", "content": SERVICE }] });
    let same = service.send(ANYBODY, post(path, "application/json"), Body::from(body.to_string())).await.json();
    assert_eq!(same["counts"], answer["counts"]);
    assert_eq!(same["run"]["capture"], id.as_str());
}

#[tokio::test]
async fn recorded_log_is_not_followed() {
    let folder = folder();
    let service = Service::new(folder.path());
    let id = service.uploaded(ANYBODY, SERVICE).await;
    let answer = service.get(ANYBODY, &format!("/v1/kubectl/istiod-logs?follow=true&capture={id}")).await;
    assert_eq!(
        (answer.problem().as_str(), &answer.json()["errors"][0]["pointer"]),
        ("validation_failed", &"/follow".into())
    );
}
