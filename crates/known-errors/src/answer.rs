//! What a look-up answers with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::entry::KnownError;

/// How a known error was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorMatchKind {
    /// The text holds the message as it is published.
    Exact,
    /// The text holds the message with values in its placeholders, or a part of it that no other message has.
    Template,
    /// The text holds the message but for a few characters.
    Fuzzy,
}

/// A known error that a text holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorMatch {
    /// The entry: `GET /v1/errors/{id}` has the rest of it.
    pub id: String,
    /// The message as it is published.
    pub message: String,
    #[serde(rename = "match")]
    pub kind: ErrorMatchKind,
    /// How much of the message is there, from 0 to 1.
    pub score: f32,
    /// What stands in the placeholders.
    pub parameters: BTreeMap<String, String>,
    /// The part of the text that was recognised, shortened.
    pub found: String,
    pub reason: String,
    pub recommendation: String,
    /// Where to read more.
    pub docs: Vec<String>,
    /// What limits this match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caveat: Option<String>,
    /// Other matches of the same text that may be meant as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
    /// Which of several messages it was found in, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_index: Option<usize>,
    /// Line in a log, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Character in the line, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// An entry that resembles a text in which nothing was recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorSuggestion {
    pub id: String,
    /// The message as it is published.
    pub message: String,
    /// How much it resembles the text, from 0 to 1. A guess, whatever the number.
    pub score: f32,
    /// Which of several messages it is for, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_index: Option<usize>,
}

/// What a look-up found: matches, or else suggestions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorLookup {
    /// The most specific first; of a log, in the order of the log.
    pub matches: Vec<ErrorMatch>,
    /// Entries that resemble a text in which nothing was recognised.
    pub suggestions: Vec<ErrorSuggestion>,
}

impl ErrorMatch {
    /// What an entry says of itself, to be completed by what was found.
    pub(super) fn of(known: &KnownError) -> Self {
        Self {
            id: known.id.clone(),
            message: known.message.clone(),
            kind: ErrorMatchKind::Template,
            score: 1.0,
            parameters: BTreeMap::new(),
            found: String::new(),
            reason: known.reason.clone(),
            recommendation: known.recommendation.clone(),
            docs: known.docs.clone(),
            caveat: None,
            alternatives: Vec::new(),
            message_index: None,
            line: None,
            column: None,
        }
    }
}
