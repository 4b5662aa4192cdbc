//! The body of a page as it came. A dump may be 64 MB, and its tree several times that, so it is no tree before it is
//! part of an answer.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::{Value, value::RawValue};

/// A body that is JSON.
#[derive(Debug, Clone)]
pub struct PageJson(Bytes);

/// A body that is text.
#[derive(Debug, Clone)]
pub struct PageText(pub(super) Bytes);

impl PageJson {
    /// The body, where it is an object or a list.
    pub(super) fn of(body: &Bytes) -> Option<Self> {
        let begins = matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
        let is_json = begins && serde_json::from_slice::<&RawValue>(body).is_ok();
        is_json.then(|| Self(body.clone()))
    }

    /// The whole tree: for small pages.
    pub(super) fn value(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_default()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default().trim()
    }
}

impl PageText {
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl Serialize for PageJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl Serialize for PageText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_objects_and_lists_are_json() {
        let of = |body: &'static str| PageJson::of(&Bytes::from_static(body.as_bytes()));
        for text in ["", "LIVE", "7", "\"a\"", "{", "[1,]", "{} {}", "cluster::a::b"] {
            assert!(of(text).is_none(), "{text}");
        }
        for (text, value) in [("{\"a\": [1, 2.50]}\n", json!({"a": [1, 2.5]})), (" []", json!([]))] {
            let page = of(text).expect("it is JSON");
            assert_eq!(page.value(), value);
            assert_eq!(serde_json::to_value(&page).expect("it is JSON"), value);
            assert_eq!(page.text(), text.trim());
        }
        assert_eq!(PageText(Bytes::from_static(b"a\xffb")).text(), "a\u{fffd}b");
    }
}
