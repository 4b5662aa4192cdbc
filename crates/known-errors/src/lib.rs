//! Known errors: the catalogue of messages, and finding them in what a person pastes. No I/O.
//!
//! A text is *folded* (case, quotes, white space, colours), taken out of its *envelopes*, and searched by an *index* of the
//! templates' telling stretches, round which the rest is *compared*; what is left over is compared letter by letter (*fuzzy*), if it is one message.

mod alerts;
mod answer;
mod catalogue;
mod compare;
mod entry;
mod envelope;
mod fold;
mod fuzzy;
mod index;
mod log;
mod lookup;
mod operator;
mod percent;
mod surroundings;
mod template;
#[cfg(test)]
mod tests;
mod translated;

pub use answer::{ErrorLookup, ErrorMatch, ErrorMatchKind, ErrorSuggestion};
pub use catalogue::Catalogue;
pub use entry::{ErrorBasis, ErrorSource, KnownError};
pub use log::{LONGEST_LOG, MOST_MATCHES};
pub use lookup::LONGEST_MESSAGE;
pub use operator::ErrorCatalogueProblem;
