//! Names and values in lines, as YAML and HTTP's headers have them.

use std::borrow::Cow;

use super::{LAST_APPLIED, REDACTED, REDACTED_BASE64, is_certificate, json, names, text};

/// So far up and down it is looked whether data are those of a Secret. Farther away, they are taken for it.
const FARTHEST: usize = 2_000;

/// A line with a key.
struct Line<'a> {
    /// Of the key; what stands before an item of a list counts.
    indent: usize,
    is_item: bool,
    key: &'a str,
    value: &'a str,
}

impl<'a> Line<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let line = line.trim_end();
        let mut rest = line.trim_start_matches(' ');
        let mut is_item = false;
        while let Some(item) = rest.strip_prefix("- ") {
            (is_item, rest) = (true, item.trim_start_matches(' '));
        }
        let indent = line.len() - rest.len();
        let (key, value) = match rest.chars().next().filter(|quote| matches!(quote, '"' | '\'')) {
            Some(quote) => rest[1..].split_once(quote)?,
            None => rest.split_once(':').map(|(key, _)| (key, &rest[key.len()..]))?,
        };
        let value = value.strip_prefix(':')?;
        let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b));
        let is_apart = value.is_empty() || value.starts_with([' ', '\t']);
        (is_key && is_apart).then(|| Self { indent, is_item, key, value: value.trim() })
    }
}

