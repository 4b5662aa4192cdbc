//! Why the cluster did not give what was asked.

use std::time::Duration;

use report::Skipped;

/// Reason of the `Status` with which a recording answers for what it does not hold.
pub const NOT_RECORDED: &str = "NotRecorded";

/// How a recording says so; why it does not hold it may follow, after a colon.
pub const UNRECORDED: &str = "not recorded in this capture";

/// Why something could not be read from, or done to, the cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the Kubernetes API server cannot be reached")]
    Unreachable { source: kube::Error },
    #[error("{what}: no answer within {} s", after.as_secs())]
    TimedOut { what: String, after: Duration },
    #[error("{what} not found")]
    NotFound { what: String },
    #[error("{what}: forbidden: {why}")]
    Forbidden { what: String, why: String },
    /// The recording lacks it; the cluster may have it.
    #[error("{what}: {why}")]
    NotRecorded { what: String, why: String },
    #[error("{what}: the answer is larger than {limit_bytes} bytes")]
    TooLarge { what: String, limit_bytes: usize },
    #[error("{what}: the answer cannot be read")]
    Malformed { what: String, source: serde_json::Error },
    #[error("{what}: the API server answered {status} {reason}: {message}")]
    Api { what: String, status: u16, reason: String, message: String },
    #[error("{name:?} is not a valid {kind}")]
    InvalidName { kind: &'static str, name: String },
    /// An input that only the cluster can tell to be wrong, such as an unknown resource type.
    #[error("{field}: {why}")]
    Input { field: &'static str, why: String },
    /// What an input names does not exist; the names that are most like it.
    #[error("there is no {what}{}", likely(nearest))]
    NoSuch { field: &'static str, what: String, nearest: Vec<String> },
    /// A change that was not made, and why.
    #[error("{why}")]
    Refused { why: String },
    /// So much is being read for others that there is no room for this.
    #[error(transparent)]
    NoRoom(#[from] crate::budget::NoRoom),
    #[error("a recording cannot be changed")]
    ReadOnly,
    #[error(transparent)]
    Pod(#[from] super::pod_http::PodHttpError),
}

impl Error {
    /// Sorts a client error by what a caller does about it.
    pub(super) fn of(what: &str, error: kube::Error) -> Self {
        let what = what.to_owned();
        match error {
            kube::Error::Api(status) => Self::of_status(what, *status),
            kube::Error::SerdeError(source) => Self::Malformed { what, source },
            source => Self::Unreachable { source },
        }
    }

    pub(super) fn of_status(what: String, status: kube::core::Status) -> Self {
        match (status.code, status.reason.as_str()) {
            (_, NOT_RECORDED) => Self::NotRecorded { what, why: status.message },
            (409, _) if status.message.contains("capture_is_read_only") => Self::ReadOnly,
            (404, _) => Self::NotFound { what },
            (401 | 403, _) => Self::Forbidden { what, why: status.message },
            (code, _) => Self::Api { what, status: code, reason: status.reason, message: status.message },
        }
    }

    /// For `what`, such as `pod "cart"`, which is not among the names there are.
    pub fn no_such<'a>(
        field: &'static str,
        what: impl Into<String>,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self::NoSuch { field, what: what.into(), nearest: nearest(name, known) }
    }

    /// Whether nothing at all can be read from the cluster, so that going on makes no sense.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NoRoom(_))
    }

    /// The same as a part of the answer that is missing.
    pub fn skipped(&self) -> Skipped {
        match self {
            Self::TimedOut { what, after } => Skipped::new(what, format!("no answer within {} s", after.as_secs())),
            Self::NotFound { what } => Skipped::new(what, "not found"),
            Self::Forbidden { what, why } => Skipped::new(what, format!("forbidden: {why}")),
            Self::NotRecorded { what, why } => Skipped::new(what, why),
            Self::TooLarge { what, limit_bytes } => Skipped::new(what, format!("larger than {limit_bytes} bytes")),
            Self::Malformed { what, source } => Skipped::new(what, format!("the answer cannot be read: {source}")),
            Self::Api { what, status, reason, message } => {
                Skipped::new(what, format!("the API server answered {status} {reason}: {message}"))
            }
            Self::Pod(error) => error.skipped(),
            other => Skipped::new("part of the cluster", chain(other)),
        }
    }
}

/// Names that are shown.
const NEAREST: usize = 3;
/// Below this (of 1), two names have little in common.
const LIKENESS: f64 = 0.7;

/// The names that somebody may have meant, the likeliest first; where none is like it and there are few, all of them.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|known| {
            let holds = !name.is_empty() && (known.contains(&name) || name.contains(known));
            (if holds { 1.0 } else { strsim::jaro_winkler(&name, known) }, known)
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    let few = scored.len() <= NEAREST;
    scored
        .into_iter()
        .filter(|(score, _)| few || *score >= LIKENESS)
        .take(NEAREST)
        .map(|(_, it)| it.to_owned())
        .collect()
}

fn likely(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        [one] => format!("; did you mean {one}?"),
        [first @ .., last] => format!("; did you mean {} or {last}?", first.join(", ")),
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
