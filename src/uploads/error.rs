//! Why a capture could not be taken, found or opened.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use crate::capture;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a capture could not be taken, found or opened. It can be cloned, because all who wait for the same capture to be
/// opened get the same answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// One of another caller is not found either.
    #[error(
        "there is no capture of that id here, or you may not use it (with several replicas, --captures-dir must name \
         a folder that they share)"
    )]
    NotFound,
    #[error("{what}: delete some, or wait until they expire")]
    Full { what: String },
    #[error("too many captures are being uploaded or opened")]
    Busy,
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("nothing of the body came for {} s", .0.as_secs())]
    Stalled(Duration),
    #[error("the body took longer than {} s", .0.as_secs())]
    TooLong(Duration),
    #[error("the body ended too early, or its encoding is broken: {0}")]
    Broken(String),
    #[error("the body has {received} bytes, and `Content-Length` says {announced}")]
    WrongLength { announced: u64, received: u64 },
    /// A mistake of ours.
    #[error("opening the capture failed; the service's log says how")]
    Failed,
    /// The file is no capture that may be opened.
    #[error("{}", refusal(.0))]
    Refused(Arc<capture::Error>),
    #[error("cannot {doing} {path:?}")]
    Io { doing: &'static str, path: PathBuf, source: Arc<io::Error> },
}

impl Error {
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source: Arc::new(source) }
    }
}

impl From<capture::Error> for Error {
    fn from(error: capture::Error) -> Self {
        match error {
            // It was deleted just now.
            capture::Error::NotFound { .. } => Self::NotFound,
            capture::Error::Io { doing, path, source } => Self::io(doing, path)(source),
            other => Self::Refused(Arc::new(other)),
        }
    }
}

/// The same as the error says, without the path of this machine, which tells the caller nothing.
fn refusal(error: &capture::Error) -> String {
    use capture::Error;
    match error {
        Error::NotACapture { why, .. } => {
            format!("this is no recording ({why}): send our own archive, an archive of `istioctl bug-report`, or YAML")
        }
        Error::Truncated { .. } => {
            "the archive ends too early: it was cut while being written or copied, make it again".to_owned()
        }
        Error::UnsafePath { entry, why, .. } => format!(
            "the archive's entry {entry:?} {why}: pack only plain files below one folder, as `tar --dereference` does"
        ),
        Error::TooLarge { what, limit, .. } => {
            format!("{what} is more than the limit of {limit}: record fewer namespaces, or shorter logs")
        }
        Error::TooSlow { .. } => "it took too long to open: record fewer namespaces, or shorter logs".to_owned(),
        Error::Damaged { why, .. } => format!("the recording is damaged: {why}"),
        Error::NotFound { .. } | Error::Io { .. } | Error::Cluster { .. } => "it cannot be read".to_owned(),
    }
}
