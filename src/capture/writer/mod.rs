//! Records a cluster as an archive of our own layout. What cannot be read is noted with its reason and never loses the
//! rest; the archive appears under its name only when it is complete.

mod archive;
mod cut;
mod objects;
mod pods;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::mpsc;

use self::archive::Part;
use super::Error;
use crate::cluster::{chain, pod_http::Gates};
use crate::report::Skipped;

/// What to record, and how much of it.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Only objects, logs and pages of these namespaces, besides what has no namespace; all when empty.
    pub namespaces: Vec<String>,
    /// The last lines of each log.
    pub log_lines: u64,
    pub log_bytes: u64,
    /// Bytes of one page of istiod or Envoy.
    pub page_bytes: usize,
    /// Calls under way at a time.
    pub concurrency: usize,
    /// For each call to the API server or to a pod.
    pub call_timeout: Duration,
    /// The time of the recording, from the caller's clock.
    pub now: Timestamp,
    /// The program and its version, for the manifest.
    pub generator: String,
    /// Also the logs of pods that are no part of the mesh. There may be many, and they are nobody's business here.
    pub logs_outside_mesh: bool,
    /// Leaves out what is large and rarely read, for a demonstration.
    pub cut: Option<Cut>,
}

impl WriteOptions {
    /// Everything, with bounds that fit a cluster in use.
    pub fn new(now: Timestamp) -> Self {
        Self {
            namespaces: Vec::new(),
            log_lines: 4000,
            log_bytes: 16 << 20,
            page_bytes: 64 << 20,
            concurrency: 8,
            call_timeout: Duration::from_secs(30),
            now,
            generator: concat!("meshtriage ", env!("CARGO_PKG_VERSION")).to_owned(),
            logs_outside_mesh: false,
            cut: None,
        }
    }
}

/// Drops the schemas of `CustomResourceDefinition`s, the templates of the injector and the list of Envoy's extensions
/// in each dump, and keeps only the end of each log.
#[derive(Debug, Clone)]
pub struct Cut {
    pub log_lines: u64,
}

/// What was written.
#[derive(Debug)]
pub struct Written {
    pub path: PathBuf,
    pub bytes: u64,
    pub files: usize,
    /// What the recording lacks, and why; the same as in its manifest.
    pub skipped: Vec<Skipped>,
    /// How many secrets were replaced.
    pub redacted: u64,
}

/// Records the cluster behind `client` as the archive `path` (`.tar.gz`). Only a cluster that does not answer at all,
/// or a disk that does not take the archive, is an error.
pub async fn write(client: &kube::Client, path: &Path, options: &WriteOptions) -> Result<Written, Error> {
    let (sender, parts) = mpsc::channel(2);
    let archive = archive::Archive::create(path)?;
    let thread = tokio::task::spawn_blocking(move || archive.run(parts));
    let recording = Recording {
        client: client.clone(),
        // Each job asks one pod, so that the jobs at a time are the bound for pods of one node too.
        gates: Gates::new(options.concurrency.max(1), options.concurrency.max(1)),
        options: Arc::new(options.clone()),
        folder: Arc::new(archive::folder(path)),
        parts: sender,
        notes: Arc::default(),
    };
    let recorded = record(&recording).await;
    let (skipped, redacted) = recording.notes.take();
    if let Ok(cluster_id) = recorded.as_ref() {
        let manifest = archive::Finish {
            generator: options.generator.clone(),
            recorded_at: options.now,
            cluster_id: cluster_id.clone(),
            skipped: skipped.clone(),
        };
        // When the thread is gone, its own error says why.
        let _ = recording.parts.send(Part::Finish(manifest)).await;
    }
    drop(recording);
    let finished = thread.await;
    recorded?;
    let (bytes, files) = finished.map_err(|error| Error::Io {
        doing: "write",
        path: path.into(),
        source: std::io::Error::other(error),
    })??;
    Ok(Written { path: path.into(), bytes, files, skipped, redacted })
}

