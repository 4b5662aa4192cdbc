//! Recorded clusters: writes them, reads them, and serves them as a read-only Kubernetes API.
//!
//! Three kinds of recording open alike: our own archive (or its folder), an archive of `istioctl bug-report`, and
//! plain YAML. Each becomes a [`Capture`], whose [`Capture::client`] is an ordinary `kube::Client`: lists, logs and
//! port-forwards are answered from the recording, so that a step does not know which kind of cluster it reads.

mod api;
mod bug_report;
mod client;
mod collect;
mod disk;
mod error;
mod layout;
mod manifest;
mod open;
mod pages;
mod resource;
mod store;
mod tree;
mod types;
mod unpack;
mod writer;
mod yaml;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

pub use disk::{check_room, free_bytes};
pub use error::Error;
pub use layout::hexadecimal;
pub use store::Kind;
pub use tree::Limits;
pub use writer::{Budget, Budgets, Cut, Layout, WriteOptions, Written, write};

use cluster::clock::Clock;
use cluster::{Cluster, Settings, Source};
use report::Skipped;

/// A recorded cluster, opened read-only. Clones share the recording; the last one removes what was unpacked.
#[derive(Clone)]
pub struct Capture {
    store: Arc<store::Store>,
}

impl Capture {
    /// Opens an archive, a folder or a file. It reads much and blocks: call it from `spawn_blocking`.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, Error> {
        Ok(Self { store: Arc::new(open::open(path, limits)?) })
    }

    /// A client whose cluster is this recording. Needs a running Tokio runtime, as every `kube::Client` does.
    pub fn client(&self) -> kube::Client {
        client::client(api::router(self.store.clone()))
    }

    /// Which kind of recording this is.
    pub fn kind(&self) -> Kind {
        self.store.kind
    }

    /// When it was recorded: as the manifest says, else the newest time seen in objects and logs. Ages are relative
    /// to it. `None` when nothing in the recording has a time.
    pub fn recorded_at(&self) -> Option<Timestamp> {
        self.store.recorded_at
    }

    /// The recorded cluster's identity: the uid of its namespace `kube-system`, where that is recorded.
    pub fn cluster_id(&self) -> Option<&str> {
        self.store.cluster_id.as_deref()
    }

    /// Bytes of its files: what an archive takes of the disk once it is unpacked.
    pub fn total_bytes(&self) -> u64 {
        self.store.tree.total_bytes()
    }

    /// Bytes of the documents that it has read, some of which it keeps in memory, where they take several times as much.
    pub fn documents_bytes(&self) -> u64 {
        self.store.tree.documents_bytes()
    }

    /// The recording as a cluster. Its clock stands at the time of the recording.
    pub fn cluster(&self, id: String, name: String, settings: Settings) -> Cluster {
        let clock = self.recorded_at().map_or(Clock::System, Clock::Fixed);
        let source = Source::Recording { name, skipped: self.skipped().to_vec() };
        Cluster::new(self.client(), id, source, clock, settings)
    }

    /// What the recording lacks, and why.
    pub fn skipped(&self) -> &[Skipped] {
        &self.store.skipped
    }
}
