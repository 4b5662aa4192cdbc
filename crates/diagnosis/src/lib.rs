//! Diagnosis: from what the steps find to the causes, the gravest first, each once.
//!
//! [`diagnose`] takes what was found, what the access logs say and the mesh, and is pure: the same evidence gives the
//! same answer. What several steps found is one fact; a table of relations says which kinds of facts explain
//! which others, and the mesh says whether it holds between two at hand; a cause is what nothing else explains. Causes
//! are put in order by who suffers.

mod answer;
mod causes;
mod engine;
mod evidence;
mod fact;
mod healthy;
pub mod hosts;
mod names;
mod onset;
mod place;
pub mod problems;
mod rank;
mod relations;
mod remedy;
mod suffering;
mod tie;
mod verify;
mod words;

pub use answer::{Cause, Confidence, Diagnosis, Effect, Note, Onset, PossibleCause, Suffering, Unknown, Verify};
pub use causes::diagnose;
pub use evidence::{Change, Checked, Evidence, ProxyLog, Scope};
pub use relations::codes;
pub use tie::Tie;
pub use words::{text, three_lines};
