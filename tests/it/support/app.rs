//! The service over a recording, called in memory.

use std::{path::Path, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
};
use http::{HeaderMap, Method, Request, StatusCode};
use meshtriage::{
    api,
    app::{App, Limits},
    artifacts::Artifacts,
    auth::{Authority, Identify, Keys, Rights},
    capture::{self, Capture},
    clock::Clock,
    cluster::{
        Cluster, Settings,
        budget::{Budget, Pool},
    },
    disk::Disk,
    errors::Catalogue,
    history::{History, TIME_LIMIT},
    runs::Background,
    start,
    telemetry::Metrics,
    uploads::{self, Folder, Uploads},
};
use serde_json::Value;
use tower::ServiceExt as _;

/// The service, with a router to call.
pub(crate) struct TestApp {
    pub(crate) router: Router,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The problem's stable code.
    pub(crate) fn problem(&self) -> String {
        assert!(self.headers["content-type"].to_str().unwrap().starts_with("application/problem+json"), "{self:?}");
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

/// A recording as a cluster.
pub(crate) fn recording(name: &str) -> Cluster {
    open(&super::recording_path(name))
}

pub(crate) fn open(path: &Path) -> Cluster {
    let capture = Capture::open(path, &capture::Limits::default()).unwrap();
    start::recorded(&capture, path.file_name().unwrap().to_string_lossy().into_owned(), Settings::default())
}

/// Parts of a service that need no outside.
pub(crate) fn app(cluster: Cluster, identify: Identify) -> App {
    App {
        clock: Clock::System,
        authority: Authority::new(cluster.own_client().clone()),
        cluster,
        identify,
        history: History::open("sqlite::memory:", TIME_LIMIT).unwrap(),
        uploads: Uploads::new(
            Folder::temporary().unwrap(),
            uploads::Limits::default(),
            Clock::System,
            Settings::default(),
        ),
        artifacts: Artifacts::temporary(1 << 30).unwrap(),
        background: Background::new(2),
        catalogue: Catalogue::builtin(),
        metrics: Metrics::default(),
        limits: Limits::default(),
        budget: Budget::new(64, 512 << 20),
        disk: Disk::default(),
        followers: Pool::new(16, 0),
        public_url: None,
        cors_origins: Vec::new(),
        actions_enabled: true,
        notes: Vec::new(),
    }
}

impl TestApp {
    /// Over a recording, open to everybody.
    pub(crate) fn over(name: &str) -> Self {
        Self::new(app(recording(name), Identify::Nobody))
    }

    /// Over a recording, with the key `let-me-in`.
    pub(crate) fn with_key(name: &str) -> Self {
        // SHA-256 of `let-me-in`.
        let hash = "a3ee786b5707c27d42570785081ec17f5c7db9262a01366af362a1aa61a420b9";
        let keys = Keys::parse(&format!("keys:\n- {{name: test, sha256: {hash}, user: tester}}\n")).unwrap();
        Self::new(app(recording(name), Identify::Keys { keys, rights: Rights::All }))
    }

    pub(crate) fn new(app: App) -> Self {
        Self { router: api::router(Arc::new(app)) }
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answered {
        let request = Request::post(path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn call(&self, method: Method, path: &str) -> Answered {
        self.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answered {
        let (parts, bytes) = self.download(request).await;
        Answered { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes).unwrap() }
    }

    /// What may be no text.
    pub(crate) async fn download(&self, request: Request<Body>) -> (http::response::Parts, Vec<u8>) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts, to_bytes(body, usize::MAX).await.unwrap().to_vec())
    }
}
