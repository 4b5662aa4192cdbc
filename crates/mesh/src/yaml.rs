//! YAML as Kubernetes reads it, with the line of every value, and fast enough for a file of a hundred thousand objects.
//!
//! A file is cut at its `---` lines first, so that documents are read independently of each other: one that is broken
//! does not hide the next, and several threads can share the work.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::tree::{MAX_DEPTH, Shape, Tree, TreeBuilder, Unfit};

/// A piece of a file between two `---` lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'t> {
    /// The line of its first character, counted from 1.
    pub line: usize,
    /// Without white space around it.
    pub text: &'t str,
}

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Error {
    pub line: usize,
    pub what: String,
}

/// Cuts a file into its documents. A line ends a document if it is `---` and otherwise white space; such a line cannot
/// be part of a value, because block scalars are indented.
pub fn split(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut start, mut first_line, mut line, mut offset) = (0, 1, 1, 0);
    for row in text.split_inclusive('\n') {
        if row.starts_with("---") && row[3..].trim().is_empty() {
            pieces.extend(piece(&text[start..offset], first_line));
            (start, first_line) = (offset + row.len(), line + 1);
        }
        offset += row.len();
        line += 1;
    }
    pieces.extend(piece(&text[start..], first_line));
    pieces
}

fn piece(text: &str, first_line: usize) -> Option<Piece<'_>> {
    let trimmed = text.trim_start();
    let skipped = text.len() - trimmed.len();
    let line = first_line + text[..skipped].matches('\n').count();
    let text = trimmed.trim_end();
    (!text.is_empty()).then_some(Piece { line, text })
}

/// The first document of a text, which must be a mapping; `None` if the text says nothing.
pub fn first_document(text: &str) -> Result<Option<Tree>, String> {
    let mut builder = TreeBuilder::default();
    let piece = split(text).into_iter().next();
    let document = piece.and_then(|piece| parse(piece, &mut builder).into_iter().next());
    match document {
        None => Ok(None),
        Some(Err(error)) => Err(error.to_string()),
        Some(Ok(tree)) => match tree.root().shape() {
            Some(Shape::Map) => Ok(Some(tree)),
            Some(Shape::Null) | None => Ok(None),
            Some(_) => Err("not a mapping".into()),
        },
    }
}

/// Reads the documents of a piece. There is one, unless a separator carries a comment.
pub fn parse(piece: Piece<'_>, builder: &mut TreeBuilder) -> Vec<Result<Tree, Error>> {
    builder.clear();
    let mut loader =
        Loader { builder, first_line: piece.line, frames: Vec::new(), anchors: HashMap::new(), repeated: 0 };
    let mut parser = Parser::new_from_str(piece.text);
    let mut documents = Vec::new();
    loop {
        match parser.next_event() {
            None | Some(Ok((Event::StreamEnd, _))) => return documents,
            Some(Ok((Event::DocumentEnd, span))) => documents.push(loader.finish(span)),
            Some(Ok((event, span))) => {
                if let Err(error) = loader.take(event, span) {
                    documents.push(Err(error));
                    return documents;
                }
            }
            Some(Err(error)) => {
                let line = piece.line + error.marker().line().saturating_sub(1);
                documents.push(Err(Error { line, what: error.info().to_owned() }));
                return documents;
            }
        }
    }
}

/// What is open around the next value.
enum Frame {
    List { anchor: usize, start: u32 },
    Map { anchor: usize, start: u32, wants_key: bool, merges_next: bool, merged: Vec<(u32, u32)> },
}

struct Loader<'b> {
    builder: &'b mut TreeBuilder,
    first_line: usize,
    frames: Vec<Frame>,
    /// Where the value of each anchor lies; absent while it is still open.
    anchors: HashMap<usize, (u32, u32)>,
    repeated: usize,
}

/// How many values aliases may repeat in one document; beyond it is an attack, not a configuration.
const MAX_REPEATED: usize = 100_000;

