//! Records a cluster as an archive, of our own layout or of istioctl's. What cannot be read is noted with its reason and
//! never loses the rest; the archive appears under its name only when it is complete. Everything goes to disk as it
//! comes, so that memory does not grow with the cluster.

mod archive;
mod budget;
mod cut;
mod fetch;
mod istioctl;
mod logs;
mod notes;
mod objects;
mod pages;
mod places;
mod pods;
mod recording;
mod spool;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use regex::Regex;
use tokio::sync::{mpsc, watch};

use self::archive::Part;
use self::budget::Section;
pub use self::budget::{Budget, Budgets};
use self::notes::Noted;
use self::recording::Recording;
use super::Error;
use ::logs::time_range::TimeRange;
use report::{Progress, Skipped};
use selection::Selection;

/// Lists that the API server is asked for at a time.
const LISTS_AT_ONCE: usize = 6;
/// Calls that may wait for an answer, besides those that get one.
const WAITING: usize = 512;

/// How an archive is laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Layout {
    /// Ours, with a manifest and checksums: everything that a step reads.
    #[default]
    Own,
    /// That of `istioctl bug-report`.
    Istioctl,
}

/// What to record, and how much of it.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    pub layout: Layout,
    /// Which pods and containers; all, by default. The control plane is taken unless it is excluded.
    pub selection: Selection,
    /// Only objects of these namespaces are listed, besides what has no namespace; all when empty.
    pub namespaces: Vec<String>,
    /// The namespaces of the control plane, as far as they are known.
    pub control_plane: Vec<String>,
    /// The part of each log that was written in this time.
    pub range: TimeRange,
    /// The last lines of each log.
    pub log_lines: u64,
    pub log_bytes: u64,
    /// Messages that do not make a log worth reading.
    pub ignored: Vec<Regex>,
    /// Bytes of one page of istiod or Envoy.
    pub page_bytes: usize,
    pub budgets: Budgets,
    /// Answers that are read at a time.
    pub concurrency: usize,
    /// For each call to the API server or to a pod.
    pub call_timeout: Duration,
    /// The time of the recording, from the caller's clock.
    pub now: Timestamp,
    /// The program and its version, for the manifest.
    pub generator: String,
    /// Also the logs of pods that are no part of the mesh. There may be many, and they are nobody's business here.
    pub logs_outside_mesh: bool,
    /// Envoy's dump with endpoints only: it has everything that the other one has.
    pub one_dump: bool,
    /// Leaves out what is large and rarely read, for a demonstration.
    pub cut: Option<Cut>,
    /// Files that the caller has made himself, by their path in the archive.
    pub extra: Vec<(String, String)>,
    /// Told how far the recording has come.
    pub progress: watch::Sender<Progress>,
}

impl WriteOptions {
    /// Everything, with bounds that fit a cluster in use.
    pub fn new(now: Timestamp) -> Self {
        Self {
            layout: Layout::Own,
            selection: Selection::default(),
            namespaces: Vec::new(),
            control_plane: Vec::new(),
            range: TimeRange::default(),
            log_lines: 4000,
            log_bytes: 16 << 20,
            ignored: Vec::new(),
            page_bytes: 64 << 20,
            budgets: Budgets::default(),
            concurrency: 16,
            call_timeout: Duration::from_secs(30),
            now,
            generator: concat!("meshtriage ", env!("CARGO_PKG_VERSION")).to_owned(),
            logs_outside_mesh: false,
            one_dump: false,
            cut: None,
            extra: Vec::new(),
            progress: watch::Sender::default(),
        }
    }

