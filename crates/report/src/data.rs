//! JSON that is kept as text, since a tree of a large answer takes several times the time and the memory.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

/// The data of an answer.
#[derive(Debug, Clone)]
pub struct Data(Box<RawValue>);

impl Data {
    /// What is written as JSON. A page that a pod sent may stand in it as it came: one that is nested so deeply that no
    /// reader takes it is left out, and said to be.
    ///
    /// # Panics
    /// For a map whose keys are no texts, which no answer has.
    pub fn of(data: &impl Serialize) -> Self {
        let json = |data: Result<_, serde_json::Error>| Self(data.expect("data are JSON"));
        let written = json(to_raw_value(data));
        if depth(written.text()) <= DEEPEST {
            return written;
        }
        json(to_raw_value(&json!({"omitted": format!("nested more than {DEEPEST} levels deep")})))
    }

    /// JSON that was written already.
    ///
    /// # Panics
    /// For a text that is no JSON.
    pub fn from_json(text: String) -> Self {
        Self(RawValue::from_string(text).expect("data are JSON"))
    }

    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// As a tree.
    pub fn value(&self) -> Value {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }
}

/// Below the bound of `serde_json`, which counts what is around the data as well.
const DEEPEST: usize = 120;

/// How deep lists and maps are nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_text => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// Writes it anew, in the form of what is around it.
impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_transcode::transcode(&mut serde_json::Deserializer::from_str(self.0.get()), serializer)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_written_as_what_is_around_it() {
        let document = Data::of(&json!({"a": [1, -2, 0.5, null, true, "\u{1}é\""], "b": {}}));
        let whole = json!({"data": document.value()});
        let around = std::collections::BTreeMap::from([("data", &document)]);
        assert_eq!(serde_json::to_string_pretty(&around).unwrap(), serde_json::to_string_pretty(&whole).unwrap());
        assert_eq!(serde_json::to_string(&around).unwrap(), whole.to_string());
        let back: Data = serde_json::from_str(&document.value().to_string()).unwrap();
        assert_eq!(back.text(), document.text());
    }

    #[test]
    fn what_no_reader_takes_is_left_out() {
        let nested = |levels: usize| format!("{}\"]\\\"[\"{}", "[".repeat(levels), "]".repeat(levels));
        let data = |levels| Data::of(&RawValue::from_string(nested(levels)).unwrap());
        assert_eq!(data(DEEPEST).text(), nested(DEEPEST));
        let around = std::collections::BTreeMap::from([("data", data(DEEPEST))]);
        assert!(serde_json::to_string_pretty(&around).is_ok());
        assert!(data(DEEPEST + 1).text().contains("omitted"));
        assert!(data(100_000).text().contains("omitted"));
    }
}
