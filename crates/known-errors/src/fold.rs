//! Makes two texts comparable: lower case, one kind of quote, one space for any white space, no colours, no box drawing,
//! no escapes. Positions in the folded text lead back to the original.

/// What becomes of white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A run of white space is one space.
    Spaced,
    /// White space is dropped, because a terminal may have broken a line in the middle of a word.
    Squeezed,
}

/// A text in comparable form.
#[derive(Debug)]
pub(super) struct Folded<'a> {
    pub(super) original: &'a str,
    pub(super) shape: Shape,
    pub(super) bytes: Vec<u8>,
    /// Where the distance to the original changes: position here, position there.
    jumps: Vec<(usize, usize)>,
    /// Positions at which the original begins a new line.
    breaks: Vec<usize>,
}

impl<'a> Folded<'a> {
    pub(super) fn new(original: &'a str, shape: Shape) -> Self {
        let mut bytes: Vec<u8> = Vec::with_capacity(original.len());
        let mut jumps = Vec::new();
        let mut breaks: Vec<usize> = Vec::new();
        let mut distance = 0;
        walk(original, |at, piece| {
            let last = bytes.last().copied();
            let byte = match piece {
                Piece::Byte(byte) => byte,
                // Doubled quotes come from YAML and from quoting what is quoted already.
                Piece::Quote(_) if last == Some(b'\'') => return,
                Piece::Quote(_) => b'\'',
                Piece::Space | Piece::Break => {
                    let kept = shape == Shape::Spaced && last.is_some_and(|last| last != b' ');
                    if piece == Piece::Break {
                        let position =
                            if kept || last == Some(b' ') { bytes.len() - usize::from(!kept) } else { bytes.len() };
                        if breaks.last() != Some(&position) {
                            breaks.push(position);
                        }
                    }
                    if !kept {
                        return;
                    }
                    b' '
                }
            };
            if at - bytes.len() != distance {
                distance = at - bytes.len();
                jumps.push((bytes.len(), at));
            }
            bytes.push(byte);
        });
        Self { original, shape, bytes, jumps, breaks }
    }

    /// Where the byte at this position stands in the original.
    pub(super) fn origin(&self, position: usize) -> usize {
        if position >= self.bytes.len() {
            return self.original.len();
        }
        match self.jumps.partition_point(|(here, _)| *here <= position) {
            0 => position,
            after => {
                let (here, there) = self.jumps[after - 1];
                there + (position - here)
            }
        }
    }

    /// What stands in the original between two positions, without colours, box drawing and line breaks.
    pub(super) fn original_text(&self, start: usize, end: usize) -> String {
        if start >= end {
            return String::new();
        }
        // The last byte's own place, and not the next byte's: what was dropped in between belongs to neither.
        let from = self.origin(start);
        let mut to = self.origin(end - 1) + 1;
        while !self.original.is_char_boundary(to) {
            to += 1;
        }
        tidy(self.original.get(from..to).unwrap_or_default(), self.shape)
    }

    /// The end of the text, without punctuation and quotes, which a cut-off text may have got from what surrounds it.
    pub(super) fn end(&self) -> usize {
        self.bytes.iter().rposition(|byte| !b" .'`:,;)}]".contains(byte)).map_or(0, |last| last + 1)
    }

    /// The first line break at or after a position, or the end of the text.
    pub(super) fn line_end(&self, position: usize) -> usize {
        self.nth_break(position, 0)
    }

    /// The line break at or after a position with `skipped` others before it, or the end of the text.
    pub(super) fn nth_break(&self, position: usize, skipped: usize) -> usize {
        let first = self.breaks.partition_point(|place| *place < position);
        self.breaks.get(first + skipped).copied().unwrap_or(self.bytes.len())
    }

    /// The last line break before a position with `skipped` others after it, or the start of the text.
    pub(super) fn nth_break_before(&self, position: usize, skipped: usize) -> usize {
        let before = self.breaks.partition_point(|place| *place < position);
        before.checked_sub(skipped + 1).map_or(0, |index| self.breaks[index])
    }
}

