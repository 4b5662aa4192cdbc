//! Looks up one message or several: whole templates first, then cut-off ones, then with typing errors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::catalogue::Catalogue;
use super::compare::{Extent, Hit, Paste};
use super::envelope;
use super::fold::{Folded, Shape};
use super::fuzzy::Grams;
use super::index::Index;

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

/// Only the beginning of a longer message is looked at.
pub const LONGEST_MESSAGE: usize = 16 * 1024;

/// A hit, with what it says about the text that it was found in.
pub(super) struct Candidate {
    pub(super) hit: Hit,
    pub(super) found: ErrorMatch,
    /// Literal bytes of the whole message: of two hits, the longer is the more specific.
    pub(super) rank: usize,
}

impl Catalogue {
    /// The known errors that one message holds, or what resembles it.
    ///
    /// The message may be wrapped in JSON of Azure Resource Manager, in text of Azure CLI or in other messages, broken into
    /// lines, coloured, quoted, cut off or mistyped.
    pub fn find(&self, message: &str) -> ErrorLookup {
        let message = beginning(message, LONGEST_MESSAGE);
        let inner = envelope::open(message);
        let texts: Vec<&str> = inner.iter().map(|inner| inner.text.as_ref()).chain([message]).collect();
        let spaced: Vec<Folded> = texts.iter().map(|text| Folded::new(text, Shape::Spaced)).collect();

        let mut candidates = self.search_all(&self.spaced, &spaced, message);
        if !self.tells(&candidates) {
            let squeezed: Vec<Folded> = texts.iter().map(|text| Folded::new(text, Shape::Squeezed)).collect();
            candidates.extend(self.search_all(&self.squeezed, &squeezed, message));
            if !self.tells(&candidates) {
                candidates.extend(self.find_mistyped((&self.spaced, &self.grams), &spaced, message, &candidates));
            }
            if !self.tells(&candidates) && message.contains('\n') {
                let mistyped =
                    self.find_mistyped((&self.squeezed, &self.squeezed_grams), &squeezed, message, &candidates);
                candidates.extend(mistyped);
            }
        }
        let mut matches = self.ranked(candidates);
        if matches.is_empty() {
            matches.extend(inner.iter().find_map(|inner| self.only_an_envelope(inner)));
        }
        let suggestions = if matches.is_empty() { self.suggest(&spaced) } else { Vec::new() };
        ErrorLookup { matches, suggestions }
    }

