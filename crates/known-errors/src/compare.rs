//! Compares a pattern with what stands in a text round one of its literals.

use super::fold::Folded;
use super::index::{Pattern, Token, common};
use super::template::ValueKind;

/// How much of a pattern was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Extent {
    /// Its telling stretch.
    Stretch,
    /// Its beginning, up to where the text ends.
    CutOff,
    Whole,
}

/// A pattern found in a text.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub(super) pattern: usize,
    pub(super) entry: usize,
    pub(super) extent: Extent,
    /// Literal bytes found.
    pub(super) literal: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Index of a value, and where it stands.
    pub(super) values: Vec<(usize, usize, usize)>,
}

/// What the text is: it decides where a message may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paste {
    Message,
    Log,
}

/// A stretch must have this many characters to speak for the whole template.
const TELLING: usize = 25;
/// Values are names, versions and identifiers; the bound also keeps a hostile text from being read again and again.
const LONGEST_VALUE: usize = 400;
/// Places that are tried for what stands before the anchor: a hostile text has the same quote a thousand times.
const MOST_TRIES: usize = 64;
/// A text that patterns are compared with.
pub(super) struct Look<'t> {
    text: &'t Folded<'t>,
    paste: Paste,
    /// Where the text ends, without punctuation.
    stop: usize,
}

impl<'t> Look<'t> {
    pub(super) fn new(text: &'t Folded<'t>, paste: Paste) -> Self {
        Self { text, paste, stop: text.end() }
    }

    /// Compares a pattern with the text, one of its literals standing at a position.
    pub(super) fn look(&self, index: usize, pattern: &Pattern, token: usize, at: usize) -> Option<Hit> {
        let text = self.text;
        let Token::Literal(anchor) = &pattern.tokens[token] else { return None };
        let mut hit = Hit {
            pattern: index,
            entry: pattern.entry,
            extent: Extent::Whole,
            literal: 0,
            start: at,
            end: at,
            values: Vec::new(),
        };
        let found = common(&text.bytes[at..], anchor);
        let whole_anchor = found == anchor.len();
        if !whole_anchor && !self.ends_at(at + found) {
            return None;
        }
        hit.literal = found;
        hit.end = at + found;

        let left = self.look_left(pattern, token, &mut hit);
        if !whole_anchor {
            hit.extent = Extent::CutOff;
        } else if let Some(extent) = self.look_right(pattern, token, &mut hit) {
            hit.extent = extent;
        } else {
            hit.extent = Extent::Stretch;
        }
        let acceptable = match hit.extent {
            Extent::Whole => left && stands_alone(text, pattern, &hit),
            Extent::CutOff => {
                left && hit.literal >= TELLING && hit.literal > pattern.shared + 3 && starts_alone(text, pattern, &hit)
            }
            Extent::Stretch => false,
        };
        if acceptable {
            hit.values.sort_unstable();
            return Some(hit);
        }
        let stretch = whole_anchor && pattern.telling && token == pattern.anchor && anchor.len() >= TELLING;
        let alone = !goes_on(text, at) && !goes_on(text, at + anchor.len());
        (stretch && alone).then(|| Hit {
            extent: Extent::Stretch,
            literal: anchor.len(),
            start: at,
            end: at + anchor.len(),
            values: Vec::new(),
            ..hit
        })
    }

    /// Finds what stands before the anchor, nearest first. Says whether all of it is there.
    fn look_left(&self, pattern: &Pattern, anchor: usize, hit: &mut Hit) -> bool {
        let mut tries = MOST_TRIES;
        self.look_left_from(pattern, anchor, hit, &mut tries)
    }

    /// The nearest place may be the wrong one, as a quote that closes another value: then the next one is tried.
    fn look_left_from(&self, pattern: &Pattern, before: usize, hit: &mut Hit, tries: &mut usize) -> bool {
        let text = self.text;
        let Some((Token::Value(index), rest)) = pattern.tokens[..before].split_last() else { return before == 0 };
        let value = &pattern.values[*index];
        let Some((Token::Literal(literal), rest)) = rest.split_last() else {
            let start = leading_value(text, hit.start);
            hit.values.push((*index, start, hit.start));
            let trimmed = text.bytes[start..hit.start].iter().any(|byte| *byte != b' ');
            hit.start = start;
            return trimmed || value.optional;
        };
        let earliest = reach_back(text, self.paste, value.kind, hit.start);
        let latest = hit.start - usize::from(!value.optional).min(hit.start);
        let known = (hit.start, hit.literal, hit.values.len());
        for end in (earliest..=latest).rev().filter(|end| text.bytes[..*end].ends_with(literal)) {
            if *tries == 0 {
                break;
            }
            *tries -= 1;
            hit.values.push((*index, end, hit.start));
            hit.literal += literal.len();
            hit.start = end - literal.len();
            if self.look_left_from(pattern, rest.len(), hit, tries) {
                return true;
            }
            (hit.start, hit.literal) = (known.0, known.1);
            hit.values.truncate(known.2);
        }
        false
    }

