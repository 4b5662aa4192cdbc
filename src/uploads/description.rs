//! What is known of an uploaded capture. It lies beside the file, so that the folder alone is the whole truth.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    auth::Caller,
    capture::{Capture, Kind},
    report::Skipped,
};

/// A recording may lack any number of things; more than these are only counted.
const MOST_SKIPPED: usize = 100;
const LONGEST_TEXT: usize = 500;

/// An uploaded capture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UploadedCapture {
    /// Version 7, so that ids are in the order in which uploads began.
    pub id: Uuid,
    pub name: String,
    pub kind: Kind,
    /// When the cluster was recorded. Ages in answers are relative to it.
    pub recorded_at: Option<Timestamp>,
    /// The recorded cluster: the uid of its namespace `kube-system`.
    pub recorded_cluster: Option<String>,
    pub uploaded_at: Timestamp,
    /// The Kubernetes user who sent it. Only he, and callers with all rights, may use it.
    pub uploaded_by: String,
    /// His uid, where he has one: a name may be given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploaded_by_uid: Option<String>,
    /// Size of the file as it was sent.
    pub bytes: u64,
    /// Of the file, in hexadecimal.
    pub sha256: String,
    /// What the recording lacks, and why; the first hundred things.
    pub skipped: Vec<Skipped>,
    /// How many things it lacks.
    pub skipped_count: usize,
    /// When it is deleted.
    pub expires_at: Timestamp,
}

/// What the sender and the file itself say.
pub(super) struct File {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl UploadedCapture {
    pub(super) fn new(
        id: Uuid,
        name: String,
        caller: &Caller,
        uploaded_at: Timestamp,
        expires_at: Timestamp,
        file: File,
        capture: &Capture,
    ) -> Self {
        let skipped = capture.skipped();
        Self {
            id,
            name,
            kind: capture.kind(),
            recorded_at: capture.recorded_at(),
            recorded_cluster: capture.cluster_id().map(shortened),
            uploaded_at,
            uploaded_by: caller.user.clone(),
            uploaded_by_uid: caller.uid.clone(),
            bytes: file.bytes,
            sha256: file.sha256,
            skipped: skipped.iter().take(MOST_SKIPPED).map(plain).collect(),
            skipped_count: skipped.len(),
            expires_at,
        }
    }
}

/// An uploaded manifest may hold texts of any length.
fn plain(skipped: &Skipped) -> Skipped {
    Skipped::new(shortened(&skipped.what), shortened(&skipped.why))
}

fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}
