//! Looks up one message or several: whole templates first, then cut-off ones, then with typing errors.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{ErrorLookup, ErrorMatch, ErrorMatchKind, ErrorSuggestion};
use super::catalogue::Catalogue;
use super::compare::{Extent, Hit, Paste};
use super::envelope;
use super::fold::{Folded, Shape};
use super::fuzzy::Grams;
use super::index::Index;
use super::percent;
use super::surroundings::{Needs, is_alone};

/// Only the beginning of a longer message is looked at.
pub const LONGEST_MESSAGE: usize = 16 * 1024;
const TRANSLATED: &str =
    "A guess: the text is in another language, and only what is never translated could be compared.";

const MOST_SUGGESTIONS: usize = 3;
/// How much a text is like the wrapper that it was found in.
const LIKE_A_WRAPPER: f32 = 0.5;

/// A hit, with what it says about the text that it was found in.
pub(super) struct Candidate {
    pub(super) hit: Hit,
    pub(super) found: ErrorMatch,
    /// Literal bytes of the whole message: of two hits, the longer is the more specific.
    pub(super) rank: usize,
}

/// What a hit comes to.
pub(super) enum Reading {
    Meant(Box<Candidate>),
    /// The words are there, but what stands round them speaks of something else.
    Guess(ErrorSuggestion),
    No,
}

/// What was read so far in one message.
#[derive(Default)]
struct Readings {
    candidates: Vec<Candidate>,
    guesses: Vec<ErrorSuggestion>,
}

impl Readings {
    fn add(&mut self, reading: Reading) {
        match reading {
            Reading::Meant(candidate) => self.candidates.push(*candidate),
            Reading::Guess(guess) if self.guesses.iter().all(|known| known.id != guess.id) => self.guesses.push(guess),
            Reading::Guess(_) | Reading::No => {}
        }
    }
}

impl Catalogue {
    /// The known errors that one message holds, or what resembles it.
    ///
    /// The message may be wrapped in JSON of Azure Resource Manager, in text of Azure CLI or in other messages, broken into
    /// lines, coloured, quoted, percent-encoded, cut off or mistyped.
    pub fn find(&self, message: &str) -> ErrorLookup {
        let decoded = percent::decode(beginning(message, LONGEST_MESSAGE));
        let message = decoded.as_deref().unwrap_or(message);
        let message = beginning(message, LONGEST_MESSAGE);
        let inner = envelope::open(message);
        let texts: Vec<&str> = inner.iter().map(|inner| inner.text.as_ref()).chain([message]).collect();
        let spaced: Vec<Folded> = texts.iter().map(|text| Folded::new(text, Shape::Spaced)).collect();

        let mut read = Readings::default();
        self.search_all(&self.spaced, &spaced, message, &mut read);
        if !self.tells(&read.candidates) && read.guesses.is_empty() {
            let squeezed: Vec<Folded> = texts.iter().map(|text| Folded::new(text, Shape::Squeezed)).collect();
            self.search_all(&self.squeezed, &squeezed, message, &mut read);
            // Whose words are known but for the reason is not mistyped.
            let settled = read.candidates.iter().any(|one| self.entries[one.hit.entry].last_resort);
            if !settled && !self.tells(&read.candidates) {
                self.find_mistyped((&self.spaced, &self.grams), &spaced, message, &mut read);
            }
            if !settled && !self.tells(&read.candidates) && message.contains('\n') {
                self.find_mistyped((&self.squeezed, &self.squeezed_grams), &squeezed, message, &mut read);
            }
        }
        let Readings { candidates, mut guesses } = read;
        let wrappers: BTreeSet<usize> =
            candidates.iter().map(|one| one.hit.entry).filter(|entry| self.entries[*entry].is_wrapper()).collect();
        let mut matches = self.ranked(candidates);
        if matches.is_empty() && guesses.is_empty() {
            matches.extend(self.guess_translated(message).map(|entry| self.translated(entry, message)));
        }
        if !matches.is_empty() {
            return ErrorLookup { matches, suggestions: Vec::new() };
        }
        // What only carries a message that nobody knows is said, but is no answer.
        guesses.extend(wrappers.into_iter().map(|entry| self.suggestion(entry, LIKE_A_WRAPPER)));
        if inner.iter().any(|inner| inner.code.is_some()) {
            guesses.extend(self.ids.get("ext/wrap-badrequest").map(|entry| self.suggestion(*entry, LIKE_A_WRAPPER)));
        }
        let likely = self.suggest(&spaced).into_iter().filter(|like| guesses.iter().all(|known| known.id != like.id));
        let likely: Vec<ErrorSuggestion> = likely.collect();
        guesses.extend(likely);
        guesses.sort_by(|left, right| right.score.total_cmp(&left.score));
        guesses.truncate(MOST_SUGGESTIONS);
        ErrorLookup { matches, suggestions: guesses }
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
        candidates.iter().any(|candidate| self.entries[candidate.hit.entry].tells())
    }

