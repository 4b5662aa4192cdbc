//! YAML as istioctl writes it: keys in order, lists not indented, text quoted only where it must be.

use std::cmp::Ordering;
use std::fmt::Write;

use serde_json::{Map, Value};

pub(super) fn written(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => write_fields(fields, 0, false, &mut text),
        Value::Array(items) if !items.is_empty() => write_items(items, 0, &mut text),
        scalar => {
            write_scalar(scalar, 0, &mut text);
            text.push('\n');
        }
    }
    text
}

/// `first_in_place`: the first field continues the line of a `- `.
fn write_fields(fields: &Map<String, Value>, indent: usize, first_in_place: bool, text: &mut String) {
    let mut keys: Vec<&String> = fields.keys().collect();
    keys.sort_by(|a, b| key_order(a, b));
    for (index, key) in keys.into_iter().enumerate() {
        if index > 0 || !first_in_place {
            push_indent(indent, text);
        }
        write_text(key, indent, text);
        text.push(':');
        match &fields[key] {
            Value::Object(fields) if !fields.is_empty() => {
                text.push('\n');
                write_fields(fields, indent + 2, false, text);
            }
            Value::Array(items) if !items.is_empty() => {
                text.push('\n');
                write_items(items, indent, text);
            }
            scalar => {
                text.push(' ');
                write_scalar(scalar, indent + 2, text);
                text.push('\n');
            }
        }
    }
}

fn write_items(items: &[Value], indent: usize, text: &mut String) {
    for (index, item) in items.iter().enumerate() {
        // The first item of a list in a list stands behind the dash of the outer one.
        if index > 0 || !text.ends_with("- ") {
            push_indent(indent, text);
        }
        text.push_str("- ");
        match item {
            Value::Object(fields) if !fields.is_empty() => write_fields(fields, indent + 2, true, text),
            Value::Array(items) if !items.is_empty() => write_items(items, indent + 2, text),
            scalar => {
                write_scalar(scalar, indent + 2, text);
                text.push('\n');
            }
        }
    }
}

fn push_indent(indent: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', indent));
}

/// A scalar, or an empty list or map, which are written in line.
fn write_scalar(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::String(string) => write_text(string, indent, text),
        Value::Array(_) => text.push_str("[]"),
        Value::Object(_) => text.push_str("{}"),
        Value::Null => text.push_str("null"),
        Value::Bool(value) => write!(text, "{value}").expect("a string takes any text"),
        Value::Number(value) => write!(text, "{value}").expect("a string takes any text"),
    }
}

fn write_text(string: &str, indent: usize, text: &mut String) {
    let printable = |letter: char| letter == '\n' || (!letter.is_control() && letter != '\u{feff}');
    if reads_as_another_type(string) || !string.chars().all(printable) {
        write_double_quoted(string, text);
    } else if string.contains('\n') {
        write_block(string, indent, text);
    } else if is_plain(string) {
        text.push_str(string);
    } else {
        write!(text, "'{}'", string.replace('\'', "''")).expect("a string takes any text");
    }
}

/// Whether the text without quotes would be null, a truth value, a number, or a time: then it must have quotes.
fn reads_as_another_type(string: &str) -> bool {
    const WORDS: [&str; 14] =
        ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf", "<<"];
    let lower = string.to_ascii_lowercase();
    let unsigned = lower.strip_prefix(['+', '-']).unwrap_or(&lower);
    let starts_as_number = unsigned.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.');
    WORDS.contains(&lower.as_str())
        || matches!(unsigned, ".inf")
        || (starts_as_number && (is_number(unsigned) || is_base_60(unsigned) || is_date(unsigned)))
}

fn is_number(text: &str) -> bool {
    let digits = text.replace('_', "");
    let of_radix = |prefix: &str, radix: u32| {
        digits
            .strip_prefix(prefix)
            .is_some_and(|digits| !digits.is_empty() && digits.chars().all(|d| d.is_digit(radix)))
    };
    let is_decimal = digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'+' | b'-'));
    of_radix("0x", 16) || of_radix("0o", 8) || of_radix("0b", 2) || (is_decimal && digits.parse::<f64>().is_ok())
}

/// `12:30:45`, which YAML 1.1 takes for a number.
fn is_base_60(text: &str) -> bool {
    let mut parts = text.split(':');
    let first = parts.next().is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let mut rest = 0;
    for part in parts {
        rest += 1;
        let part = part.split('.').next().unwrap_or_default();
        if part.is_empty() || part.len() > 2 || part.parse::<u8>().map_or(true, |number| number > 59) {
            return false;
        }
    }
    first && rest > 0
}

/// `2026-11-25`, with or without a time.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(day)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let digits = |part: &str| part.bytes().take_while(u8::is_ascii_digit).count();
    let is_of_time = |byte: u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'+' | b'-' | b' ' | b'z');
    let after_day = &day[digits(day)..];
    year.len() == 4
        && digits(year) == 4
        && (1..=2).contains(&month.len())
        && digits(month) == month.len()
        && (1..=2).contains(&digits(day))
        && (after_day.is_empty() || (after_day.starts_with(['t', ' ']) && after_day.bytes().skip(1).all(is_of_time)))
}

/// Whether the text may stand without quotes.
fn is_plain(string: &str) -> bool {
    const INDICATORS: &str = "#,[]{}&*!|>'\"%@`";
    let Some(first) = string.chars().next() else { return false };
    let second = string.chars().nth(1);
    let starts_well = match first {
        '-' | '?' | ':' => second.is_some_and(|second| second != ' '),
        _ => !INDICATORS.contains(first),
    };
    starts_well
        && first != ' '
        && !string.ends_with([' ', ':'])
        && !string.contains(": ")
        && !string.contains(" #")
        && string != "---"
        && string != "..."
}

