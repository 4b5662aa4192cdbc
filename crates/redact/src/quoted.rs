//! Names and values in quotes, as JSON and Envoy's logs have them; in a text, the quotes may be escaped, once or more.

use std::sync::LazyLock;

use regex::Regex;

use super::{REDACTED, names};

/// Where a longer value ends is not looked for.
const LONGEST: usize = 8 << 10;

/// A name, what stands between, and how the value begins.
static START: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(\\*)(["'])([A-Za-z0-9_.-]{2,128})\\*["'](\s*(?:[:,]|=>?)\s*)(\\*)(["'])"#)
        .expect("the pattern is a constant")
});

/// The field that holds the value of what another field names.
static VALUE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^\s*,\s*\\*["'](?:value|raw_value|rawValue)\\*["']\s*:\s*(\\*)(["'])"#).expect("a constant")
});

/// The field that names what another field holds.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^\s*,\s*\\*["'](?:name|key|header)\\*["']\s*:\s*\\*["']([A-Za-z0-9_.-]{2,128})\\*["']"#)
        .expect("a constant")
});

/// The text without its secrets, and how many there were.
pub(super) fn redact(text: &str) -> Option<(String, u64)> {
    let (mut out, mut done, mut at, mut count) = (String::new(), 0, 0, 0);
    while let Some(found) = START.captures_at(text, at) {
        let whole = found.get(0).expect("a match is whole");
        let (name, between) = (&found[3], &found[4]);
        let start = whole.end();
        let end = end_of(text, start, found[5].len(), &found[6]);
        // The value may be the name of the next pair.
        at = found.get(3).expect("it is no option").end() + 1;
        // As Envoy's debug log prints headers: `'name', 'value'`.
        let is_pair = if between.contains(',') { &found[2] == "'" } else { true };
        let value = &text[start..end];
        let secret = match name {
            _ if is_pair && names::is_secret(name) => Some((start, end)),
            "name" | "key" | "header" if names::is_secret(value) => VALUE.captures(after(text, end)).map(|next| {
                let quote = next.get(2).expect("it is no option");
                let start = after_at(text, end) + quote.end();
                (start, end_of(text, start, next[1].len(), quote.as_str()))
            }),
            "value" | "raw_value" => {
                let named = NAME.captures(after(text, end)).is_some_and(|next| names::is_secret(&next[1]));
                named.then_some((start, end))
            }
            _ => None,
        };
        if let Some((start, end)) =
            secret.filter(|(start, end)| *start >= done && !names::is_no_secret(&text[*start..*end]))
        {
            out.push_str(&text[done..start]);
            out.push_str(REDACTED);
            (done, at, count) = (end, end, count + 1);
        }
    }
    out.push_str(&text[done..]);
    (count > 0).then_some((out, count))
}

/// A little of what follows the quote at the end of a value.
fn after(text: &str, end: usize) -> &str {
    let start = after_at(text, end);
    let mut limit = (start + 512).min(text.len());
    while !text.is_char_boundary(limit) {
        limit -= 1;
    }
    &text[start..limit]
}

fn after_at(text: &str, end: usize) -> usize {
    let bytes = text.as_bytes();
    let slashes = bytes[end..].iter().take_while(|byte| **byte == b'\\').count();
    (end + slashes + 1).min(text.len())
}

/// Where a value ends, before its quote and the backslashes before that. Where the quotes of JSON have `n` backslashes,
/// those that belong to its texts have `2n + 1`.
fn end_of(text: &str, start: usize, slashes: usize, quote: &str) -> usize {
    let (bytes, quote) = (text.as_bytes(), quote.as_bytes()[0]);
    let modulus = 2 * (slashes + 1);
    let mut run = 0;
    let mut limit = (start + LONGEST).min(bytes.len());
    for (at, byte) in bytes[start..limit].iter().enumerate() {
        match *byte {
            b'\\' => run += 1,
            byte if byte == quote && run % modulus == slashes => return start + at - slashes,
            _ => run = 0,
        }
    }
    while !text.is_char_boundary(limit) {
        limit -= 1;
    }
    limit
}
