//! How far a run in the background has come.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a run has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Progress {
    /// What it is at.
    pub section: String,
    pub parts_done: u64,
    /// Grows while parts are still being found.
    pub parts_total: u64,
    /// Collected so far, unpacked.
    pub bytes: u64,
    /// Parts that could not be had.
    pub failures: u64,
}
