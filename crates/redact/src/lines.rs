//! Secrets in lines that come one by one, such as those of a log that is followed: a key in PEM goes over several.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

use super::{REDACTED, text::redact_counted};

/// A key has fewer lines.
const LONGEST: u16 = 200;

static CONTENT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[A-Za-z0-9+/]{4,}={1,2}|[A-Za-z0-9+/]{16,}").expect("a constant"));

/// Remembers, from one line to the next, that a key goes on.
#[derive(Debug, Default)]
pub struct Lines {
    /// Lines in which the key may go on.
    open: u16,
}

impl Lines {
    /// Whether a key has begun, and not ended.
    pub(super) fn is_open(&self) -> bool {
        self.open > 0
    }

    /// The line without its secrets, and how many there were.
    pub fn redact<'t>(&mut self, line: &'t str) -> (Cow<'t, str>, u64) {
        let (mut text, mut count) = (Cow::Borrowed(line), 0);
        if self.open > 0 {
            self.open -= 1;
            let end = line.find("-----END");
            if end.is_some() {
                self.open = 0;
            }
            let before = &line[..end.unwrap_or(line.len())];
            // Of what follows the time and the name that logs begin with, only the key is of that form.
            let replaced = CONTENT.replace_all(before, REDACTED);
            if replaced != before {
                text = Cow::Owned(format!("{replaced}{}", &line[before.len()..]));
                count = 1;
            }
        }
        let (redacted, more) = match redact_counted(&text) {
            (Cow::Owned(redacted), more) => (Some(redacted), more),
            (Cow::Borrowed(_), more) => (None, more),
        };
        if let Some(begin) = line.rfind("-----BEGIN ")
            && line[begin..].contains("PRIVATE KEY")
            && !line[begin..].contains("-----END")
        {
            self.open = LONGEST;
        }
        (redacted.map_or(text, Cow::Owned), count + more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_over_several_lines_is_replaced_in_each() {
        let log = "2026-11-25T10:00:00Z info key -----BEGIN PRIVATE KEY-----\n\
            2026-11-25T10:00:00Z info MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n\
            2026-11-25T10:00:00Z info BKcwggSjAg==\n\
            2026-11-25T10:00:00Z info -----END PRIVATE KEY-----\n\
            2026-11-25T10:00:00Z info readyForEverythingNow";
        let mut lines = Lines::default();
        let redacted: Vec<_> = log.lines().map(|line| lines.redact(line).0.into_owned()).collect();
        let all = redacted.join("\n");
        assert!(!all.contains("MIIE") && !all.contains("BKcw"), "{all}");
        assert!(redacted[1].starts_with("2026-11-25T10:00:00Z info "), "{all}");
        assert!(redacted[4].ends_with("readyForEverythingNow"), "{all}");
    }
}