/// The text on one line, without colours and box drawing.
pub(super) fn tidy(text: &str, shape: Shape) -> String {
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    let mut broken = false;
    walk_as_is(text, |_, piece| match piece {
        Piece::Byte(byte) | Piece::Quote(byte) => {
            broken = false;
            bytes.push(byte);
        }
        // A frame's border and margin belong to the break.
        Piece::Space if broken => {}
        Piece::Break if shape == Shape::Squeezed => {
            broken = true;
            while bytes.last() == Some(&b' ') {
                bytes.pop();
            }
        }
        Piece::Space | Piece::Break => {
            if bytes.last().is_some_and(|last| *last != b' ') {
                bytes.push(b' ');
            }
        }
    });
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// What a character of the original means for comparing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    Quote(u8),
    Space,
    Break,
}

/// Bytes that stand for themselves, in lower case; zero for those that need a look.
static PLAIN: [u8; 256] = plain();

const fn plain() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0x21_u8;
    while byte < 0x7f {
        table[byte as usize] = match byte {
            b'"' | b'\'' | b'`' | b'\\' | b'&' => 0,
            _ => byte.to_ascii_lowercase(),
        };
        byte += 1;
    }
    table
}

fn walk(text: &str, sink: impl FnMut(usize, Piece)) {
    walk_with::<true>(text, sink);
}

fn walk_as_is(text: &str, sink: impl FnMut(usize, Piece)) {
    walk_with::<false>(text, sink);
}

fn walk_with<const LOWER: bool>(text: &str, mut sink: impl FnMut(usize, Piece)) {
    let source = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = source.get(at) {
        let lower = PLAIN[usize::from(byte)];
        if lower != 0 {
            sink(at, Piece::Byte(if LOWER { lower } else { byte }));
            at += 1;
            continue;
        }
        at += match byte {
            b' ' | b'\t' | b'\r' | 0x0b | 0x0c => {
                sink(at, Piece::Space);
                1
            }
            b'\n' => {
                sink(at, Piece::Break);
                1
            }
            b'"' | b'\'' | b'`' => {
                sink(at, Piece::Quote(byte));
                1
            }
            0x1b => 1 + colour(&source[at + 1..]),
            b'\\' => escape::<LOWER>(source, at, &mut sink),
            b'&' => entity::<LOWER>(source, at, &mut sink),
            0x80.. => wide(text, at, &mut sink),
            // Other control characters.
            _ => 1,
        };
    }
}

/// Length of what follows an escape character: `[31m`, `]0;title` up to its bell, or one character.
fn colour(rest: &[u8]) -> usize {
    // A sequence is short; without a bound, a file of escape characters would be read over and over.
    const LONGEST: usize = 64;
    let bounded = &rest[..rest.len().min(LONGEST)];
    match rest.first() {
        Some(b'[') => bounded.iter().skip(1).position(|byte| (0x40..0x7f).contains(byte)).map_or(1, |end| end + 2),
        Some(b']') => bounded.iter().position(|byte| *byte == 0x07).map_or(1, |end| end + 1),
        _ => 0,
    }
}

/// A backslash and what it escapes, as JSON and Go print it; several backslashes are escaped ones.
fn escape<const LOWER: bool>(source: &[u8], at: usize, sink: &mut impl FnMut(usize, Piece)) -> usize {
    let slashes = source[at..].iter().take_while(|byte| **byte == b'\\').count();
    let Some(&escaped) = source.get(at + slashes) else { return slashes };
    match escaped {
        b'"' | b'\'' | b'`' => sink(at, Piece::Quote(escaped)),
        b'n' => sink(at, Piece::Break),
        b'r' | b't' => sink(at, Piece::Space),
        b'u' => match source.get(at + slashes + 1..at + slashes + 5).and_then(hexadecimal) {
            Some(0x1b) => return slashes + 5 + colour(&source[at + slashes + 5..]),
            Some(code) if code < 0x80 => {
                character::<LOWER>(u8::try_from(code).unwrap_or(b' '), at, sink);
                return slashes + 5;
            }
            _ => {
                sink(at, Piece::Byte(b'\\'));
                return slashes;
            }
        },
        _ => {
            sink(at, Piece::Byte(b'\\'));
            return slashes;
        }
    }
    slashes + 1
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    std::str::from_utf8(digits).ok().and_then(|digits| u32::from_str_radix(digits, 16).ok())
}

/// Entities of HTML and XML, which portals and build logs leave behind.
fn entity<const LOWER: bool>(source: &[u8], at: usize, sink: &mut impl FnMut(usize, Piece)) -> usize {
    const ENTITIES: [(&[u8], u8); 7] = [
        (b"&quot;", b'"'),
        (b"&#34;", b'"'),
        (b"&#39;", b'\''),
        (b"&apos;", b'\''),
        (b"&lt;", b'<'),
        (b"&gt;", b'>'),
        (b"&amp;", b'&'),
    ];
    for (entity, meaning) in ENTITIES {
        if source[at..].starts_with(entity) {
            character::<LOWER>(meaning, at, sink);
            return entity.len();
        }
    }
    sink(at, Piece::Byte(b'&'));
    1
}

