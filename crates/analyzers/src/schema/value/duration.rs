//! Durations: Go's notation (`1h30m`, `500ms`), and Envoy's precision of a millisecond.

use super::Check;
use super::text::quoted;

/// A span of time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Duration(pub(in super::super) i128);

const MILLISECOND: i128 = 1_000_000;
const SECOND: i128 = 1_000 * MILLISECOND;

impl Duration {
    pub(in super::super) const HOUR: Self = Self(3600 * SECOND);

    pub(in super::super) fn whole_seconds(self) -> bool {
        self.0 % SECOND == 0
    }

    pub(in super::super) fn whole_milliseconds(self) -> bool {
        self.0 % MILLISECOND == 0
    }

    pub(in super::super) fn milliseconds(self) -> i128 {
        self.0 / MILLISECOND
    }
}

/// Reads a duration as Go's [`time.ParseDuration`](https://pkg.go.dev/time#ParseDuration) does.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(Duration(0));
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole_end = digits(rest);
        let (whole, after) = rest.split_at(whole_end);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let unit_end = after.find(|character: char| character == '.' || character.is_ascii_digit());
        let (unit, next) = after.split_at(unit_end.unwrap_or(after.len()));
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quoted(text)));
        }
        let nanoseconds: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => MILLISECOND,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3600 * SECOND,
            _ => return Err(format!("time: unknown unit {} in duration {}", quoted(unit), quoted(text))),
        };
        // More digits than these overflow the 64 bits that Go counts in.
        if whole.trim_start_matches('0').len() > 19 {
            return Err(invalid());
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| invalid())? };
        total += whole * nanoseconds + fraction_of(fraction, nanoseconds);
        if total > i128::from(i64::MAX) + i128::from(negative) {
            return Err(invalid());
        }
        rest = next;
    }
    Ok(Duration(if negative { -total } else { total }))
}

/// The part after the point; digits below a nanosecond of an hour do not count.
fn fraction_of(digits: &str, unit: i128) -> i128 {
    let mut value = 0;
    let mut scale = 1;
    for digit in digits.bytes().take(18) {
        value = value * 10 + i128::from(digit - b'0');
        scale *= 10;
    }
    value * unit / scale
}

/// What Envoy can hold: at least a millisecond, and whole ones.
pub(in super::super) fn check(duration: Duration) -> Check {
    if duration.0 < MILLISECOND {
        return Err("duration must be greater than 1ms".into());
    }
    if !duration.whole_milliseconds() {
        return Err("only durations to ms precision are supported".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notation_of_go() {
        let check = |text: &str, nanoseconds: i128| {
            assert!(parse(text).is_ok_and(|duration| duration.0 == nanoseconds), "{text}");
        };
        check("0", 0);
        check("1h30m", 5400 * SECOND);
        check("-1.5s", -1500 * MILLISECOND);
        check(".5ms", 500_000);
        check("1us2ns", 1002);
        check("9223372036854775807ns", i128::from(i64::MAX));
    }

    #[test]
    fn texts_of_go() {
        let check = |text: &str, expected: &str| assert!(parse(text).is_err_and(|error| error == expected), "{text}");
        check("", "time: invalid duration \"\"");
        check("5", "time: missing unit in duration \"5\"");
        check("5x", "time: unknown unit \"x\" in duration \"5x\"");
        check("s", "time: invalid duration \"s\"");
        check("9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\"");
    }
}
