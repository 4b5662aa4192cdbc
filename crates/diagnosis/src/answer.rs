//! The answer: causes, and what is known not to be one.

use report::{Finding, Severity, Subject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{evidence::Change, tie::Tie};

/// The causes, the gravest first, each once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Diagnosis {
    /// One sentence of at most 200 characters.
    pub headline: String,
    pub causes: Vec<Cause>,
    /// What was found, and is known not to concern the question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Cause>,
    /// Worth knowing, and no cause of trouble.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// What was checked and is well: nobody needs to suspect it any more.
    pub healthy: Vec<String>,
    /// What was not seen, and what it could hide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Unknown>,
}

/// A finding that no other finding explains, with all that it explains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cause {
    /// From 1.
    pub rank: usize,
    pub finding: Finding,
    /// Other objects of which the same is said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Subject>,
    /// What is wrong, in one line.
    pub title: String,
    /// Why it stands here: what it explains and who suffers.
    pub why: String,
    pub suffering: Suffering,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onset: Option<Onset>,
    /// What somebody changed at its object within the hour before it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    pub effects: Vec<Effect>,
    /// Where the finding itself does not say what is behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub possible_causes: Vec<PossibleCause>,
    pub remedy: String,
    pub verify: Verify,
    pub confidence: Confidence,
}

/// What users feel of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Suffering {
    /// Requests that failed, of all to the same hosts, in the logs that were read.
    pub failed_requests: u64,
    pub of_requests: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// `namespace/name` of workloads that call in vain, or do not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<String>,
    pub pods_not_ready: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}

/// The earliest time that the evidence gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Onset {
    /// RFC 3339.
    pub at: String,
    pub from: String,
    /// The evidence does not reach further back, so that it may have begun before.
    pub or_earlier: bool,
}

/// A finding explained by another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Effect {
    pub code: String,
    pub severity: Severity,
    pub subject: Subject,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Subject>,
    pub message: String,
    pub fingerprint: String,
    /// What it follows from: the cause, or another of its effects.
    pub follows_from: String,
    pub relation: Tie,
    pub because: String,
    /// Other causes that fit as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub or_from: Vec<String>,
}

/// An object that could be behind a cause, to be looked at first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PossibleCause {
    pub subject: Subject,
    pub why: String,
}

/// How to see whether the remedy worked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verify {
    pub command: String,
    /// The same as a call.
    pub call: String,
    pub expect: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    Low,
    Medium,
    High,
}

/// Worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    pub code: String,
    pub subject: Subject,
    pub message: String,
}

/// What was not seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unknown {
    pub what: String,
    pub why: String,
    /// What could be wrong there without being found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub could_hide: Vec<String>,
}