fn character<const LOWER: bool>(byte: u8, at: usize, sink: &mut impl FnMut(usize, Piece)) {
    match byte {
        b'"' | b'\'' | b'`' => sink(at, Piece::Quote(byte)),
        b'\n' => sink(at, Piece::Break),
        0x21..0x7f => sink(at, Piece::Byte(if LOWER { byte.to_ascii_lowercase() } else { byte })),
        b' ' | b'\t' | b'\r' => sink(at, Piece::Space),
        _ => {}
    }
}

fn wide(text: &str, at: usize, sink: &mut impl FnMut(usize, Piece)) -> usize {
    let Some(character) = text.get(at..).and_then(|rest| rest.chars().next()) else { return 1 };
    match character {
        '\u{2018}'..='\u{201b}' | '\u{b4}' | '\u{2039}' | '\u{203a}' => sink(at, Piece::Quote(b'\'')),
        '\u{201c}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => sink(at, Piece::Quote(b'"')),
        // Box drawing, as Terraform frames its errors.
        '\u{2500}'..='\u{257f}' => sink(at, Piece::Space),
        // An ellipsis marks a cut.
        '\u{2026}' => sink(at, Piece::Byte(b'.')),
        '\u{2010}'..='\u{2012}' => sink(at, Piece::Byte(b'-')),
        '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => {}
        _ if character.is_whitespace() => sink(at, Piece::Space),
        _ => {
            for (offset, byte) in text.as_bytes()[at..at + character.len_utf8()].iter().enumerate() {
                sink(at + offset, Piece::Byte(*byte));
            }
        }
    }
    character.len_utf8()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let folded = Folded::new(text, Shape::Spaced);
        assert_eq!(String::from_utf8_lossy(&folded.bytes), expected, "{text:?}");
    }

    #[test]
    fn differences_of_presentation_vanish() {
        check("Jwt  is\t\n missing", "jwt is missing");
        check("\u{1b}[31mError:\u{1b}[0m “no”", "error: 'no'");
        check(r#"{\"a\": \\\"b\\\"}"#, "{'a': 'b'}");
        check(r"use \u0027az\u0027 \u003cname\u003e\u001b[1mx", "use 'az' <name>x");
        check("│ Error: a b │\n│ c │", "error: a b c ");
        check("use &#39;az&#39; &amp; wait…", "use 'az' & wait.");
        check("''az aks''", "'az aks'");
        check("Größe C:\\dir", "größe c:\\dir");
    }

    #[test]
    fn positions_lead_back_to_the_original() {
        let text = "a\u{1b}[31m  Missing\u{a0}\u{a0}“Mode”";
        let folded = Folded::new(text, Shape::Spaced);
        let at = folded.bytes.windows(4).position(|bytes| bytes == b"mode").expect("the word is there");
        assert!(text[folded.origin(at)..].starts_with("Mode"));
        assert_eq!(folded.original_text(at, at + 4), "Mode");
    }

    #[test]
    fn squeezing_joins_a_broken_word() {
        let folded = Folded::new("│ not comp\n│ atible", Shape::Squeezed);
        assert_eq!(folded.bytes, b"notcompatible");
        assert_eq!(folded.original_text(3, 13), "compatible");
    }

    #[test]
    fn lines_are_known_in_both_shapes() {
        let spaced = Folded::new("ab \n cd\nef", Shape::Spaced);
        assert_eq!((spaced.line_end(0), spaced.line_end(3), spaced.nth_break(0, 2)), (2, 5, 8));
        let squeezed = Folded::new("ab \n cd\nef", Shape::Squeezed);
        assert_eq!((squeezed.line_end(0), squeezed.line_end(3), squeezed.nth_break_before(5, 0)), (2, 4, 4));
    }

    #[test]
    fn hostile_text_stays_fast_and_whole() {
        for unit in ["\u{1b}[", "\\", "\\u00", "&", "│", "\u{feff}", "\0"] {
            let text = unit.repeat(300_000);
            let folded = Folded::new(&text, Shape::Spaced);
            assert!(folded.bytes.len() <= text.len());
        }
    }
}
