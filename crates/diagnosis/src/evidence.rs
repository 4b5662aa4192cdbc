//! What a diagnosis rests on.

use std::collections::BTreeSet;

use logs::FailureGroup;
use mesh::Mesh;
use report::{Finding, Skipped, Subject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// All that was read and found.
#[derive(Debug)]
pub struct Evidence<'m> {
    pub mesh: &'m Mesh,
    /// Of all steps, with the steps that found each.
    pub findings: Vec<Finding>,
    pub logs: Vec<ProxyLog>,
    pub changes: Vec<Change>,
    pub checked: Vec<Checked>,
    pub skipped: Vec<Skipped>,
    pub scope: Scope,
}

/// The access log of one proxy.
#[derive(Debug, Clone)]
pub struct ProxyLog {
    /// The pod, and its workload.
    pub subject: Subject,
    pub failures: Vec<FailureGroup>,
    /// Requests that it tells of.
    pub requests: u64,
    pub first_at: Option<String>,
}

/// A step that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    pub step: String,
    /// What it looked at.
    pub summary: String,
}

/// What somebody changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// RFC 3339.
    pub at: String,
    pub subject: Subject,
    /// `created`, `changed`, `deleted`, `rolled out`, `restarted`.
    pub what: String,
    /// The manager that the API server noted, such as `kubectl-edit`; empty where it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Fields, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

/// What the question is about. What is known not to matter goes below a line, not away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    pub namespaces: BTreeSet<String>,
    /// `namespace/name` of workloads, pods or Services.
    pub from: Option<String>,
    pub to: Option<String>,
    /// Statuses of requests, and words of a message, that the caller sees.
    pub statuses: BTreeSet<u16>,
    /// Problems of the catalogue that such a symptom comes from.
    pub problems: BTreeSet<String>,
    /// Names that occur in a free sentence.
    pub names: BTreeSet<String>,
}

impl Scope {
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}
