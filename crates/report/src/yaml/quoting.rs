//! Which texts need quotes, by the rules of YAML 1.1, which Kubernetes reads
//! (<https://yaml.org/spec/1.1/#id864510>, <https://yaml.org/type/>).

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// The plainest style that keeps the text and its meaning.
pub(super) fn style(text: &str, is_key: bool) -> Style {
    let shape = Shape::of(text);
    let wanted = if text.contains('\n') {
        Style::Literal
    } else if means_something_else(text) {
        Style::Double
    } else {
        Style::Plain
    };
    let wanted = if is_key && text.contains('\n') { Style::Double } else { wanted };
    match wanted {
        Style::Plain if !shape.plain => {
            if shape.single {
                Style::Single
            } else {
                Style::Double
            }
        }
        Style::Literal if !shape.literal => Style::Double,
        style => style,
    }
}

/// In which styles a text can be written without changing it.
struct Shape {
    plain: bool,
    single: bool,
    literal: bool,
}

impl Shape {
    fn of(text: &str) -> Self {
        let edge = |c: Option<char>| c.is_some_and(|c| c == ' ' || is_break(c));
        let mut shape = Self { plain: true, single: true, literal: true };
        shape.plain &= !text.starts_with("---") && !text.starts_with("...");
        shape.plain &= !edge(text.chars().next()) && !edge(text.chars().next_back());
        shape.literal &= !text.ends_with(' ');
        let mut before: Option<char> = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let next_is_blank = chars.peek().is_none_or(|next| is_blank(*next));
            shape.plain &= !breaks_plain(c, before, next_is_blank) && !is_break(c);
            if !is_printable(c) {
                return Self { plain: false, single: false, literal: false };
            }
            match before {
                Some(last) if is_break(last) && c == ' ' => shape.single = false,
                Some(' ') if is_break(c) => return Self { plain: false, single: false, literal: false },
                _ => {}
            }
            before = Some(c);
        }
        shape
    }
}

/// Characters that YAML gives a meaning to at this place of a plain text.
fn breaks_plain(c: char, before: Option<char>, next_is_blank: bool) -> bool {
    match before {
        None => match c {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => true,
            '-' | '?' | ':' => next_is_blank,
            _ => false,
        },
        Some(before) => match c {
            ':' => next_is_blank,
            '#' => is_blank(before),
            _ => false,
        },
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t' || is_break(c)
}

/// What YAML lets stand unescaped; a tab is escaped too.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | '\u{20}'..='\u{7e}' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// How a character is written between double quotes, where it cannot stand for itself.
pub(super) fn escaped(c: char) -> Option<String> {
    let short = match c {
        '\0' => "\\0",
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\t' => "\\t",
        '\n' => "\\n",
        '\u{b}' => "\\v",
        '\u{c}' => "\\f",
        '\r' => "\\r",
        '\u{1b}' => "\\e",
        '"' => "\\\"",
        '\\' => "\\\\",
        '\u{85}' => "\\N",
        '\u{a0}' => "\\_",
        '\u{2028}' => "\\L",
        '\u{2029}' => "\\P",
        _ if is_printable(c) => return None,
        _ => {
            let code = u32::from(c);
            return Some(match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            });
        }
    };
    Some(short.to_owned())
}

/// Whether a YAML 1.1 reader would take the bare text for a boolean, a number, a time or nothing.
fn means_something_else(text: &str) -> bool {
    const WORDS: [&str; 40] = [
        "", "~", "null", "Null", "NULL", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE", "n",
        "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE", "<<", ".nan", ".NaN", ".NAN", ".inf",
        ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
    ];
    WORDS.contains(&text) || is_integer(text) || is_float(text) || is_base_60(text) || is_time(text)
}

fn is_integer(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let digits = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    // A text that begins with an underscore is a word.
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '-') {
        return false;
    }
    let all = |digits: &str, radix: u32| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    let prefixed = |prefix: [&str; 2], radix: u32| {
        prefix.iter().any(|prefix| digits.strip_prefix(prefix).is_some_and(|rest| all(rest, radix)))
    };
    if prefixed(["0x", "0X"], 16) || prefixed(["0b", "0B"], 2) || prefixed(["0o", "0O"], 8) {
        return true;
    }
    // Digits alone are a number: an integer, or, beyond 64 bits or with a leading 0, an octal or a float.
    all(digits, 10)
}

fn is_float(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return false;
    }
    let unsigned = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let good_mantissa = match mantissa.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty()),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let good_exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    good_mantissa && good_exponent
}

/// `1:30` is ninety in YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let Some(first) = parts.next() else { return false };
    let numeric = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '_');
    if !first.starts_with(|c: char| c.is_ascii_digit()) || !numeric(first) {
        return false;
    }
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else { return false };
    let sixty = |part: &str| {
        let digits = part.chars().all(|c| c.is_ascii_digit());
        digits && (part.len() == 1 || (part.len() == 2 && part.as_bytes()[0] < b'6'))
    };
    let (last, fraction) = last.split_once('.').map_or((*last, ""), |(last, fraction)| (last, fraction));
    middle.iter().all(|part| sixty(part)) && sixty(last) && numeric(fraction)
}

/// `2001-12-14`, with or without a time of day.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((&text[at..=at], &text[at + 1..]))),
        None => (text, None),
    };
    let number = |text: &str, least: u32, most: u32| {
        let short = (1..=2).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit());
        short && text.parse().is_ok_and(|number: u32| (least..=most).contains(&number))
    };
    let mut parts = date[5..].split('-');
    let (Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next()) else { return false };
    if !number(month, 1, 12) || !number(day, 1, 31) {
        return false;
    }
    let Some((separator, time)) = time else { return true };
    let (clock, zoned) = match time.find(['Z', '+', '-']) {
        Some(at) => (&time[..at], is_zone(&time[at..])),
        None => (time, false),
    };
    // A zone is required after `T` and not allowed after a space.
    if zoned == (separator == " ") {
        return false;
    }
    let mut parts = clock.split(':');
    let (Some(hour), Some(minute), Some(second), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let (second, fraction) = second.split_once('.').unwrap_or((second, ""));
    number(hour, 0, 23)
        && number(minute, 0, 59)
        && number(second, 0, 59)
        && fraction.chars().all(|c| c.is_ascii_digit())
}

fn is_zone(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let digits = |text: &str| text.len() == 2 && text.chars().all(|c| c.is_ascii_digit());
    text[1..].split_once(':').is_some_and(|(hours, minutes)| digits(hours) && digits(minutes))
}
