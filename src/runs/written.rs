//! Writes answers as JSON and YAML within bounds: both become longer than what they are made of, the more the deeper it is
//! nested.

use std::{fmt, io};

use serde::Serialize;

use crate::report::{Format, Shown, formats};

/// A longer answer is hardly read by a person, and is written without blanks.
const READABLE: usize = 256 << 10;
/// How much longer an answer may become by its blanks.
const BLANKS: usize = 4;
/// So much YAML may be made of anything.
const SHORT: usize = 16 << 20;
/// No answer is longer.
const LONGEST: usize = 256 << 20;

/// An answer that is too long in this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("in this format, the answer would have more than {limit} bytes: ask for `format=json`, or for less")]
pub struct TooLong {
    limit: usize,
}

/// An answer in a format; `envelope` is all of it, with so many bytes of data.
pub(super) fn write(
    format: Format,
    shown: &Shown,
    envelope: &impl Serialize,
    data_bytes: usize,
) -> Result<String, TooLong> {
    match format {
        Format::Json => json(envelope, data_bytes),
        Format::Yaml => yaml(envelope, data_bytes),
        other => Ok(formats::write(other, shown, envelope)),
    }
}

/// JSON, with blanks where a person may read it.
fn json(answer: &impl Serialize, data_bytes: usize) -> Result<String, TooLong> {
    if data_bytes <= READABLE {
        let mut to = Bounded { text: String::new(), limit: (READABLE + data_bytes) * BLANKS };
        if serde_json::to_writer_pretty(&mut to, answer).is_ok() {
            return Ok(to.text);
        }
    }
    let mut to = Bounded { text: String::with_capacity((data_bytes + data_bytes / 16).min(LONGEST)), limit: LONGEST };
    serde_json::to_writer(&mut to, answer).map_err(|_| TooLong { limit: LONGEST })?;
    Ok(to.text)
}

fn yaml(envelope: &impl Serialize, data_bytes: usize) -> Result<String, TooLong> {
    let limit = (data_bytes * BLANKS).clamp(SHORT, LONGEST);
    let mut to = Bounded { text: String::new(), limit };
    serde_saphyr::to_fmt_writer(&mut to, envelope).map_err(|_| TooLong { limit })?;
    Ok(to.text)
}

/// A text that does not become longer than a limit.
struct Bounded {
    text: String,
    limit: usize,
}

impl Bounded {
    fn push(&mut self, text: &str) -> bool {
        let fits = self.text.len() + text.len() <= self.limit;
        if fits {
            self.text.push_str(text);
        }
        fits
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.push(text) { Ok(()) } else { Err(fmt::Error) }
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        if self.push(text) { Ok(bytes.len()) } else { Err(io::ErrorKind::FileTooLarge.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::Data;

    #[test]
    fn nested_brackets_do_not_multiply() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let many = format!("[{}]", vec![nested(100); 1000].join(","));
        let data = Data::from_json(many.clone());
        assert!(serde_json::to_string_pretty(&data).unwrap().len() > 20 * many.len());
        assert_eq!(json(&data, many.len()).unwrap(), many);
        assert!(yaml(&data, many.len()).map_or(0, |text| text.len()) <= SHORT);
    }

    #[test]
    fn what_a_person_may_read_has_blanks() {
        let value: Value = json!({"a": [1]});
        assert_eq!(json(&value, 10).unwrap(), serde_json::to_string_pretty(&value).unwrap());
        let long = json!({"a": "x".repeat(READABLE + 1)});
        assert_eq!(json(&long, READABLE + 1).unwrap(), long.to_string());
    }
}