/// What the lines that are indented deeper are.
enum Below {
    /// One secret.
    Secret,
    /// The data of a Secret.
    Data(&'static str),
    /// A document that was applied.
    Applied,
}

/// The text without its secrets, and how many there were.
pub(super) fn redact(document: &str) -> Option<(String, u64)> {
    let lines: Vec<&str> = document.split_inclusive('\n').collect();
    let mut out = String::new();
    let mut count = 0;
    // With the indentation that ends it, and how much of it was replaced.
    let mut below: Option<(usize, Below, u64)> = None;
    // The indentation of a name of a secret, whose value stands beside it.
    let mut named: Option<usize> = None;
    let mut changed = false;
    for (index, whole) in lines.iter().enumerate() {
        let content = whole.trim_end_matches(['\r', '\n']);
        let end = &whole[content.len()..];
        let indent = content.len() - content.trim_start_matches(' ').len();
        if let Some((outer, _, _)) = &below
            && indent <= *outer
            && !content.trim().is_empty()
        {
            below = None;
        }
        let replaced = match &mut below {
            Some((_, Below::Secret, found)) if !content.trim().is_empty() => {
                *found += 1;
                match *found {
                    1 if content.trim() == REDACTED => None,
                    1 => Some((format!("{}{REDACTED}", &content[..indent]), 1)),
                    _ => {
                        changed = true;
                        continue;
                    }
                }
            }
            Some((outer, Below::Data(with), _)) => datum(content, *outer, with).map(|(line, is_block)| {
                if is_block {
                    below = Some((indent, Below::Secret, 0));
                }
                (line, u64::from(!is_block))
            }),
            Some((_, Below::Applied, _)) => applied(content),
            _ => None,
        };
        let replaced = replaced.or_else(|| {
            if below.is_some() {
                return None;
            }
            let Some(line) = Line::of(content) else { return embedded(content) };
            if line.is_item || named.is_some_and(|named| line.indent < named) {
                named = None;
            }
            let is_block = matches!(line.value, "|" | "|-" | "|+" | ">" | ">-" | ">+");
            let head = content.trim_end();
            match line.key {
                "data" | "stringData" if line.value.is_empty() && is_of_secret(&lines, index, line.indent) => {
                    let with = if line.key == "data" { REDACTED_BASE64 } else { REDACTED };
                    below = Some((line.indent, Below::Data(with), 0));
                    None
                }
                LAST_APPLIED if is_block => {
                    below = Some((line.indent, Below::Applied, 0));
                    None
                }
                LAST_APPLIED => applied(content),
                "name" | "key" | "header" => {
                    if names::is_secret(line.value.trim_matches(['"', '\''])) {
                        named = Some(line.indent);
                    }
                    None
                }
                key if key == "value" && named == Some(line.indent) || names::is_secret(key) => {
                    if is_block {
                        below = Some((line.indent, Below::Secret, 0));
                        return None;
                    }
                    let value = line.value.trim_matches(['"', '\'', '[', ']', ',']);
                    let prose = key != "value" && names::is_word_of_prose(key);
                    let keep = names::is_no_secret(value)
                        || value.starts_with(['{', '&', '*'])
                        || prose && value.contains(char::is_whitespace)
                        || matches!(key, "secret" | "pass") && !text::looks_made_up(value)
                        || key == "secret" && text::is_object_name(value)
                        || names::is_cookie(key) && !value.contains('=');
                    (!keep).then(|| (format!("{}{REDACTED}", &head[..head.len() - line.value.len()]), 1))
                }
                _ => embedded(content),
            }
        });
        match replaced {
            Some((line, here)) => {
                out.push_str(&line);
                count += here;
                changed = true;
            }
            None => out.push_str(content),
        }
        out.push_str(end);
    }
    changed.then_some((out, count.max(1)))
}

/// One of the data of a Secret, and whether its value begins on the next line.
fn datum(content: &str, outer: usize, with: &str) -> Option<(String, bool)> {
    let line = Line::of(content).filter(|line| line.indent > outer)?;
    if matches!(line.value, "|" | "|-" | "|+" | ">" | ">-" | ">+") {
        return Some((content.to_owned(), true));
    }
    let value = line.value.trim_matches(['"', '\'']);
    let keep = value.is_empty() || value == with || is_certificate(value);
    (!keep).then(|| {
        let head = content.trim_end();
        (format!("{}{with}", &head[..head.len() - line.value.len()]), false)
    })
}

/// A document that `kubectl apply` left.
fn applied(content: &str) -> Option<(String, u64)> {
    let start = content.find('{')?;
    let quoted = content[..start].trim_end().ends_with(['\'', '"']);
    match embedded(content) {
        Some(found) => Some(found),
        // Within quotes, it cannot be read as it stands.
        None if quoted && content.contains("Secret") => Some((format!("{}{REDACTED}", &content[..start]), 1)),
        None => None,
    }
}

/// JSON in a line, as logs have it.
fn embedded(content: &str) -> Option<(String, u64)> {
    if !content.contains("Secret") {
        return None;
    }
    let (start, end) = (content.find('{')?, content.rfind('}')?);
    let document = content.get(start..=end)?;
    let (document, unquote): (Cow<'_, str>, bool) = if document.contains("\\\"") {
        (Cow::Owned(serde_json::from_str(&format!("\"{document}\"")).ok()?), true)
    } else {
        (Cow::Borrowed(document), false)
    };
    serde_json::from_str::<serde::de::IgnoredAny>(&document).ok()?;
    let (redacted, count) = json::redact(&document, json::Root::Any)?;
    let redacted = if unquote {
        let quoted = serde_json::to_string(&redacted).expect("a text is JSON");
        quoted[1..quoted.len() - 1].to_owned()
    } else {
        redacted
    };
    Some((format!("{}{redacted}{}", &content[..start], &content[end + 1..]), count))
}

/// Whether the object with a key in this line is a Secret.
fn is_of_secret(lines: &[&str], index: usize, indent: usize) -> bool {
    let is_kind = |line: &Line<'_>| line.indent == indent && line.key == "kind";
    let is_other = |text: &str| {
        let text = text.trim_end();
        !text.is_empty() && (text.starts_with("---") || text.len() - text.trim_start_matches([' ', '-']).len() < indent)
    };
    let mut looked = 0;
    for text in lines[..=index].iter().rev() {
        looked += 1;
        if looked > FARTHEST {
            return true;
        }
        if let Some(line) = Line::of(text) {
            if is_kind(&line) {
                return line.value == "Secret";
            }
            if line.is_item && line.indent == indent {
                break;
            }
        }
        if is_other(text) {
            break;
        }
    }
    for text in &lines[index + 1..] {
        looked += 1;
        if looked > FARTHEST {
            return true;
        }
        if let Some(line) = Line::of(text) {
            if line.is_item && line.indent <= indent {
                return false;
            }
            if is_kind(&line) {
                return line.value == "Secret";
            }
        }
        if is_other(text) {
            return false;
        }
    }
    false
}
