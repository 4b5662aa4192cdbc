//! Finds a message with typing errors in it, and the entries that resemble an unknown text. For single messages only:
//! it compares every character, where the index looks for whole stretches.

use std::collections::HashMap;

use super::compare::{Extent, Hit};
use super::fold::Folded;
use super::index::{Index, Token};

/// Which groups of three letters the patterns of an index have.
#[derive(Debug)]
pub(super) struct Grams {
    /// Patterns by group, each once.
    users: HashMap<[u8; 3], Vec<u32>>,
    /// For each pattern: how many groups it has, and how much they weigh together.
    patterns: Vec<(usize, f32)>,
}

/// Patterns with less literal text than this are like too many other texts: `no healthy upstream` is two characters away
/// from the response detail `no_healthy_upstream` of any access log.
const SHORTEST: usize = 20;
/// A cut-off text must have this much of the pattern.
const SHORTEST_CUT: usize = 15;
/// Share of the groups that a candidate must have in common with the text: two typing errors leave two thirds.
const CANDIDATE: f32 = 0.5;
/// Comparing is costly, so that only the most similar patterns are compared.
const MOST_CANDIDATES: usize = 4;
/// Longer texts are compared in pieces that overlap.
const PIECE: usize = 768;
const OVERLAP: usize = 256;
const MOST_SUGGESTIONS: usize = 3;
const LEAST_LIKENESS: f32 = 0.25;

/// A pattern found with errors in it.
#[derive(Debug)]
pub(super) struct FuzzyHit {
    pub(super) hit: Hit,
    pub(super) score: f32,
    /// Literal bytes that are right, less those that are wrong: the longer of two messages wins, if it has few errors.
    pub(super) gain: usize,
}

impl Grams {
    pub(super) fn new(index: &Index) -> Self {
        let mut users = HashMap::<[u8; 3], Vec<u32>>::new();
        let mut patterns = Vec::new();
        for (number, pattern) in (0_u32..).zip(&index.patterns) {
            let mut grams: Vec<[u8; 3]> = pattern.literals().flat_map(grams).collect();
            grams.sort_unstable();
            grams.dedup();
            for gram in &grams {
                users.entry(*gram).or_default().push(number);
            }
            patterns.push((grams, 0.0));
        }
        let patterns = patterns
            .into_iter()
            .map(|(grams, _): (Vec<[u8; 3]>, f32)| {
                let weight = grams.iter().map(|gram| weight(users[gram].len())).sum();
                (grams.len(), weight)
            })
            .collect();
        Self { users, patterns }
    }

    /// The best pattern that the text holds but for a few typing errors.
    pub(super) fn find(&self, index: &Index, text: &Folded, skip: impl Fn(usize) -> bool) -> Option<FuzzyHit> {
        let end = text.end();
        let mut found: Vec<FuzzyHit> = Vec::new();
        let mut start = 0;
        loop {
            let stop = (start + PIECE).min(end);
            let piece = &text.bytes[start..stop];
            for pattern in self.candidates(piece) {
                if skip(index.patterns[pattern].entry) {
                    continue;
                }
                let Some(mut fuzzy) = align(index, pattern, piece, stop == end) else { continue };
                fuzzy.hit.start += start;
                fuzzy.hit.end += start;
                for (_, from, to) in &mut fuzzy.hit.values {
                    *from += start;
                    *to += start;
                }
                found.push(fuzzy);
            }
            if stop == end {
                break;
            }
            start = stop - OVERLAP;
        }
        found.into_iter().max_by_key(|fuzzy| (fuzzy.gain, std::cmp::Reverse(fuzzy.hit.pattern)))
    }

    fn candidates(&self, text: &[u8]) -> Vec<usize> {
        let mut groups: Vec<[u8; 3]> = grams(text).collect();
        groups.sort_unstable();
        groups.dedup();
        let mut shared = vec![0_usize; self.patterns.len()];
        for gram in &groups {
            for pattern in self.users.get(gram).into_iter().flatten() {
                shared[*pattern as usize] += 1;
            }
        }
        let mut likely: Vec<(f32, usize)> = Vec::new();
        for (pattern, shared) in shared.into_iter().enumerate() {
            let fewer = self.patterns[pattern].0.min(groups.len()).max(SHORTEST_CUT - 2);
            let share = ratio(shared, fewer);
            if share >= CANDIDATE {
                likely.push((share, pattern));
            }
        }
        likely.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
        likely.into_iter().take(MOST_CANDIDATES).map(|(_, pattern)| pattern).collect()
    }

