//! The parts that handlers share.

use std::{sync::Arc, time::Duration};

use crate::{
    artifacts::Artifacts,
    auth::{Authority, Identify},
    clock::Clock,
    cluster::{
        Cluster,
        budget::{Budget, Pool},
    },
    disk::Disk,
    errors::Catalogue,
    history::History,
    runs::Background,
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
    /// The service's own URL as callers know it, for links in messages.
    pub public_url: Option<String>,
    /// Origins whose pages may call from a browser.
    pub cors_origins: Vec<http::HeaderValue>,
    /// Whether steps that change the cluster are allowed.
    pub actions_enabled: bool,
    /// Entries of the operator's own error catalogue that could not be used, for `/readyz?verbose`.
    pub notes: Vec<String>,
}

/// Bounds of one call.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a step as a whole.
    pub step_timeout: Duration,
    /// How long a run is kept.
    pub keep: Duration,
    pub keep_runs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { step_timeout: Duration::from_secs(55), keep: Duration::from_hours(30 * 24), keep_runs: 10_000 }
    }
}
