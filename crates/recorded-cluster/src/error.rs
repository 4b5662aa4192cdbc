//! Why a recording could not be opened or written.

use std::io;
use std::path::PathBuf;

/// Why a recording could not be opened or written. Each text says what is wrong and, where it helps, what to change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no file or folder {path:?}")]
    NotFound { path: PathBuf },
    #[error(
        "{path:?} is no recording ({why}): give our own archive, an archive of `istioctl bug-report`, \
         one of them unpacked, or YAML"
    )]
    NotACapture { path: PathBuf, why: String },
    #[error("the archive {path:?} ends too early: it was cut while being written or copied, copy it again")]
    Truncated { path: PathBuf },
    #[error("the archive {path:?} was refused: its entry {entry:?} {why}")]
    UnsafePath { path: PathBuf, entry: String, why: &'static str },
    #[error("{path:?} is too large: {what} is more than the limit of {limit}")]
    TooLarge { path: PathBuf, what: &'static str, limit: u64 },
    #[error("opening {path:?} took too long")]
    TooSlow { path: PathBuf },
    #[error("{path:?} is damaged: {why}")]
    Damaged { path: PathBuf, why: String },
    #[error("cannot {doing} {path:?}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot read {what} of the cluster that is to be recorded: {why}")]
    Cluster { what: &'static str, why: String },
}

impl Error {
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
