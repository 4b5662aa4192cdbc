//! Three things that are never mixed: did the run work, is the mesh well, did we see all.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Finding, Severity, Skipped};

/// Did the run work?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Queued,
    Running,
    Succeeded,
    Failed,
    Canceled,
}

/// Is the mesh well?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    Info,
    Warning,
    Error,
    /// Nothing was found, but not everything could be read.
    Unknown,
}

/// Did we see all?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    Complete,
    Partial,
}

/// Findings by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    pub error: u64,
    pub warning: u64,
    pub info: u64,
}

impl Counts {
    pub fn of(findings: &[Finding]) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            match finding.severity {
                Severity::Error => counts.error += 1,
                Severity::Warning => counts.warning += 1,
                Severity::Info => counts.info += 1,
            }
        }
        counts
    }
}

impl Completeness {
    pub fn of(skipped: &[Skipped]) -> Self {
        if skipped.is_empty() { Self::Complete } else { Self::Partial }
    }
}

impl Verdict {
    /// The worst that was found. What was not seen is never `Ok`: a partial view without errors or warnings is
    /// `Unknown`.
    pub fn of(counts: Counts, completeness: Completeness) -> Self {
        match (counts, completeness) {
            (Counts { error: 1.., .. }, _) => Self::Error,
            (Counts { warning: 1.., .. }, _) => Self::Warning,
            (_, Completeness::Partial) => Self::Unknown,
            (Counts { info: 1.., .. }, Completeness::Complete) => Self::Info,
            (_, Completeness::Complete) => Self::Ok,
        }
    }
}