    /// The entries whose text is most like this one, with how much (0 to 1). Rare letter groups count more.
    pub(super) fn suggest(&self, index: &Index, text: &[u8]) -> Vec<(usize, f32)> {
        let mut groups: Vec<[u8; 3]> = grams(text).collect();
        groups.sort_unstable();
        groups.dedup();
        let mut shared = vec![0.0_f32; self.patterns.len()];
        let mut own = 0.0;
        for gram in &groups {
            let users = self.users.get(gram);
            let weight = weight(users.map_or(1, Vec::len));
            own += weight;
            for pattern in users.into_iter().flatten() {
                shared[*pattern as usize] += weight;
            }
        }
        // A short text is compared by what it has, a long one by what the pattern has; a floor keeps `ok` from being like anything.
        let floor = 8.0 * weight(1);
        let mut likeness = vec![0.0_f32; index.patterns.iter().map(|pattern| pattern.entry + 1).max().unwrap_or(0)];
        for (pattern, shared) in shared.into_iter().enumerate() {
            let entry = index.patterns[pattern].entry;
            let score = shared / self.patterns[pattern].1.min(own).max(floor);
            likeness[entry] = likeness[entry].max(score);
        }
        let mut likely: Vec<(usize, f32)> =
            likeness.into_iter().enumerate().filter(|(_, score)| *score >= LEAST_LIKENESS).collect();
        likely.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        likely.truncate(MOST_SUGGESTIONS);
        likely
    }
}

fn grams(text: &[u8]) -> impl Iterator<Item = [u8; 3]> {
    text.windows(3).map(|window| [window[0], window[1], window[2]])
}

/// A group that few patterns have tells more.
#[expect(clippy::cast_precision_loss, reason = "counts of patterns are small")]
fn weight(users: usize) -> f32 {
    1.0 / (users.max(1) as f32).sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "counts of characters of one message")]
fn ratio(part: usize, whole: usize) -> f32 {
    part as f32 / whole.max(1) as f32
}

/// How many typing errors a stretch of literal text may have: two in a short one, where exchanging two letters counts
/// double, and not many more in a long one, or another message with a similar beginning and end would do.
fn tolerance(literal: usize) -> usize {
    (literal * 4 / 25).clamp(2, 6)
}

/// One symbol of a pattern: a literal byte, or a place for a value.
#[derive(Clone, Copy)]
enum Symbol {
    Byte(u8),
    Value(usize),
}

/// Where in the text the pattern stands with the fewest errors. The text may begin before and end after it, and where it
/// is cut off, the pattern may go on.
fn align(index: &Index, number: usize, text: &[u8], cut: bool) -> Option<FuzzyHit> {
    let pattern = &index.patterns[number];
    if pattern.literal < SHORTEST {
        return None;
    }
    let mut symbols = Vec::new();
    for token in &pattern.tokens {
        match token {
            Token::Literal(literal) => symbols.extend(literal.iter().map(|byte| Symbol::Byte(*byte))),
            Token::Value(value) => symbols.push(Symbol::Value(*value)),
        }
    }
    let table = Table::new(&symbols, text);
    let (rows, row_literal) = literal_counts(&symbols);

    // The whole pattern, anywhere in the text.
    let mut best: Option<Alignment> = None;
    let last = table.row(rows);
    // Letters that go on after the end are errors as well: `mode` in `modes`, but not in `modern`.
    let with_tail = |column: usize| usize::from(last[column]) + word_tail(text, column);
    if let Some(column) = (0..last.len()).min_by_key(|column| with_tail(*column))
        && with_tail(column) <= tolerance(pattern.literal)
    {
        best = Some(Alignment {
            cost: with_tail(column),
            literal: pattern.literal,
            row: rows,
            column,
            extent: Extent::Whole,
        });
    }
    // Its beginning, up to the end of the text.
    if cut {
        for (row, &literal) in row_literal.iter().enumerate().take(rows).skip(1) {
            if literal < SHORTEST_CUT || literal * 5 < pattern.literal * 3 {
                continue;
            }
            let cost = usize::from(table.row(row)[text.len()]);
            // Where several messages are still alike, the text is none of them; nor may all errors be where they differ.
            let own = literal.saturating_sub(pattern.shared);
            let telling = own > cost * 3 + 3;
            let better = best.as_ref().is_none_or(|best| literal.saturating_sub(cost) > best.literal - best.cost);
            if telling && cost <= tolerance(literal) && better {
                best = Some(Alignment { cost, literal, row, column: text.len(), extent: Extent::CutOff });
            }
        }
    }
    let Alignment { cost, literal, row, column, extent } = best?;
    let Trace { start, mut values, cost_at } = table.trace(&symbols, text, row, column);
    // The last word of a text that was cut off is not whole.
    let ends = row == rows && !(cut && column == text.len());
    let whole = if ends { row } else { last_word_start(&symbols[..row]) };
    if !short_words_are_right(&symbols[..whole], &cost_at) {
        return None;
    }
    if row == rows && matches!(symbols.last(), Some(Symbol::Value(_))) {
        let end = text[column..].len();
        if let Some(value) = values.last_mut() {
            value.2 = value.2.max(column + end.min(200));
        }
    }
    let right = values.iter().all(|(value, from, to)| {
        let kind = pattern.values[*value].kind;
        text[*from..*to].iter().all(|byte| kind.accepts(*byte))
    });
    // So are letters before the beginning.
    let cost = cost + word_head(text, start);
    let score = ratio(literal.saturating_sub(cost), pattern.literal);
    let hit = Hit { pattern: number, entry: pattern.entry, extent, literal, start, end: column, values };
    let gain = literal.saturating_sub(2 * cost);
    (right && cost <= tolerance(literal)).then_some(FuzzyHit { hit, score, gain })
}

