//! The cluster, live or recorded, behind a `kube::Client`: lists, logs, tables, pages of pods. The only module that
//! reads it; every call has a deadline and a size cap.

pub mod budget;
pub mod clock;
mod control_plane;
mod discovery;
mod error;
mod istiod_port;
mod logs;
mod objects;
mod picture;
pub mod pod_http;

use std::{sync::Arc, time::Duration};

use kube::Client;
use tokio::sync::Mutex;

pub use control_plane::{ControlPlane, Istiod};
pub use discovery::{Discovery, Resource};
pub use error::{Error, NOT_RECORDED, UNRECORDED, chain, nearest};
pub use istiod_port::IstiodPort;
pub use logs::{ContainerLog, LogQuery};
pub use objects::{Listed, Scope, Table, TableRow};
pub use picture::nothing;

use crate::clock::Clock;
use report::{Read, Skipped};

/// How the cluster is to be read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The control plane's namespace; `None` finds it.
    pub istio_namespace: Option<String>,
    /// For one call to the API server.
    pub call_timeout: Duration,
    /// Of one answer of the API server.
    pub max_answer_bytes: usize,
    /// Exchanges with pods at once.
    pub max_pod_exchanges: usize,
    /// Of these with the pods of one node, whose kubelet carries them all.
    pub max_node_exchanges: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            istio_namespace: None,
            call_timeout: Duration::from_secs(20),
            max_answer_bytes: 512 * 1024 * 1024,
            max_pod_exchanges: 256,
            max_node_exchanges: 8,
        }
    }
}

/// Where the objects come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Live,
    /// A recording: its name, and what it lacks.
    Recording {
        name: String,
        skipped: Vec<Skipped>,
    },
}

/// A cluster as one caller may see it. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    shared: Arc<Shared>,
    /// Of the call that reads it; without one, what is read is not counted.
    claim: Option<budget::Claim>,
}

struct Shared {
    /// The service's own client, for what no caller asked: names of namespaces, reviews of callers.
    own: Client,
    id: String,
    source: Source,
    clock: Clock,
    settings: Settings,
    gates: pod_http::Gates,
    /// Replicas of istiod that did not answer lately.
    silent: istiod_port::Silent,
    discovery: Mutex<Option<(jiff::Timestamp, Arc<Discovery>)>>,
}

impl Cluster {
    pub fn new(client: Client, id: String, source: Source, clock: Clock, settings: Settings) -> Self {
        let gates = pod_http::Gates::new(settings.max_pod_exchanges, settings.max_node_exchanges);
        let (own, silent) = (client.clone(), istiod_port::Silent::default());
        let shared = Shared { own, id, source, clock, settings, gates, silent, discovery: Mutex::default() };
        Self { client, shared: Arc::new(shared), claim: None }
    }

    /// The same cluster through another client: one that lets pass only what a caller may do.
    #[must_use]
    pub fn through(&self, client: Client) -> Self {
        Self { client, shared: Arc::clone(&self.shared), claim: self.claim.clone() }
    }

    /// The same cluster for a call that has this room for what it reads.
    #[must_use]
    pub fn within(mut self, claim: budget::Claim) -> Self {
        self.claim = Some(claim);
        self
    }

    /// The room of the call that reads it.
    pub fn claim(&self) -> Option<&budget::Claim> {
        self.claim.as_ref()
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The service's own client.
    pub fn own_client(&self) -> &Client {
        &self.shared.own
    }

    /// Identifies the cluster over time: the uid of its namespace `kube-system`.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    pub fn source(&self) -> &Source {
        &self.shared.source
    }

    pub fn is_recording(&self) -> bool {
        matches!(self.shared.source, Source::Recording { .. })
    }

    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Now; for a recording, the time at which it was made.
    pub fn now(&self) -> jiff::Timestamp {
        self.shared.clock.now()
    }

    /// Version of the API server; also the cheapest question that shows whether it can be reached.
    pub async fn version(&self) -> Result<String, Error> {
        let version: serde_json::Value = self.get_json("version", "/version", &[], "application/json").await?;
        Ok(version["gitVersion"].as_str().unwrap_or_default().to_owned())
    }

    fn gates(&self) -> &pod_http::Gates {
        &self.shared.gates
    }
}

/// A part of the evidence: a failure becomes what was skipped, unless the cluster cannot be reached at all.
pub fn read<T>(result: Result<T, Error>) -> Result<Read<T>, Error> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.is_fatal() => Err(error),
        Err(error) => Ok(Err(error.skipped())),
    }
}

/// Refuses what cannot be a name in Kubernetes, so that no name changes the path of a request.
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>)
pub fn check_name(kind: &'static str, name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_');
    if name.is_empty() || name.len() > 253 || name.contains("..") || name == "." || !name.chars().all(plain) {
        return Err(Error::InvalidName { kind, name: name.chars().take(80).collect() });
    }
    Ok(())
}

/// Does what takes a while without keeping other tasks of this thread waiting.
pub fn aside<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
