//! The words of an answer: code, severity, subject, finding, what was skipped, and what follows from them.
//!
//! Everything that judges (analyzers, steps, the error catalogue) speaks in these types; everything that shows
//! (the API, the renderers, the history) reads them. Nothing here does I/O.

pub mod columns;
mod data;
mod finding;
mod fingerprint;
pub mod formats;
mod progress;
mod verdict;
pub mod view;
pub mod yaml;

pub use data::Data;
pub use finding::{Code, Evidence, Finding, Owner, Severity, Subject};
pub use fingerprint::fingerprint;
pub use formats::{Format, Shown};
pub use progress::Progress;
pub use verdict::{Completeness, Counts, State, Verdict};
pub use view::View;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that could not be read, and why. Whoever judges must treat it as unknown, never as healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skipped {
    /// What was not read, for example `Secrets in all namespaces`.
    pub what: String,
    /// Why, for example `forbidden: alice may not list secrets`.
    pub why: String,
    /// The rules or parts of the answer that could not be judged without it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silences: Vec<String>,
}

impl Skipped {
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), silences: Vec::new() }
    }
}

/// One part of the evidence: what was read, or why it could not be.
pub type Read<T> = Result<T, Skipped>;