    /// Looks up several messages; each match says which one it is of.
    pub fn find_all<'a>(&self, messages: impl IntoIterator<Item = &'a str>) -> ErrorLookup {
        let mut all = ErrorLookup::default();
        for (index, message) in messages.into_iter().enumerate() {
            let ErrorLookup { matches, suggestions } = self.find(message);
            all.matches.extend(matches.into_iter().map(|found| ErrorMatch { message_index: Some(index), ..found }));
            let suggestions =
                suggestions.into_iter().map(|found| ErrorSuggestion { message_index: Some(index), ..found });
            all.suggestions.extend(suggestions);
        }
        all
    }

    /// Whether something was recognised that is more than an envelope.
    fn tells(&self, candidates: &[Candidate]) -> bool {
        candidates.iter().any(|candidate| !self.entries[candidate.hit.entry].known.envelope)
    }

    fn search_all(&self, index: &Index, texts: &[Folded], paste: &str) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for text in texts {
            let mut hits = index.search(text, Paste::Message);
            hits.extend(index.search_cut_off(text));
            for hit in hits {
                candidates.extend(self.candidate(index, text, hit, paste));
            }
        }
        candidates
    }

    fn find_mistyped(
        &self,
        (index, grams): (&Index, &Grams),
        texts: &[Folded],
        paste: &str,
        known: &[Candidate],
    ) -> Option<Candidate> {
        let skip = |entry: usize| {
            self.entries[entry].known.envelope || known.iter().any(|candidate| candidate.hit.entry == entry)
        };
        let found = texts.iter().filter_map(|text| Some((text, grams.find(index, text, skip)?)));
        let (text, fuzzy) = found.reduce(|best, next| if next.1.gain > best.1.gain { next } else { best })?;
        let mut candidate = self.candidate(index, text, fuzzy.hit, paste)?;
        candidate.found.kind = ErrorMatchKind::Fuzzy;
        candidate.found.score = rounded(fuzzy.score);
        Some(candidate)
    }

    /// What a hit says, if the entry accepts the values and the surroundings.
    pub(super) fn candidate(&self, index: &Index, text: &Folded, hit: Hit, surroundings: &str) -> Option<Candidate> {
        const LONGEST_FOUND: usize = 300;
        let entry = &self.entries[hit.entry];
        let pattern = &index.patterns[hit.pattern];
        let parameters: BTreeMap<String, String> = hit
            .values
            .iter()
            .map(|(value, start, end)| (pattern.values[*value].name.clone(), text.original_text(*start, *end)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        // Where the value decides, a stretch of the text without it decides nothing.
        if !entry.accepts(&parameters) {
            return None;
        }
        let in_mesh = (entry.needs_mesh_word || entry.caveat.is_some()) && self.has_mesh_word(surroundings);
        if entry.needs_mesh_word && !in_mesh {
            return None;
        }
        let known = &entry.known;
        let exact = hit.extent == Extent::Whole && pattern.values.is_empty();
        let found = ErrorMatch {
            id: known.id.clone(),
            message: known.message.clone(),
            kind: if exact { ErrorMatchKind::Exact } else { ErrorMatchKind::Template },
            score: match hit.extent {
                Extent::Whole => 1.0,
                Extent::CutOff | Extent::Stretch => share(hit.literal, pattern.literal),
            },
            parameters,
            found: beginning(&text.original_text(hit.start, hit.end), LONGEST_FOUND).to_owned(),
            reason: known.reason.clone(),
            recommendation: known.recommendation.clone(),
            docs: known.docs.clone(),
            caveat: entry.caveat.clone().filter(|_| !in_mesh),
            alternatives: Vec::new(),
            message_index: None,
            line: None,
            column: None,
        };
        let rank = hit.literal;
        Some(Candidate { hit, found, rank })
    }

    /// One match for each entry, the most specific first; envelopes last, or not at all where they say nothing of their own.
    pub(super) fn ranked(&self, mut candidates: Vec<Candidate>) -> Vec<ErrorMatch> {
        let whole = candidates.iter().filter(|one| one.hit.extent == Extent::Whole);
        let whole = whole.filter(|one| self.tells(std::slice::from_ref(one))).map(|one| one.rank).max().unwrap_or(0);
        let tells = self.tells(&candidates);
        candidates.retain(|candidate| {
            let known = &self.entries[candidate.hit.entry].known;
            let partial = candidate.hit.extent != Extent::Whole && candidate.rank <= whole;
            let wrapper = known.envelope && known.kind == "wrapper" && tells;
            !partial && !wrapper
        });
        // Entries that are alternatives of each other keep the order of the catalogue.
        let ranks: BTreeMap<usize, usize> = candidates.iter().map(|one| (one.hit.entry, one.rank)).collect();
        for candidate in &mut candidates {
            for alternative in &self.entries[candidate.hit.entry].known.alternatives {
                let other = self.ids.get(alternative).and_then(|entry| ranks.get(entry));
                if let Some(rank) = other {
                    candidate.rank = candidate.rank.max(*rank);
                    candidate.found.alternatives.push(alternative.clone());
                }
            }
        }
        candidates.sort_by_key(|one| {
            let known = &self.entries[one.hit.entry].known;
            (known.envelope, std::cmp::Reverse(one.rank), known.source, one.hit.entry)
        });
        let mut seen = std::collections::BTreeSet::new();
        candidates.retain(|candidate| seen.insert(candidate.hit.entry));
        candidates.into_iter().map(|candidate| candidate.found).collect()
    }

    /// Azure CLI's `(Code) text` with an unknown text: the envelope is all that is known.
    fn only_an_envelope(&self, inner: &envelope::Inner) -> Option<ErrorMatch> {
        let code = inner.code.as_ref()?;
        let known = self.get("ext/wrap-badrequest")?;
        let parameters = [("code", code.as_str()), ("message", inner.text.as_ref())];
        Some(ErrorMatch {
            id: known.id.clone(),
            message: known.message.clone(),
            kind: ErrorMatchKind::Template,
            score: 1.0,
            parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            found: beginning(&inner.text, 300).to_owned(),
            reason: known.reason.clone(),
            recommendation: known.recommendation.clone(),
            docs: known.docs.clone(),
            caveat: None,
            alternatives: Vec::new(),
            message_index: None,
            line: None,
            column: None,
        })
    }

    fn suggest(&self, texts: &[Folded]) -> Vec<ErrorSuggestion> {
        let mut best = BTreeMap::<usize, f32>::new();
        for text in texts {
            for (entry, score) in self.grams.suggest(&self.spaced, &text.bytes) {
                let known = best.entry(entry).or_insert(score);
                *known = known.max(score);
            }
        }
        let mut best: Vec<(usize, f32)> = best.into_iter().collect();
        best.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        best.truncate(3);
        let suggestion = |(entry, score): (usize, f32)| {
            let known = &self.entries[entry].known;
            ErrorSuggestion {
                id: known.id.clone(),
                message: known.message.clone(),
                score: rounded(score.min(1.0)),
                message_index: None,
            }
        };
        best.into_iter().map(suggestion).collect()
    }
}

/// At most so many bytes of a text, whole characters.
pub(super) fn beginning(text: &str, longest: usize) -> &str {
    if text.len() <= longest {
        return text;
    }
    &text[..text.floor_char_boundary(longest)]
}

#[expect(clippy::cast_precision_loss, reason = "lengths of a template")]
fn share(part: usize, whole: usize) -> f32 {
    rounded(part as f32 / whole.max(1) as f32)
}

fn rounded(score: f32) -> f32 {
    (score * 100.0).round() / 100.0
}
