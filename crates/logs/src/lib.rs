//! What log lines say: levels, signatures of known trouble, access-log lines and what they mean together. No I/O.
//!
//! [`digest`] reads the lines of one container and [`findings`](digest::findings) judges them; [`access_log`] reads
//! Envoy's access log, [`summary`] counts its failures and [`pairing`] joins both ends of a request. The caller
//! fetches the logs, says whose they are, and adds what the objects know (restarts, owners).

pub mod access_log;
pub mod digest;
pub mod flags;
pub mod line;
mod mask;
pub mod pairing;
pub mod signatures;
pub mod summary;
pub mod time_range;
mod wrapped;

pub use access_log::{AccessLogLine, Side, UpstreamCluster};
pub use digest::{DigestBuilder, LogDigest, SignatureHit, UnknownLine};
pub use flags::{Explanation, explain};
pub use line::{Level, LineParser, LogLine};
pub use pairing::{PairConclusion, RequestPair};
pub use signatures::{LogCode, Source, codes, match_event};
pub use summary::{AccessLogSummary, FailureGroup, SummaryBuilder};
