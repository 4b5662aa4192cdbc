//! Documents from JSON, whether as text or as a value that is already there, and back.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::object::LAST_APPLIED;
use super::tree::{Shape, Tree, TreeBuilder};
use super::view::View;

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut builder = TreeBuilder::default();
        Grow(&mut builder).deserialize(deserializer)?;
        builder.finish().map_err(D::Error::custom)
    }
}

impl Tree {
    /// Takes over a value that is already decoded, such as an item of a live list.
    pub fn from_json(value: &Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(value)
    }
}

/// What live objects carry for others and would double the size of a mesh.
const LEFT_OUT: &str = "managedFields";

/// Whether rules read what was applied: of Istio's kinds, in which it shows fields that the API server dropped. `kubectl`
/// writes the version first.
fn is_read(applied: &str) -> bool {
    let version = applied.strip_prefix("{\"apiVersion\":\"").and_then(|rest| rest.split('/').next());
    version.is_some_and(|group| group.ends_with(".istio.io"))
}

/// Feeds one value into a builder.
struct Grow<'b>(&'b mut TreeBuilder);

impl<'de> DeserializeSeed<'de> for Grow<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Grow<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.scalar(Shape::Null, "", 0);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.scalar(Shape::Bool, if value { "true" } else { "false" }, 0);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.scalar(Shape::Integer, &value.to_string(), 0);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.0.scalar(Shape::Integer, &value.to_string(), 0);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.scalar(Shape::Float, &value.to_string(), 0);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.scalar(Shape::Text, value, 0);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.open(Shape::List, 0);
        refuse_depth(self.0)?;
        while items.next_element_seed(Grow(&mut *self.0))?.is_some() {}
        self.0.close();
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.0.open(Shape::Map, 0);
        refuse_depth(self.0)?;
        while let Some(key) = entries.next_key::<std::borrow::Cow<'_, str>>()? {
            if key == LEFT_OUT {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            if key == LAST_APPLIED {
                let applied = entries.next_value::<Value>()?;
                if let Some(text) = applied.as_str().filter(|text| is_read(text)) {
                    self.0.key(&key);
                    self.0.scalar(Shape::Text, text, 0);
                }
                continue;
            }
            self.0.key(&key);
            entries.next_value_seed(Grow(&mut *self.0))?;
        }
        self.0.close();
        Ok(())
    }
}

/// Stops at once, before the stack is used up.
fn refuse_depth<E: serde::de::Error>(builder: &TreeBuilder) -> Result<(), E> {
    builder.unfit().map_or(Ok(()), |unfit| Err(E::custom(unfit)))
}

impl View<'_> {
    /// This part of the document as a JSON value; null for what is absent.
    pub fn to_json(self) -> Value {
        match self.shape() {
            None | Some(Shape::Null | Shape::Replaced) => Value::Null,
            Some(Shape::Bool) => Value::Bool(self.truth()),
            Some(Shape::Integer | Shape::Float) => number(self.written()),
            Some(Shape::Text) => Value::String(self.text().to_owned()),
            Some(Shape::List) => Value::Array(self.items().map(View::to_json).collect()),
            Some(Shape::Map) => {
                let entries = self.entries().map(|(key, value)| (key.to_owned(), value.to_json()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}

/// JSON has no infinities and no numbers beyond 64 bits; those stay what was written.
fn number(text: &str) -> Value {
    if let Ok(integer) = text.parse::<i64>() {
        return Value::from(integer);
    }
    if let Ok(integer) = text.parse::<u64>() {
        return Value::from(integer);
    }
    match text.parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
        Some(number) => Value::Number(number),
        None => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_survives_the_round_trip() {
        let value = json!({"a": [1, -2, 2.5, null, true, "x\ny"], "b": {"c": {}, "d": []}, "": ""});
        assert_eq!(Tree::from_json(&value).unwrap().root().to_json(), value);
    }

    #[test]
    fn what_was_applied_is_kept_of_istios_kinds() {
        let applied = |version: &str| format!("{{\"apiVersion\":\"{version}\",\"kind\":\"Any\"}}");
        for (version, kept) in [("networking.istio.io/v1", true), ("apps/v1", false), ("v1", false)] {
            let tree = Tree::from_json(&json!({LAST_APPLIED: applied(version), "managedFields": [1]})).unwrap();
            let expected = if kept { json!({LAST_APPLIED: applied(version)}) } else { json!({}) };
            assert_eq!(tree.root().to_json(), expected);
        }
    }

    #[test]
    fn deep_json_is_refused() {
        let mut value = json!(1);
        for _ in 0..1000 {
            value = json!([value]);
        }
        assert!(Tree::from_json(&value).unwrap_err().to_string().contains("levels deep"));
    }

    #[test]
    fn absent_and_null_read_as_empty() {
        let tree = Tree::from_json(&json!({"a": null, "b": {"c": 3}})).unwrap();
        let root = tree.root();
        assert!(!root.get("a").is_set());
        assert_eq!(root.get("a").get("x").items().count(), 0);
        assert_eq!(root.path(&["b", "c"]).integer(), 3);
        assert_eq!(root.path(&["b", "c", "d"]).text(), "");
    }

    #[test]
    fn last_of_repeated_keys_counts() {
        let tree: Tree = serde_json::from_str(r#"{"a": {"b": 1}, "c": 2, "a": 3}"#).unwrap();
        assert_eq!(tree.root().to_json(), json!({"c": 2, "a": 3}));
    }
}
