//! The envelope that every step answers with.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::report::{Completeness, Counts, Finding, Skipped, State, Verdict};

/// What a step answers: how the run went, what is wrong, what was not seen, how to check by hand, and the typed data.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Answer<D> {
    pub run: RunSummary,
    /// In one line, for people.
    pub summary: String,
    pub counts: Counts,
    /// What is wrong, the worst first unless `sort` says otherwise.
    pub findings: Vec<Finding>,
    /// Findings that `min_severity` or `top` left out.
    #[serde(default, skip_serializing_if = "none")]
    pub not_shown: u64,
    /// What could not be read, and why. While it is not empty, the mesh is not known to be well.
    pub skipped: Vec<Skipped>,
    /// Command lines that show a person the same.
    pub commands: Vec<String>,
    /// Left out with `view=summary`.
    #[schema(required = false)]
    pub data: D,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn none(count: &u64) -> bool {
    *count == 0
}

/// How the run went.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunSummary {
    pub id: Uuid,
    /// Id of the step.
    pub step: String,
    pub state: State,
    /// Whether the mesh is well; a dry run does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    pub completeness: Completeness,
    #[schema(value_type = String, format = DateTime)]
    pub started_at: jiff::Timestamp,
    pub duration_ms: i64,
    /// The Kubernetes user who asked.
    pub requested_by: String,
    /// The uploaded capture that was read instead of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Uuid>,
    /// Whether the run is in the history.
    pub recorded: bool,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_recorded_because: Option<String>,
    pub links: RunLinks,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunLinks {
    #[serde(rename = "self")]
    pub itself: String,
}