/// Does everything there is to do; answers the cluster's identity.
async fn record(recording: &Recording) -> Result<Option<String>, Error> {
    let version = recording.get_once("the version", "/version").await?;
    recording.add("cluster/version.json", version).await;
    if !recording.options.namespaces.is_empty() {
        recording.skip("all namespaces but those that were asked for", recording.options.namespaces.join(", "));
    }
    let resources = objects::discover(recording).await?;
    let pods = pods::find(recording).await;
    let mut jobs = Vec::new();
    for resource in resources {
        if objects::has_table(&resource) {
            jobs.push(Job::Table(resource.clone()));
        }
        jobs.push(Job::List(resource));
    }
    for pod in pods {
        let pod = Arc::new(pod);
        jobs.extend(pod.containers.iter().map(|container| Job::Log(pod.clone(), container.clone())));
        jobs.extend(pod.ports().into_iter().map(|pages| Job::Pages(pod.clone(), pages)));
    }
    futures::stream::iter(jobs)
        .for_each_concurrent(recording.options.concurrency.max(1), |job| async move {
            match job {
                Job::List(resource) => objects::list(recording, &resource).await,
                Job::Table(resource) => objects::table(recording, &resource).await,
                Job::Log(pod, container) => pods::log(recording, &pod, &container).await,
                Job::Pages(pod, pages) => pods::pages(recording, &pod, pages).await,
            }
        })
        .await;
    Ok(objects::cluster_id(recording).await)
}

enum Job {
    List(objects::Listed),
    Table(objects::Listed),
    Log(Arc<pods::MeshPod>, pods::Container),
    Pages(Arc<pods::MeshPod>, pods::Pages),
}

/// What all jobs share.
struct Recording {
    client: kube::Client,
    gates: Gates,
    options: Arc<WriteOptions>,
    /// Where large parts wait until their size is known.
    folder: Arc<PathBuf>,
    parts: mpsc::Sender<Part>,
    notes: Arc<Notes>,
}

#[derive(Default)]
struct Notes(Mutex<(Vec<Skipped>, u64)>);

impl Notes {
    fn take(&self) -> (Vec<Skipped>, u64) {
        let mut notes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (mut skipped, redacted) = std::mem::take(&mut *notes);
        // Jobs end in any order.
        skipped.sort_by(|a, b| (&a.what, &a.why).cmp(&(&b.what, &b.why)));
        (skipped, redacted)
    }

    fn skip(&self, what: impl Into<String>, why: impl Into<String>) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).0.push(Skipped::new(what, why));
    }

    fn redacted(&self, count: u64) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).1 += count;
    }
}

impl Recording {
    /// Hands a file to the archive. A failure there shows when the archive is finished.
    async fn add(&self, path: impl Into<String>, content: Vec<u8>) {
        let _ = self.parts.send(Part::Memory { path: path.into(), content }).await;
    }

    fn skip(&self, what: impl Into<String>, why: impl Into<String>) {
        self.notes.skip(what, why);
    }

    fn covers(&self, namespace: &str) -> bool {
        self.options.namespaces.is_empty() || self.options.namespaces.iter().any(|covered| covered == namespace)
    }

    /// Adds text without the secrets in it.
    async fn add_text(&self, path: impl Into<String>, content: Vec<u8>) {
        let notes = self.notes.clone();
        let redacted = tokio::task::spawn_blocking(move || {
            let text = String::from_utf8_lossy(&content);
            let (redacted, count) = crate::redact::redact_counted(&text);
            notes.redacted(count);
            // Text that is no UTF-8 stays as it is when there is nothing to hide in it.
            if count == 0 { content } else { redacted.into_owned().into_bytes() }
        });
        let path = path.into();
        match redacted.await {
            Ok(content) => self.add(path, content).await,
            Err(error) => self.skip(path, format!("cannot be searched for secrets: {error}")),
        }
    }

    /// A GET of the API server, bounded in time and size; the reason when it fails.
    async fn get(&self, path: &str, accept: &str, limit: usize) -> Result<Vec<u8>, String> {
        let call = self.call(path, accept, limit);
        match tokio::time::timeout(self.options.call_timeout, call).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {} s", self.options.call_timeout.as_secs())),
        }
    }

    async fn call(&self, path: &str, accept: &str, limit: usize) -> Result<Vec<u8>, String> {
        use http_body_util::BodyExt;
        let request = http::Request::get(path).header(http::header::ACCEPT, accept).body(kube::client::Body::empty());
        let answer = self.client.send(request.map_err(|error| error.to_string())?).await;
        let (head, body) = answer.map_err(|error| chain(&error))?.into_parts();
        let body =
            http_body_util::Limited::new(body, limit).collect().await.map_err(|error| error.to_string())?.to_bytes();
        if head.status.is_success() {
            return Ok(body.to_vec());
        }
        let status: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let message = status.get("message").and_then(serde_json::Value::as_str).unwrap_or("no reason was given");
        Err(format!("{}: {message}", head.status.as_u16()))
    }

    /// The same where nothing can be recorded without it.
    async fn get_once(&self, what: &'static str, path: &str) -> Result<Vec<u8>, Error> {
        const LIMIT: usize = 16 << 20;
        let answer = self.get(path, "application/json", LIMIT).await;
        answer.map_err(|why| Error::Cluster { what, why })
    }
}
