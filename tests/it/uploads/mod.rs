//! Captures over HTTP: uploaded, read by steps, kept within bounds, and refused when they are broken or hostile.

mod access;
mod bounds;
mod connections;
mod documented;
mod opened;
mod refused;
mod restart;
mod round_trip;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::body::Body;
use http::{Request, StatusCode};
use meshtriage::{
    api,
    auth::{Identify, Keys, Rights},
    capture::hexadecimal,
    clock::Clock,
    cluster::Settings,
    uploads::{Folder, Limits, Uploads},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::support::app::{Answered, TestApp, app, recording};

/// Somewhere in a cluster that is no capture.
const OWN: &str = "healthy";

/// The service over a recording, with a folder for uploads that outlives it.
struct Service {
    app: TestApp,
    uploads: Uploads,
}

/// A caller with a key of his own, or nobody where there are no keys.
#[derive(Clone, Copy)]
struct As(&'static str);

const ANYBODY: As = As("");

impl Service {
    fn new(folder: &Path) -> Self {
        Self::with(folder, Limits::default())
    }

    /// Everybody has all rights.
    fn with(folder: &Path, limits: Limits) -> Self {
        Self::start(folder, limits, Clock::System, Identify::Nobody)
    }

    /// With the keys `alice` and `bob`, of callers who have these rights.
    fn with_callers(folder: &Path, limits: Limits, rights: Rights) -> Self {
        let keys = ["alice", "bob"].map(|name| {
            let hash = hexadecimal(&Sha256::digest(name));
            format!("- {{name: {name}, sha256: {hash}, user: {name}}}\n")
        });
        let keys = Keys::parse(&format!("keys:\n{}", keys.concat())).unwrap();
        Self::start(folder, limits, Clock::System, Identify::Keys { keys, rights })
    }

    fn start(folder: &Path, limits: Limits, clock: Clock, identify: Identify) -> Self {
        let uploads = Uploads::new(Folder::at(folder.join("captures")), limits, clock, Settings::default());
        let mut parts = app(recording(OWN), identify);
        parts.uploads = uploads.clone();
        Self { app: TestApp { router: api::router(Arc::new(parts)) }, uploads }
    }

    async fn send(&self, caller: As, request: http::request::Builder, body: impl Into<Body>) -> Answered {
        let request = if caller.0.is_empty() { request } else { request.header("x-api-key", caller.0) };
        self.app.send(request.body(body.into()).unwrap()).await
    }

    async fn upload(&self, caller: As, body: impl Into<Body>) -> Answered {
        let request = Request::post("/v1/captures?name=test").header("content-type", "application/gzip");
        self.send(caller, request, body).await
    }

    /// The id of a capture that is taken.
    async fn uploaded(&self, caller: As, body: impl Into<Body>) -> String {
        let answer = self.upload(caller, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(answer.headers["location"], format!("/v1/captures/{id}"));
        id
    }

    async fn get(&self, caller: As, path: &str) -> Answered {
        self.send(caller, Request::get(path), Body::empty()).await
    }

    async fn delete(&self, caller: As, id: &str) -> Answered {
        self.send(caller, Request::delete(format!("/v1/captures/{id}")), Body::empty()).await
    }

    /// The ids that a caller's list has.
    async fn listed(&self, caller: As) -> Vec<String> {
        let list: Value = self.get(caller, "/v1/captures").await.json();
        list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// A step that any capture answers.
fn step(id: &str) -> String {
    format!("/v1/kubectl/resource-status?resource=pods&all_namespaces=true&capture={id}")
}

/// Every file of the captures' folder but for the locks of living processes.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.join("captures")]);
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                // What was unpacked has a folder of its own.
                let unpacked = path.file_name().unwrap().to_string_lossy().starts_with("meshtriage-capture-");
                found.extend(unpacked.then(|| path.clone()));
                open.push(path);
            } else if path.extension().is_none_or(|extension| extension != "lock") {
                found.push(path);
            }
        }
    }
    found
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}
