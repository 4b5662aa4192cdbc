//! Where a page of runs ended, as an opaque text.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::{Error, RunHeader};

/// The last run of a page. The next page begins after it, whatever was added or deleted in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(super) started_at: i64,
    pub(super) run: Uuid,
}

impl Cursor {
    /// The page after this run.
    pub fn after(run: &RunHeader) -> Self {
        Self { started_at: run.started_at.as_millisecond(), run: run.id }
    }
}

/// The text to send. It says nothing to a reader and may change: callers only hand it back.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{}.{}", self.started_at, self.run)))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let cursor = read(text).ok_or(Error::Cursor)?;
        // Numbers and ids have several spellings; only ours is a cursor.
        if cursor.to_string() == text { Ok(cursor) } else { Err(Error::Cursor) }
    }
}

fn read(text: &str) -> Option<Cursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text.get(..text.len().min(128))?).ok()?;
    let (started_at, run) = std::str::from_utf8(&bytes).ok()?.split_once('.')?;
    Some(Cursor { started_at: started_at.parse().ok()?, run: run.parse().ok()? })
}

/// A place in a list of something else, by its time and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub at: i64,
    pub id: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{}.{}", self.at, self.id)))
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(text.get(..text.len().min(256))?).ok()?;
            let (at, id) = std::str::from_utf8(&bytes).ok()?.split_once('.')?;
            Some(Self { at: at.parse().ok()?, id: id.to_owned() })
        };
        let place: Self = read().ok_or(Error::Cursor)?;
        if place.to_string() == text { Ok(place) } else { Err(Error::Cursor) }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn cursor() -> Cursor {
        Cursor { started_at: 1_790_000_000_123, run: Uuid::from_u128(7) }
    }

    #[test]
    fn cursor_survives_its_text() {
        let text = cursor().to_string();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'), "{text}");
        assert_eq!(text.parse::<Cursor>().unwrap(), cursor());
    }

    #[test]
    fn what_no_list_gave_out_is_refused() {
        let text = cursor().to_string();
        let other_spellings = [
            URL_SAFE_NO_PAD.encode(format!("+1790000000123.{}", Uuid::from_u128(7))),
            URL_SAFE_NO_PAD.encode(format!("1790000000123.{}", Uuid::from_u128(7).simple())),
            URL_SAFE_NO_PAD.encode("99999999999999999999.00000000-0000-0000-0000-000000000007"),
            URL_SAFE_NO_PAD.encode([0xff, 0xfe]),
        ];
        let long = "A".repeat(1 << 20);
        for wrong in ["", "x", "ä", "%", &format!("{text}="), &text[1..], &long, &"é".repeat(100)]
            .into_iter()
            .chain(other_spellings.iter().map(String::as_str))
        {
            assert!(matches!(wrong.parse::<Cursor>(), Err(Error::Cursor)), "{wrong:.40}");
        }
    }
}
