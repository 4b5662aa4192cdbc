//! JSON that is kept as text, since a tree of a large answer takes several times the time and the memory.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

/// The data of an answer.
#[derive(Debug, Clone)]
pub struct Data(Box<RawValue>);

impl Data {
    /// What is written as JSON.
    ///
    /// # Panics
    /// For a map whose keys are no texts, which no answer has.
    pub fn of(data: &impl Serialize) -> Self {
        Self(to_raw_value(data).expect("data are JSON"))
    }

    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// As a tree.
    pub fn value(&self) -> Value {
        serde_json::from_str(self.0.get()).unwrap_or_default()
    }
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
    use serde_json::json;

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
}