    fn search_all(&self, index: &Index, texts: &[Folded], paste: &str, read: &mut Readings) {
        for text in texts {
            let mut hits = index.search(text, Paste::Message);
            hits.extend(index.search_cut_off(text));
            for hit in hits {
                read.add(self.candidate(index, text, hit, paste));
            }
        }
    }

    fn find_mistyped(&self, (index, grams): (&Index, &Grams), texts: &[Folded], paste: &str, read: &mut Readings) {
        let skip = |entry: usize| {
            self.entries[entry].known.envelope || read.candidates.iter().any(|candidate| candidate.hit.entry == entry)
        };
        let found = texts.iter().filter_map(|text| Some((text, grams.find(index, text, skip)?)));
        let Some((text, fuzzy)) = found.reduce(|best, next| if next.1.gain > best.1.gain { next } else { best }) else {
            return;
        };
        let mut reading = self.candidate(index, text, fuzzy.hit, paste);
        if let Reading::Meant(candidate) = &mut reading {
            candidate.found.kind = ErrorMatchKind::Fuzzy;
            candidate.found.score = rounded(fuzzy.score);
        }
        read.add(reading);
    }

    /// What a hit says, if the entry accepts the values and the surroundings.
    pub(super) fn candidate(&self, index: &Index, text: &Folded, hit: Hit, surroundings: &str) -> Reading {
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
        if !entry.accepts(&pattern.values, &parameters) {
            return Reading::No;
        }
        let needs = if pattern.near_mesh_word { Needs::MeshWord } else { entry.needs };
        let mut in_mesh = false;
        if needs != Needs::Nothing || entry.caveat.is_some() {
            let named = self.words.named(surroundings);
            in_mesh = named.the_mesh();
            if !named.meets(needs, || is_alone(text, &hit)) {
                return Reading::Guess(self.suggestion(hit.entry, share(hit.literal, pattern.literal).min(0.9)));
            }
        }
        let known = &entry.known;
        let exact = hit.extent == Extent::Whole && pattern.values.is_empty();
        let found = ErrorMatch {
            kind: if exact { ErrorMatchKind::Exact } else { ErrorMatchKind::Template },
            score: match hit.extent {
                Extent::Whole => 1.0,
                Extent::CutOff | Extent::Stretch => share(hit.literal, pattern.literal),
            },
            parameters,
            found: beginning(&text.original_text(hit.start, hit.end), LONGEST_FOUND).to_owned(),
            caveat: entry.caveat.clone().filter(|_| !in_mesh),
            ..ErrorMatch::of(known)
        };
        let rank = hit.literal;
        Reading::Meant(Box::new(Candidate { hit, found, rank }))
    }

    fn translated(&self, entry: usize, message: &str) -> ErrorMatch {
        ErrorMatch {
            kind: ErrorMatchKind::Fuzzy,
            score: 0.5,
            found: beginning(message, 300).to_owned(),
            caveat: Some(TRANSLATED.to_owned()),
            ..ErrorMatch::of(&self.entries[entry].known)
        }
    }

    /// One match for each entry, the most specific first; envelopes last, or not at all where
    /// they say nothing of their own.
    pub(super) fn ranked(&self, mut candidates: Vec<Candidate>) -> Vec<ErrorMatch> {
        let whole = candidates.iter().filter(|one| one.hit.extent == Extent::Whole);
        let whole = whole.filter(|one| self.tells(std::slice::from_ref(one))).map(|one| one.rank).max().unwrap_or(0);
        let tells = self.tells(&candidates);
        candidates.retain(|candidate| {
            let entry = &self.entries[candidate.hit.entry];
            let partial = candidate.hit.extent != Extent::Whole && candidate.rank <= whole;
            !(partial || entry.is_wrapper() || entry.last_resort && tells)
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
        let mut seen = BTreeSet::new();
        candidates.retain(|candidate| seen.insert(candidate.hit.entry));
        candidates.into_iter().map(|candidate| candidate.found).collect()
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
        best.truncate(MOST_SUGGESTIONS);
        best.into_iter().map(|(entry, score)| self.suggestion(entry, score.min(1.0))).collect()
    }

    fn suggestion(&self, entry: usize, score: f32) -> ErrorSuggestion {
        let known = &self.entries[entry].known;
        ErrorSuggestion {
            id: known.id.clone(),
            message: known.message.clone(),
            score: rounded(score),
            message_index: None,
        }
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
