//! Why an admin page could not be understood.

/// Why an admin page, or a part of it, could not be understood or printed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {what}")]
    Json { what: &'static str, source: serde_json::Error },
    #[error("cannot read line {line} of the clusters page: {text:?}")]
    ClustersText { line: usize, text: String },
    #[error("config dump has no configuration type {0}")]
    NoSection(String),
    #[error("{0}")]
    Nothing(&'static str),
    #[error("failed to parse certificates: {0}")]
    NoCertificate(String),
    #[error("unrecognized logger name: {0}")]
    UnknownLogger(String),
    #[error("unrecognized logging level: {0}")]
    UnknownLevel(String),
    #[error("unknown kind of configuration {0:?}")]
    UnknownKind(String),
    #[error("--output is not applicable for this command")]
    NoDump,
}

impl Error {
    pub(super) fn json(what: &'static str) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Json { what, source }
    }
}
