//! The manifest of our own archive: what was recorded, when, what was skipped and why, and checksums.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use report::Skipped;

/// Its place in the archive.
pub(super) const PATH: &str = "manifest.json";

/// The version of the layout that this program writes; older readers refuse newer ones.
pub(super) const FORMAT: u32 = 1;

/// `manifest.json`. It is the last file of an archive, so that a complete manifest says that everything was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// The program that wrote it, with its version.
    pub(super) generator: String,
    pub(super) recorded_at: Timestamp,
    /// The uid of the namespace `kube-system`.
    pub(super) cluster_id: Option<String>,
    /// What the recording lacks, and why.
    #[serde(default)]
    pub(super) skipped: Vec<Skipped>,
    #[serde(default)]
    pub(super) files: BTreeMap<String, Sum>,
}

/// What a file must be, to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sum {
    pub(super) size: u64,
    /// In hexadecimal.
    pub(super) sha256: String,
}