    /// Only what is selected, and the namespaces of the control plane.
    #[must_use]
    pub fn select(mut self, selection: Selection, control_plane: &[String]) -> Self {
        if let Some(mut named) = selection.namespaces() {
            named.extend(control_plane.iter().cloned());
            self.namespaces = named.into_iter().collect();
        }
        self.selection = selection;
        self.control_plane = control_plane.to_vec();
        self
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
    /// Of the archive, in hexadecimal.
    pub sha256: String,
    pub files: usize,
    /// What the recording lacks, and why; the same as in its manifest.
    pub skipped: Vec<Skipped>,
    /// How many secrets were replaced.
    pub redacted: u64,
    /// How urgent the logs are, with their files; the most urgent first.
    pub logs: Vec<(u64, String)>,
}

/// Records the cluster behind `client` as the archive `path` (`.tar.gz`). Only a cluster that does not answer at all,
/// or a disk that does not take the archive, is an error.
pub async fn write(client: &kube::Client, path: &Path, options: &WriteOptions) -> Result<Written, Error> {
    let (sender, parts) = mpsc::channel(2);
    let archive = archive::Archive::create(path, options.layout)?;
    let thread = tokio::task::spawn_blocking(move || archive.run(parts));
    let recording = Recording::new(client.clone(), options, archive::folder(path), sender);
    let recorded = record(&recording).await;
    let Noted { skipped, redacted, logs } = recording.notes.take();
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
    let archive::Finished { bytes, files, sha256 } = finished.map_err(|error| Error::Io {
        doing: "write",
        path: path.into(),
        source: std::io::Error::other(error),
    })??;
    Ok(Written { path: path.into(), bytes, sha256, files, skipped, redacted, logs })
}

/// Does everything there is to do; answers the cluster's identity.
async fn record(recording: &Recording) -> Result<Option<String>, Error> {
    let version = recording.get_once("the version", "/version").await?;
    let options = &recording.options;
    if !options.namespaces.is_empty() {
        recording.skip("all namespaces but those that were asked for", options.namespaces.join(", "));
    }
    if !options.selection.exclude.is_empty() {
        let specs: Vec<_> = options.selection.exclude.iter().map(ToString::to_string).collect();
        recording.skip("what was to be left out", specs.join("; "));
    }
    let resources = objects::discover(recording, options.layout == Layout::Own).await?;
    let pods = pods::find(recording).await;
    let mut jobs = Vec::new();
    match options.layout {
        Layout::Own => {
            recording.add("cluster/version.json", &version).await;
            for resource in resources {
                if objects::has_table(&resource) {
                    jobs.push(Job::Table(resource.clone()));
                }
                jobs.push(Job::List(resource));
            }
        }
        Layout::Istioctl => {
            let files = istioctl::files(recording, resources, &version);
            jobs.extend(files.into_iter().map(Job::Istioctl));
        }
    }
    for pod in pods {
        let pod = Arc::new(pod);
        jobs.extend(pod.containers.iter().map(|container| Job::Log(pod.clone(), container.clone())));
        jobs.extend(pod.groups.iter().map(|group| Job::Pages(pod.clone(), *group)));
    }
    carry_out(recording, jobs).await;
    if options.layout == Layout::Istioctl {
        istioctl::say_how_it_went(recording).await;
    }
    for (path, content) in &options.extra {
        recording.add(path, redact::redact_page(content).as_bytes()).await;
    }
    Ok(objects::cluster_id(recording).await)
}

async fn carry_out(recording: &Recording, jobs: Vec<Job>) {
    let total = jobs.len() as u64;
    recording.progress().send_modify(|progress| progress.parts_total += total);
    futures::stream::iter(jobs)
        .for_each_concurrent(recording.options.concurrency.max(1) + WAITING, |job| async move {
            // The futures of jobs are large, and there are many at a time.
            match &job {
                Job::List(resource) => Box::pin(objects::list(recording, resource)).await,
                Job::Table(resource) => Box::pin(objects::table(recording, resource)).await,
                Job::Istioctl(file) => Box::pin(istioctl::record(recording, file)).await,
                Job::Log(pod, container) => Box::pin(logs::record(recording, pod, container)).await,
                Job::Pages(pod, group) => Box::pin(pages::record(recording, pod, *group)).await,
            }
            recording.progress().send_modify(|progress| {
                job.section().name().clone_into(&mut progress.section);
                progress.parts_done += 1;
            });
        })
        .await;
}

enum Job {
    List(objects::Listed),
    Table(objects::Listed),
    Istioctl(istioctl::File),
    Log(Arc<pods::MeshPod>, pods::Container),
    Pages(Arc<pods::MeshPod>, pages::Group),
}

impl Job {
    fn section(&self) -> Section {
        match self {
            Self::List(_) | Self::Table(_) | Self::Istioctl(_) => Section::Objects,
            Self::Log(..) => Section::Logs,
            Self::Pages(_, group) => group.section(),
        }
    }
}