/// Where a pattern, or its beginning, ends in a text, and with how many errors.
struct Alignment {
    cost: usize,
    literal: usize,
    row: usize,
    column: usize,
    extent: Extent,
}

/// In a message of few words each of them counts: `Missing service mesh gateway` is not `Missing service mesh mode`, although
/// most letters agree.
fn short_words_are_right(symbols: &[Symbol], cost_at: &[u16]) -> bool {
    const FEW_WORDS: usize = 6;
    let is_letter = |row: usize| matches!(symbols.get(row), Some(Symbol::Byte(byte)) if byte.is_ascii_alphanumeric());
    let mut words = Vec::new();
    let mut row = 0;
    while row < symbols.len() {
        let start = row;
        while is_letter(row) {
            row += 1;
        }
        if row > start {
            words.push((row - start, cost_at[row] - cost_at[start].min(cost_at[row])));
        }
        row += 1;
    }
    // Two letters exchanged cost two, in a word of any length; one more may be missing from a long one.
    words.len() >= FEW_WORDS
        || words.iter().all(|(length, errors)| *length <= 2 || (*errors <= 3 && usize::from(*errors) * 2 <= *length))
}

fn last_word_start(symbols: &[Symbol]) -> usize {
    let letter = |symbol: &Symbol| matches!(symbol, Symbol::Byte(byte) if byte.is_ascii_alphanumeric());
    let end = symbols.iter().rposition(letter).map_or(0, |last| last + 1);
    symbols[..end].iter().rposition(|symbol| !letter(symbol)).map_or(0, |last| last + 1)
}

/// The way that led to an alignment.
struct Trace {
    start: usize,
    /// Index of a value, and where it stands.
    values: Vec<(usize, usize, usize)>,
    /// How many errors there were when so many symbols were behind.
    cost_at: Vec<u16>,
}

fn is_word(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(u8::is_ascii_alphanumeric)
}

/// How many letters of a word stand after a place within it.
fn word_tail(text: &[u8], at: usize) -> usize {
    if at == 0 || !is_word(text, at - 1) {
        return 0;
    }
    text[at..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

/// How many letters of a word stand before a place within it.
fn word_head(text: &[u8], at: usize) -> usize {
    if !is_word(text, at) {
        return 0;
    }
    text[..at].iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count()
}

/// How many symbols there are, and how many literal bytes stand before each.
fn literal_counts(symbols: &[Symbol]) -> (usize, Vec<usize>) {
    let mut counts = vec![0];
    let mut count = 0;
    for symbol in symbols {
        count += usize::from(matches!(symbol, Symbol::Byte(_)));
        counts.push(count);
    }
    (symbols.len(), counts)
}

/// The fewest errors with which the first symbols can end at each place of the text.
struct Table {
    costs: Vec<u16>,
    width: usize,
}

impl Table {
    fn new(symbols: &[Symbol], text: &[u8]) -> Self {
        let width = text.len() + 1;
        // The first row is free: the message may begin anywhere.
        let mut costs = vec![0_u16; width * (symbols.len() + 1)];
        for (row, symbol) in symbols.iter().enumerate() {
            let (above, current) = costs[row * width..(row + 2) * width].split_at_mut(width);
            match symbol {
                // A value costs nothing, whatever its length.
                Symbol::Value(_) => {
                    let mut least = u16::MAX;
                    for (current, above) in current.iter_mut().zip(above.iter()) {
                        least = least.min(*above);
                        *current = least;
                    }
                }
                Symbol::Byte(byte) => {
                    current[0] = above[0].saturating_add(1);
                    for column in 1..width {
                        let same = u16::from(text[column - 1] != *byte);
                        current[column] =
                            (above[column - 1] + same).min(above[column] + 1).min(current[column - 1] + 1);
                    }
                }
            }
        }
        Self { costs, width }
    }

    fn row(&self, row: usize) -> &[u16] {
        &self.costs[row * self.width..(row + 1) * self.width]
    }

    /// Goes back the way that led to a cell: where it began, and where the values stand.
    fn trace(&self, symbols: &[Symbol], text: &[u8], row: usize, column: usize) -> Trace {
        let (mut row, mut column) = (row, column);
        let mut values = Vec::new();
        let mut cost_at = vec![0; row + 1];
        while row > 0 {
            let cost = self.row(row)[column];
            cost_at[row] = cost_at[row].max(cost);
            match symbols[row - 1] {
                Symbol::Value(index) => {
                    let end = column;
                    while column > 0 && self.row(row - 1)[column] != cost {
                        column -= 1;
                    }
                    values.push((index, column, end));
                    row -= 1;
                }
                Symbol::Byte(byte) => {
                    let diagonal =
                        column > 0 && self.row(row - 1)[column - 1] + u16::from(text[column - 1] != byte) == cost;
                    if diagonal {
                        row -= 1;
                        column -= 1;
                    } else if self.row(row - 1)[column] + 1 == cost {
                        row -= 1;
                    } else {
                        column -= 1;
                    }
                }
            }
        }
        values.reverse();
        Trace { start: column, values, cost_at }
    }
}