    /// Finds what stands after the anchor, nearest first. Nothing when the text goes on in another way.
    fn look_right(&self, pattern: &Pattern, anchor: usize, hit: &mut Hit) -> Option<Extent> {
        let text = self.text;
        let mut pending = None;
        for token in &pattern.tokens[anchor + 1..] {
            match token {
                Token::Value(index) => pending = Some(*index),
                Token::Literal(literal) => {
                    let index = pending.take()?;
                    let value = &pattern.values[index];
                    let from = hit.end;
                    let earliest = from + usize::from(!value.optional);
                    let latest = reach(text, self.paste, value.kind, from);
                    let found = (earliest..=latest)
                        .find(|at| text.bytes.get(*at..).is_some_and(|rest| rest.starts_with(literal)));
                    if let Some(at) = found {
                        hit.values.push((index, from, at));
                        hit.literal += literal.len();
                        hit.end = at + literal.len();
                        continue;
                    }
                    return self.cut_inside(literal, index, (earliest, latest), hit);
                }
            }
        }
        if let Some(index) = pending {
            if goes_on(text, hit.end) {
                return None;
            }
            let (start, end) = trailing_value(text, pattern.values[index].kind, hit.end);
            hit.values.push((index, start, end));
            hit.end = end.max(hit.end);
            let value = &pattern.values[index];
            // A value at the end may be missing (the mode of `Missing service mesh mode:`), but only together with all
            // that could follow; digits and words that are something else mean another message.
            if start == end && value.kind != ValueKind::Text && !value.optional {
                return None;
            }
        }
        Some(Extent::Whole)
    }

    /// Whether the text ends within the value before a literal, or within the literal.
    fn cut_inside(
        &self,
        literal: &[u8],
        index: usize,
        (earliest, latest): (usize, usize),
        hit: &mut Hit,
    ) -> Option<Extent> {
        let text = self.text;
        let end = match self.paste {
            Paste::Message => self.stop,
            Paste::Log => text.line_end(hit.end).min(self.stop),
        };
        if end < hit.end || end > latest + literal.len() {
            return None;
        }
        let begun = (1..literal.len().min(end.saturating_sub(earliest) + 1))
            .rev()
            .find(|length| text.bytes[..end].ends_with(&literal[..*length]))
            .unwrap_or(0);
        if end - begun > latest {
            return None;
        }
        hit.values.push((index, hit.end, end - begun));
        hit.literal += begun;
        hit.end = end;
        Some(Extent::CutOff)
    }

    /// Whether a message may have been cut off here.
    fn ends_at(&self, at: usize) -> bool {
        at >= self.stop || (self.paste == Paste::Log && at == self.text.line_end(at))
    }
}

/// Whether a found text is not a part of longer words: `resource id` in `resource identifier`.
fn stands_alone(text: &Folded, pattern: &Pattern, hit: &Hit) -> bool {
    let ends = matches!(pattern.tokens.last(), Some(Token::Value(_))) || !goes_on(text, hit.end);
    ends && starts_alone(text, pattern, hit)
}

fn starts_alone(text: &Folded, pattern: &Pattern, hit: &Hit) -> bool {
    matches!(pattern.tokens.first(), Some(Token::Value(_))) || !goes_on(text, hit.start)
}

/// Whether a word goes on here, in the original: without spaces, letters that stand together may have stood apart.
fn goes_on(text: &Folded, at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return false };
    let letter = |at: usize| text.bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    letter(before) && letter(at) && text.origin(at) == text.origin(before) + 1
}

/// Lines that a value may go over: a long one is wrapped, but lines of a log are different messages.
fn most_breaks(paste: Paste) -> usize {
    match paste {
        Paste::Message => 4,
        Paste::Log => 1,
    }
}

/// How far a value that begins here can go.
fn reach(text: &Folded, paste: Paste, kind: ValueKind, from: usize) -> usize {
    let bound = (from + LONGEST_VALUE).min(text.nth_break(from, most_breaks(paste))).max(from).min(text.bytes.len());
    if kind == ValueKind::Text {
        return bound;
    }
    text.bytes[from..bound].iter().position(|byte| !kind.accepts(*byte)).map_or(bound, |length| from + length)
}

/// How far back a value that ends here can go.
fn reach_back(text: &Folded, paste: Paste, kind: ValueKind, to: usize) -> usize {
    let bound = to.saturating_sub(LONGEST_VALUE).max(text.nth_break_before(to, most_breaks(paste)));
    if kind == ValueKind::Text {
        return bound;
    }
    text.bytes[bound..to].iter().rposition(|byte| !kind.accepts(*byte)).map_or(bound, |last| bound + last + 1)
}

/// Where a value begins that stands before everything else: after the last mark that separates it from a prefix.
fn leading_value(text: &Folded, to: usize) -> usize {
    const LONGEST: usize = 200;
    let bound = to.saturating_sub(LONGEST).max(text.nth_break_before(to, 0));
    let before = &text.bytes[bound..to];
    let mark =
        before.windows(2).rposition(|pair| matches!(pair, [b':' | b';' | b',' | b'.' | b'*' | b')' | b']', b' ']));
    let mut start = bound + mark.map_or(0, |mark| mark + 2);
    while start < to && text.bytes[start] == b' ' {
        start += 1;
    }
    start
}

/// A value that ends the template takes the rest of the line, but not what closes a JSON string.
fn trailing_value(text: &Folded, kind: ValueKind, from: usize) -> (usize, usize) {
    let mut start = from;
    if text.bytes.get(start) == Some(&b' ') && text.line_end(start) != start {
        start += 1;
    }
    let bound = (start + LONGEST_VALUE).min(text.line_end(start)).max(start).min(text.bytes.len());
    let value = &text.bytes[start..bound];
    let closes = value.windows(2).position(|pair| matches!(pair, [b'\'', b',' | b'}'])).unwrap_or(value.len());
    let refused = value.iter().position(|byte| !kind.accepts(*byte)).unwrap_or(value.len());
    let value = &value[..closes.min(refused)];
    let end = value.iter().rposition(|byte| !b" .'`:,;".contains(byte)).map_or(0, |last| last + 1);
    (start, start + end)
}
