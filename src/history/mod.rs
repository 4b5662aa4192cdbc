//! What runs found, in `SQLite` or `PostgreSQL`. The only module that speaks SQL.
//!
//! A [`History`] exists before its database does: it connects when it is first asked, brings the tables up to date
//! then, and tries again at the next call when that failed. So a service starts and answers without its database, and
//! finds back to it by itself. Who may read which run is decided by the caller, who gets with each run the Kubernetes
//! permissions it used.

mod artifacts;
mod callbacks;
mod captured;
mod connect;
mod cursor;
mod error;
mod filter;
mod findings;
mod lifecycle;
mod packed;
mod parts;
mod prepare;
mod queue;
mod record;
mod retention;
mod rows;
mod runs;
mod schedules;
mod suppressions;
mod writer;

pub use artifacts::Artifact;
pub use callbacks::{Callback, Delivery, Subscription, Tried};
pub use captured::{capture_of, cluster_of_capture};
pub use connect::{History, TIME_LIMIT};
pub use cursor::{Cursor, Place};
pub use error::{Error, Result};
pub use filter::RunFilter;
pub use findings::{FindingChange, FindingFilter, KnownFinding};
pub use lifecycle::{Change, Check, FindingState, Sighting};
pub use parts::{RunEvent, StoredPart};
pub use queue::{Claimed, Enqueued, QueueBounds, Queued, RequestKey, Wakes, Weight};
pub use record::Recorded;
pub use retention::Retention;
pub use schedules::Schedule;
pub use suppressions::{MOST_SUPPRESSIONS, Suppression};

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::report::{Completeness, Counts, State, Verdict};

/// One recorded execution of a step, with its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub header: RunHeader,
    /// The whole answer as JSON text, once there is one.
    pub answer: Option<String>,
}

/// A recorded execution of a step, without its answer. As JSON it is an item of the list of runs, and leaves out what
/// only decides who may read it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RunHeader {
    /// Version 7, so that ids are in the order in which runs were made.
    pub id: Uuid,
    /// The cluster that was looked at; several may share a database. As JSON it is the id of the uploaded capture that
    /// was read instead of the cluster, where that was so.
    #[serde(rename = "capture", serialize_with = "captured::serialize", skip_serializing_if = "captured::is_none")]
    #[schema(value_type = Option<Uuid>)]
    pub cluster: String,
    /// For example `istioctl.analyze`.
    pub step: String,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completeness: Option<Completeness>,
    /// RFC 3339, in UTC. Kept to the millisecond.
    pub started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// The user who asked, as Kubernetes knows him.
    pub requested_by: String,
    /// Why it was asked for, where the caller said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip)]
    pub inputs: serde_json::Value,
    /// What the step used of the cluster: who may read the run is who may do all of this.
    #[serde(skip)]
    pub access: Vec<Access>,
    pub counts: Counts,
    /// The answer in one line.
    pub summary: String,
    /// Why the run failed. Not in lists, as it may quote what was read.
    #[serde(skip)]
    pub error: Option<String>,
    /// The namespaces that were looked at.
    pub namespaces: Vec<String>,
    /// What the caller has put on it, to find it again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// When the run is deleted at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A Kubernetes permission that a run used, in the words of a [SubjectAccessReview].
///
/// [SubjectAccessReview]: https://kubernetes.io/docs/reference/access-authn-authz/authorization/
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct Access {
    pub verb: String,
    pub group: String,
    pub resource: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subresource: String,
    /// `None` is every namespace, or a resource that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `None` is every object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}
