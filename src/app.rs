//! The parts that handlers share.

use std::{sync::Arc, time::Duration};

use crate::{
    artifacts::Artifacts,
    auth::{Authority, Identify},
    callbacks::{self, Callbacks},
    clock::Clock,
    cluster::{
        Cluster,
        budget::{Budget, Pool},
    },
    disk::Disk,
    errors::Catalogue,
    history::{Change, History, Run},
    runs::{Background, RunsAs},
    telemetry::Metrics,
    uploads::Uploads,
};

/// The running service.
pub struct App {
    pub clock: Clock,
    pub cluster: Cluster,
    pub authority: Authority,
    pub identify: Identify,
    pub history: History,
    /// Captures that callers sent.
    pub uploads: Uploads,
    /// Files that runs leave.
    pub artifacts: Artifacts,
    /// Runs that take longer than a request.
    pub background: Background,
    pub catalogue: Arc<Catalogue>,
    pub metrics: Metrics,
    pub limits: Limits,
    /// Room for what all steps read and write.
    pub budget: Budget,
    /// A place for each stream of logs.
    pub followers: Pool,
    /// What is kept on disk, and whether there is room.
    pub disk: Disk,
    /// What sends messages; nothing where the service has no key to seal what opens a callback.
    pub callbacks: Option<Callbacks>,
    /// As whom the runs of schedules read the cluster.
    pub schedules_as: Option<RunsAs>,
    /// The service's own URL as callers know it, for links in messages.
    pub public_url: Option<String>,
    /// Origins whose pages may call from a browser.
    pub cors_origins: Vec<http::HeaderValue>,
    /// Whether steps that change the cluster are allowed.
    pub actions_enabled: bool,
    /// Entries of the operator's own error catalogue that could not be used, for `/readyz?verbose`.
    pub notes: Vec<String>,
}

/// An answer is worth more than its record, which is written a moment later.
pub const RECORD_TIME: Duration = Duration::from_millis(50);

/// Bounds of one call.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a step as a whole.
    pub step_timeout: Duration,
    /// How long an answer waits for the history.
    pub record_time: Duration,
    /// How long a run is kept.
    pub keep: Duration,
    pub keep_runs: u64,
    /// Of answers in the history, as they are kept.
    pub keep_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            step_timeout: Duration::from_secs(55),
            record_time: RECORD_TIME,
            keep: Duration::from_hours(30 * 24),
            keep_runs: 10_000,
            keep_bytes: 1 << 30,
        }
    }
}

impl App {
    /// Tells whoever wants to know that a run has ended, and what it has changed.
    pub fn announce(self: &Arc<Self>, run: &Run, changes: Vec<Change>) {
        if self.callbacks.is_some() {
            tokio::spawn(callbacks::announce(Arc::clone(self), run.header.clone(), changes));
        }
    }
}
