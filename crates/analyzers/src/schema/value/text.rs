//! Texts as Go prints them, because users compare our findings with those of `istioctl`.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A text under Go's `%q`.
pub(in super::super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            _ if is_printable(character) => out.push(character),
            _ => {
                let number = u32::from(character);
                let written = match number {
                    0..=0x7f => write!(out, "\\x{number:02x}"),
                    0x80..=0xffff => write!(out, "\\u{number:04x}"),
                    _ => write!(out, "\\U{number:08x}"),
                };
                written.expect("a String takes every text");
            }
        }
    }
    out.push('"');
    out
}

/// Go prints letters, marks, numbers, punctuation, symbols and the plain space.
fn is_printable(character: char) -> bool {
    let format_character = matches!(
        u32::from(character),
        0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f
            | 0xe000..=0xf8ff | 0xfeff | 0xfff0..=0xfffb | 0xfffe | 0xffff | 0xe0000..=0x10_ffff
    );
    character == ' ' || !(character.is_control() || character.is_whitespace() || format_character)
}

/// A list under Go's `%v`: `[a b]`.
pub(in super::super) fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<_> = items.into_iter().collect();
    format!("[{}]", items.join(" "))
}

/// How many items of a list, and how many characters of a name, are shown where they are repeated in many texts.
const MOST_SHOWN: usize = 256;

/// A name that stands in many texts; a longer one than any sensible is cut, lest the texts outgrow the object.
pub(in super::super) fn shortened(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => Cow::Owned(format!("{}…", &name[..end])),
        None => Cow::Borrowed(name),
    }
}

/// The items of a list that stands in many texts, with a separator, cut as `shortened` does.
pub(in super::super) fn joined<'a>(items: impl ExactSizeIterator<Item = &'a str>, separator: &str) -> String {
    let more = items.len().saturating_sub(MOST_SHOWN);
    let mut shown: Vec<_> = items.take(MOST_SHOWN).map(shortened).collect();
    if more > 0 {
        shown.push(Cow::Owned(format!("… and {more} more")));
    }
    shown.join(separator)
}

/// Several errors inside one text, as Go's `multierror` writes them.
pub(in super::super) fn error_list(errors: &[String]) -> String {
    let head = match errors.len() {
        1 => "1 error occurred:".to_owned(),
        count => format!("{count} errors occurred:"),
    };
    let mut out = head;
    for error in errors {
        out.push_str("\n\t* ");
        out.push_str(error);
    }
    out.push_str("\n\n");
    out
}

/// What stands before and after the first separator.
pub(in super::super) fn split_first(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}