impl Loader<'_> {
    fn finish(&mut self, span: Span) -> Result<Tree, Error> {
        self.frames.clear();
        self.anchors.clear();
        self.builder.finish().map_err(|unfit| self.unfit(span, unfit))
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Error> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if self.is_key(&text, style) {
                    return Ok(());
                }
                let start = self.builder.position();
                // The span of a block scalar begins below its indicator; Istio means the line of the indicator.
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let line = self.line(span) - usize::from(is_block && span.start.line() > 1);
                match (style, tag) {
                    (ScalarStyle::Plain, None) => self.plain(&text, line),
                    (ScalarStyle::Plain, Some(tag)) if tag.suffix != "str" && tag.suffix != "binary" => {
                        self.plain(&text, line);
                    }
                    _ => self.builder.scalar(Shape::Text, &text, line),
                }
                self.remember(anchor, start);
            }
            Event::SequenceStart(anchor, _) => {
                self.refuse_key(span)?;
                let start = self.builder.position();
                self.builder.open(Shape::List, self.line(span));
                self.frames.push(Frame::List { anchor, start });
                self.refuse_unfit(span)?;
            }
            Event::MappingStart(anchor, _) => {
                self.refuse_key(span)?;
                let start = self.builder.position();
                self.builder.open(Shape::Map, self.line(span));
                self.frames.push(Frame::Map { anchor, start, wants_key: true, merges_next: false, merged: Vec::new() });
                self.refuse_unfit(span)?;
            }
            Event::SequenceEnd => {
                self.builder.close();
                if let Some(Frame::List { anchor, start }) = self.frames.pop() {
                    self.remember(anchor, start);
                }
            }
            Event::MappingEnd => {
                if let Some(Frame::Map { anchor, start, merged, .. }) = self.frames.pop() {
                    self.merge(start, &merged, span)?;
                    self.builder.close();
                    self.remember(anchor, start);
                }
            }
            Event::Alias(anchor) => self.alias(anchor, span)?,
            Event::DocumentStart(_) | Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | Event::Nothing => {}
        }
        Ok(())
    }

    /// Takes a scalar as the key of the next value, if it is one.
    fn is_key(&mut self, text: &str, style: ScalarStyle) -> bool {
        let Some(Frame::Map { wants_key, merges_next, .. }) = self.frames.last_mut() else { return false };
        if *wants_key {
            self.builder.key(text);
            *wants_key = false;
            *merges_next = text == "<<" && style == ScalarStyle::Plain;
            return true;
        }
        *wants_key = true;
        false
    }

    /// Keys are texts: JSON knows no others.
    fn refuse_key(&mut self, span: Span) -> Result<(), Error> {
        let line = self.line(span);
        if let Some(Frame::Map { wants_key, .. }) = self.frames.last_mut() {
            if *wants_key {
                return Err(Error { line, what: "the key of a mapping must be a scalar".into() });
            }
            *wants_key = true;
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Error> {
        self.refuse_key(span)?;
        let line = self.line(span);
        let Some(range) = self.anchors.get(&anchor).copied() else {
            return Err(Error { line, what: "an alias must follow its anchor and not be a part of it".into() });
        };
        if let Some(Frame::Map { merges_next: merges_next @ true, merged, .. }) = self.frames.last_mut() {
            *merges_next = false;
            merged.push(range);
            return Ok(());
        }
        self.repeated += (range.1 - range.0) as usize;
        if self.repeated > MAX_REPEATED {
            return Err(Error { line, what: "aliases repeat too many values".into() });
        }
        self.builder.repeat(range);
        Ok(())
    }

    /// `<<: *base` gives the entries of `base` that the map does not have itself.
    fn merge(&mut self, map: u32, merged: &[(u32, u32)], span: Span) -> Result<(), Error> {
        for range in merged {
            let mut present: Vec<String> = self.builder.open_entries(map);
            for (key, value) in self.builder.entries_at(range.0) {
                if present.contains(&key) {
                    continue;
                }
                self.repeated += (value.1 - value.0) as usize;
                if self.repeated > MAX_REPEATED {
                    return Err(Error { line: self.line(span), what: "aliases repeat too many values".into() });
                }
                self.builder.key(&key);
                self.builder.repeat(value);
                present.push(key);
            }
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, start: u32) {
        if anchor > 0 {
            self.anchors.insert(anchor, (start, self.builder.position()));
        }
    }

    fn plain(&mut self, text: &str, line: usize) {
        match resolve(text) {
            Resolved::As(shape) => self.builder.scalar(shape, text, line),
            Resolved::Written(shape, text) => self.builder.scalar(shape, &text, line),
        }
    }

    fn line(&self, span: Span) -> usize {
        self.first_line + span.start.line().saturating_sub(1)
    }

    fn refuse_unfit(&self, span: Span) -> Result<(), Error> {
        self.builder.unfit().map_or(Ok(()), |unfit| Err(self.unfit(span, unfit)))
    }

    fn unfit(&self, span: Span, unfit: Unfit) -> Error {
        Error { line: self.line(span), what: unfit.to_string() }
    }
}

/// What a plain scalar means, and how JSON would write it where that differs.
enum Resolved {
    As(Shape),
    Written(Shape, String),
}

/// YAML 1.1 as Kubernetes' reader has it: `yes` and `off` are booleans, `0755` is an octal number.
fn resolve(text: &str) -> Resolved {
    let Some(first) = text.bytes().next() else { return Resolved::As(Shape::Null) };
    match first {
        b'0'..=b'9' | b'-' | b'+' | b'.' => number(text),
        b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'y' | b'Y' | b'o' | b'O' => word(text),
        _ => Resolved::As(Shape::Text),
    }
}

fn word(text: &str) -> Resolved {
    match text {
        "~" | "null" | "Null" | "NULL" => Resolved::As(Shape::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Resolved::Written(Shape::Bool, "true".into())
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Resolved::Written(Shape::Bool, "false".into())
        }
        _ => Resolved::As(Shape::Text),
    }
}

fn number(text: &str) -> Resolved {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain && !text.starts_with('+') && (digits == "0" || !digits.starts_with('0')) && digits.len() <= 19 {
        return Resolved::As(Shape::Integer);
    }
    let sign = if text.starts_with('-') { "-" } else { "" };
    let digits = digits.replace('_', "");
    let radix = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => Some((16, 2)),
        [b'0', b'b', ..] => Some((2, 2)),
        [b'0', b'o', ..] => Some((8, 2)),
        [b'0', b'0'..=b'9', ..] => Some((8, 1)),
        [b'0'..=b'9', ..] => Some((10, 0)),
        _ => None,
    };
    if let Some((radix, skipped)) = radix
        && let Ok(value) = i128::from_str_radix(&digits[skipped..], radix)
    {
        return Resolved::Written(Shape::Integer, format!("{sign}{value}"));
    }
    let is_float = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        && digits.bytes().any(|byte| byte.is_ascii_digit());
    match digits.parse::<f64>() {
        Ok(value) if is_float && value.is_finite() => Resolved::Written(Shape::Float, format!("{sign}{value}")),
        _ => Resolved::As(Shape::Text),
    }
}

const _: () = assert!(MAX_DEPTH < 255, "the parser counts flow levels in a byte");

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> Result<Value, Error> {
        let mut documents = parse(Piece { line: 1, text }, &mut TreeBuilder::default());
        documents.remove(0).map(|tree| tree.root().to_json())
    }

    #[test]
    fn scalars_as_kubernetes_reads_them() {
        for (text, value) in [
            ("1", json!(1)),
            ("-7", json!(-7)),
            ("0755", json!(493)),
            ("0x1F", json!(31)),
            ("1_000", json!(1000)),
            ("1.50", json!(1.5)),
            ("1e3", json!(1000)),
            ("1.2.3", json!("1.2.3")),
            ("-", json!("-")),
            ("1.30-asm", json!("1.30-asm")),
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("~", json!(null)),
            ("none", json!("none")),
            ("'yes'", json!("yes")),
            ("!!str 1", json!("1")),
            (".5", json!(0.5)),
            ("10.0.0.0/8", json!("10.0.0.0/8")),
        ] {
            let text = if text == "-" { "'-'".to_owned() } else { text.to_owned() };
            assert_eq!(read(&format!("a: {text}")).unwrap()["a"], value, "{text}");
        }
    }

    #[test]
    fn aliases_and_merge_keys() {
        let text = "base: &base {a: 1, b: 2}\nuse: *base\nmerged:\n  <<: *base\n  b: 3\n";
        let value = read(text).unwrap();
        assert_eq!(value["use"], json!({"a": 1, "b": 2}));
        assert_eq!(value["merged"], json!({"a": 1, "b": 3}));
    }

    #[test]
    fn bomb_of_aliases_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let below = level - 1;
            let items = vec![format!("*a{below}"); 10].join(", ");
            text += &["a", &level.to_string(), ": &a", &level.to_string(), " [", &items, "]\n"].concat();
        }
        assert!(read(&text).unwrap_err().what.contains("too many"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert!(read(&"[".repeat(100_000)).is_err());
        let block: String = (0..300).map(|depth| " ".repeat(depth) + "a:\n").collect();
        assert!(read(&block).is_err());
    }

    #[test]
    fn pieces_know_their_lines() {
        let text = "\n# comment\na: 1\n---\n---  \n\n\nb: 2\nc: |\n  --- not a separator\n--- \n";
        let pieces = split(text);
        assert_eq!(pieces.iter().map(|piece| piece.line).collect::<Vec<_>>(), [2, 8]);
        let trees = parse(pieces[1], &mut TreeBuilder::default());
        let tree = trees[0].as_ref().unwrap();
        assert_eq!(tree.root().get("b").line(), Some(8));
        assert_eq!(tree.root().get("c").line(), Some(9));
        assert_eq!(tree.root().get("c").text().trim_end(), "--- not a separator");
    }

    #[test]
    fn key_that_is_no_scalar_is_refused() {
        assert!(read("{[a]: b}").is_err());
        assert!(read("a: *b").is_err());
        assert!(read("a: &x [*x]").is_err());
    }
}
