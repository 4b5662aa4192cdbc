//! Finds the known errors in a pasted log, each with its line and column.

use super::answer::ErrorMatch;
use super::catalogue::Catalogue;
use super::compare::{Hit, Paste};
use super::fold::{Folded, Shape};
use super::index::Index;
use super::lookup::{Candidate, Reading, beginning};

/// Only the beginning of a longer log is looked at.
pub const LONGEST_LOG: usize = 1024 * 1024;
/// A log repeats itself: the first matches tell the rest.
pub const MOST_MATCHES: usize = 1000;
/// Larger logs are searched for broken lines only when box drawing shows that a terminal framed them.
const LARGEST_FRAMED: usize = 64 * 1024;
/// How far round a match its surroundings go, in bytes.
const SURROUNDINGS: usize = 300;

impl Catalogue {
    /// The known errors of a log, in its order; of several at one place the most specific first. Looks at the first
    /// [`LONGEST_LOG`] bytes and returns the first [`MOST_MATCHES`] matches.
    pub fn scan_log(&self, log: &str) -> Vec<ErrorMatch> {
        let log = beginning(log, LONGEST_LOG);
        let spaced = Folded::new(log, Shape::Spaced);
        let mut found = self.scan(&self.spaced, &spaced);
        if found.is_empty() && (log.len() <= LARGEST_FRAMED || log.contains('│')) {
            found = self.scan(&self.squeezed, &Folded::new(log, Shape::Squeezed));
        }
        let mut place = Place { at: 0, line: 1, column: 1 };
        for (at, found) in &mut found {
            place.advance(log, *at);
            found.line = Some(place.line);
            found.column = Some(place.column);
        }
        found.into_iter().map(|(_, found)| found).collect()
    }

    /// Matches with their place in the original, in its order.
    fn scan(&self, index: &Index, text: &Folded) -> Vec<(usize, ErrorMatch)> {
        let mut hits = index.search(text, Paste::Log).into_iter().peekable();
        let mut matches = Vec::new();
        while let Some(first) = hits.next() {
            // Hits that touch are readings of one message.
            let mut end = first.end;
            let mut together = vec![first];
            while let Some(next) = hits.next_if(|next| next.start < end) {
                end = end.max(next.end);
                together.push(next);
            }
            matches.extend(self.readings(index, text, together));
            if matches.len() >= MOST_MATCHES {
                matches.truncate(MOST_MATCHES);
                break;
            }
        }
        matches
    }

    fn readings(&self, index: &Index, text: &Folded, hits: Vec<Hit>) -> Vec<(usize, ErrorMatch)> {
        let mut candidates: Vec<Candidate> = Vec::new();
        for hit in hits {
            let (start, end) = (hit.start, hit.end);
            if let Reading::Meant(candidate) = self.candidate(index, text, hit, surroundings(text, start, end)) {
                candidates.push(*candidate);
            }
        }
        let places: Vec<(String, usize)> =
            candidates.iter().map(|one| (one.found.id.clone(), text.origin(one.hit.start))).collect();
        let first = places.iter().map(|(_, at)| *at).min().unwrap_or(0);
        let own = |found: &ErrorMatch| places.iter().find(|(id, _)| *id == found.id).map_or(first, |(_, at)| *at);
        let mut matches: Vec<_> = self.ranked(candidates).into_iter().map(|found| (own(&found), found)).collect();
        matches.sort_by_key(|(at, _)| *at);
        matches
    }
}

/// The original text round a hit.
fn surroundings<'a>(text: &Folded<'a>, start: usize, end: usize) -> &'a str {
    let original = text.original;
    let from = original.floor_char_boundary(text.origin(start).saturating_sub(SURROUNDINGS));
    let to = original.floor_char_boundary((text.origin(end) + SURROUNDINGS).min(original.len()));
    &original[from..to]
}

/// A place in the log, moved on and never back.
struct Place {
    at: usize,
    line: usize,
    column: usize,
}

impl Place {
    fn advance(&mut self, log: &str, to: usize) {
        let Some(passed) = log.get(self.at..to) else { return };
        match passed.rfind('\n') {
            Some(last) => {
                self.line += passed.bytes().filter(|byte| *byte == b'\n').count();
                self.column = 1 + passed[last + 1..].chars().count();
            }
            None => self.column += passed.chars().count(),
        }
        self.at = to;
    }
}