fn write_double_quoted(string: &str, text: &mut String) {
    text.push('"');
    for letter in string.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            '\0' => text.push_str("\\0"),
            '\u{1b}' => text.push_str("\\e"),
            letter if letter.is_control() && u32::from(letter) < 0x100 => {
                write!(text, "\\x{:02X}", u32::from(letter)).expect("a string takes any text");
            }
            letter if letter.is_control() || letter == '\u{feff}' => {
                write!(text, "\\u{:04X}", u32::from(letter)).expect("a string takes any text");
            }
            letter => text.push(letter),
        }
    }
    text.push('"');
}

/// Text of several lines. The mark behind `|` says how many line ends follow the last line.
fn write_block(string: &str, indent: usize, text: &mut String) {
    let body = string.trim_end_matches('\n');
    let line_ends = string.len() - body.len();
    text.push('|');
    if string.starts_with([' ', '\n']) {
        text.push('2');
    }
    text.push_str(match line_ends {
        0 => "-",
        1 => "",
        _ => "+",
    });
    let lines = if line_ends > 1 { string.strip_suffix('\n').unwrap_or(string) } else { body };
    for line in lines.split('\n') {
        text.push('\n');
        if !line.is_empty() {
            push_indent(indent.max(2), text);
            text.push_str(line);
        }
    }
}

/// Keys are ordered as a person would: runs of digits by their number, other signs before letters.
fn key_order(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(a, b)| a != b) else { return a.len().cmp(&b.len()) };
    let (left, right) = (a[at], b[at]);
    match (left.is_alphabetic(), right.is_alphabetic()) {
        (true, true) => left.cmp(&right),
        (false, false) => digits_order(&a, &b, at),
        // Behind a digit the number has ended where a letter stands, so the letter goes first.
        (left_is_letter, _) => {
            let after_digit = at > 0 && a[at - 1].is_ascii_digit();
            if left_is_letter == after_digit { Ordering::Less } else { Ordering::Greater }
        }
    }
}

fn digits_order(a: &[char], b: &[char], at: usize) -> Ordering {
    let start = a[..at].iter().rposition(|letter| !letter.is_ascii_digit()).map_or(0, |index| index + 1);
    let number = |letters: &[char]| -> String {
        let digits: String = letters[start..].iter().take_while(|letter| letter.is_ascii_digit()).collect();
        digits.trim_start_matches('0').to_owned()
    };
    let (left, right) = (number(a), number(b));
    left.len().cmp(&right.len()).then(left.cmp(&right)).then(a[at].cmp(&b[at]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn layout() {
        let value =
            json!({"b": [{"x": 1, "y": []}, "*", [1, 2]], "a": {}, "@type": "t", "c": "a\nb\n", "d": {"e": "8"}});
        let expected =
            "'@type': t\na: {}\nb:\n- x: 1\n  \"y\": []\n- '*'\n- - 1\n  - 2\nc: |\n  a\n  b\nd:\n  e: \"8\"\n";
        assert_eq!(written(&value), expected);
    }

    #[test]
    fn text_reads_back_as_text() {
        let texts = [
            "",
            "~",
            "null",
            "Yes",
            "off",
            "1",
            "0x1F",
            "1.5e3",
            ".5",
            "+1",
            "-",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "a:",
            " a",
            "a ",
            "'",
            "\"",
            "@a",
            "%a",
            "a\tb",
            "a\nb",
            "a\n",
            "\na",
            "a\n\n",
            " a\nb",
            "12:30",
            "2026-11-25",
            "2026-11-25T10:00:00Z",
            "2026-11-25T10:00:00Z/1",
            "10.0.0.1",
            "0.0.0.0_80",
            "1_000",
            "é",
            "\u{7}",
            "[a",
            "{a",
            "a,b",
            "a]",
            "?",
            "? a",
            "!a",
            "&a",
            "*a",
            "|",
            ">",
            "`",
            "<<",
            "=",
            "---",
            "...",
            "a\\b",
        ];
        for text in texts {
            let value = json!({ "key": text, "list": [text], text.replace('\n', ""): 1 });
            let read: Result<Value, _> = serde_saphyr::from_str(&written(&value));
            let read = read.unwrap_or_else(|error| panic!("{error}: {text:?} as {}", written(&value)));
            assert_eq!(read, value, "{}", written(&value));
        }
    }

    proptest::proptest! {
        /// Sorting panics where it meets a contradiction.
        #[test]
        fn order_of_keys_has_no_contradiction(a in "[ab01:-]{0,5}", b in "[ab01:-]{0,5}", c in "[ab01:-]{0,5}") {
            proptest::prop_assert_eq!(key_order(&a, &b), key_order(&b, &a).reverse());
            proptest::prop_assert_eq!(key_order(&a, &b) == Ordering::Equal, a == b);
            if key_order(&a, &b).is_lt() && key_order(&b, &c).is_lt() {
                proptest::prop_assert!(key_order(&a, &c).is_lt(), "{} < {} < {}", a, b, c);
            }
        }
    }

    #[test]
    fn keys_in_natural_order() {
        let mut keys = ["b", "a10", "a2", "a", "A", "a-b", "ab", "@type", "a2b"];
        keys.sort_by(|a, b| key_order(a, b));
        assert_eq!(keys, ["@type", "A", "a", "a-b", "a2", "a2b", "a10", "ab", "b"]);
    }
}
