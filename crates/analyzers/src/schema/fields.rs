//! How the rules read an object: the only part that knows the tree it is stored in.
//!
//! The view follows [proto-JSON](https://protobuf.dev/programming-guides/json/): `null` and an absent field are the
//! same, names are accepted in `lowerCamel` and in `snake_case`, numbers may stand in quotes. It never fails: a value
//! of a wrong type reads as unset, because `message::decode` has reported it before any rule runs.

use std::fmt;

use serde_json::{Map, Value};

use super::message::Enum;
use super::value::duration::{self, Duration};

/// The fields of one message; of an unset message, no fields.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    object: Option<&'a Map<String, Value>>,
    /// Whether a key contains `_`. Only then the slower search for the other spelling is worth it.
    underscores: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        let object = value.as_object();
        let underscores = object.is_some_and(|object| object.keys().any(|key| key.contains('_')));
        Self { object, underscores }
    }

    pub(super) const NONE: Fields<'static> = Fields { object: None, underscores: false };

    /// The value of a field, unless it is unset.
    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        let object = self.object?;
        object.get(name).or_else(|| self.other_spelling(name)).filter(|value| !value.is_null())
    }

    fn other_spelling(&self, name: &str) -> Option<&'a Value> {
        if !self.underscores {
            return None;
        }
        self.object?.iter().find(|(key, _)| same_name(key, name)).map(|(_, value)| value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Of the fields of a `oneof` the one that counts: protobuf keeps the last that it reads.
    pub(super) fn one_of(&self, names: &[&'static str]) -> Option<&'static str> {
        names.iter().rev().copied().find(|name| self.has(name))
    }

    /// A message field, if it is set; `{}` counts as set.
    pub(super) fn message(&self, name: &str) -> Option<Fields<'a>> {
        self.value(name).filter(|value| value.is_object()).map(Fields::of)
    }

    pub(crate) fn text(&self, name: &str) -> &'a str {
        self.value(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether a text field is set and not empty.
    pub(super) fn has_text(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.value(name).and_then(Value::as_bool).unwrap_or_default()
    }

    fn items(&self, name: &str) -> &'a [Value] {
        self.value(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// How many items a list has.
    pub(super) fn count(&self, name: &str) -> usize {
        self.items(name).len()
    }

    /// The items of a list of texts; `null` reads as the empty text.
    pub(super) fn texts(&self, name: &str) -> impl DoubleEndedIterator<Item = &'a str> + ExactSizeIterator + use<'a> {
        self.items(name).iter().map(|item| item.as_str().unwrap_or_default())
    }

    /// The items of a list of messages; `None` for `null`.
    pub(super) fn list(
        &self,
        name: &str,
    ) -> impl DoubleEndedIterator<Item = Option<Fields<'a>>> + ExactSizeIterator + use<'a> {
        self.items(name).iter().map(|item| (!item.is_null()).then(|| Fields::of(item)))
    }

    /// The entries of a map in the order of their keys, which upstream leaves to chance.
    pub(super) fn map(&self, name: &str) -> Vec<(&'a str, &'a Value)> {
        let object = self.value(name).and_then(Value::as_object);
        let mut entries: Vec<_> = object.into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries
    }

    /// The entries of a map from text to text.
    pub(super) fn text_map(&self, name: &str) -> Vec<(&'a str, &'a str)> {
        self.map(name).into_iter().map(|(key, value)| (key, value.as_str().unwrap_or_default())).collect()
    }

    /// The entries of a map from text to number.
    pub(super) fn int_map(&self, name: &str) -> Vec<(&'a str, i64)> {
        self.map(name).into_iter().map(|(key, value)| (key, whole_number(value).unwrap_or_default())).collect()
    }

    pub(super) fn int(&self, name: &str) -> i64 {
        self.value(name).and_then(whole_number).unwrap_or_default()
    }

    /// The fields that hold whole numbers.
    pub(super) fn numbers(&self) -> Vec<(&'a str, i64)> {
        let fields = self.object.into_iter().flatten();
        fields.filter_map(|(name, value)| Some((name.as_str(), whole_number(value)?))).collect()
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.value(name).and_then(number)
    }

    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        self.value(name).and_then(Value::as_str).and_then(|text| duration::parse(text).ok())
    }

    /// The value of an enumeration; the one with number 0 when unset.
    pub(super) fn choice(&self, name: &str, of: &'static Enum) -> Choice {
        let Some(value) = self.value(name) else { return Choice::numbered(0, of) };
        match value.as_str() {
            Some(text) => of.values.iter().find(|(known, _)| *known == text).map_or(
                Choice { name: None, number: -1 },
                |(known, number)| Choice { name: Some(known), number: *number },
            ),
            None => Choice::numbered(whole_number(value).unwrap_or(-1), of),
        }
    }
}

/// One value of an enumeration, known by name or only by number.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    name: Option<&'static str>,
    pub(super) number: i64,
}

impl Choice {
    fn numbered(number: i64, of: &'static Enum) -> Self {
        let name = of.values.iter().find(|(_, known)| *known == number).map(|(name, _)| *name);
        Self { name, number }
    }

    pub(super) fn is(self, name: &str) -> bool {
        self.name == Some(name)
    }

    pub(super) fn is_any(self, names: &[&str]) -> bool {
        self.name.is_some_and(|name| names.contains(&name))
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => formatter.write_str(name),
            None => write!(formatter, "{}", self.number),
        }
    }
}

/// Whether a key is the `snake_case` spelling of a field: protobuf drops each `_` and capitalises what follows.
pub(super) fn same_name(key: &str, camel: &str) -> bool {
    let mut expected = camel.bytes();
    let mut capital = false;
    for byte in key.bytes() {
        if byte == b'_' {
            capital = true;
            continue;
        }
        let byte = if capital { byte.to_ascii_uppercase() } else { byte };
        capital = false;
        if expected.next() != Some(byte) {
            return false;
        }
    }
    expected.next().is_none()
}

/// A whole number, also in quotes. `100.0` is one, because YAML readers turn it into `100`.
pub(super) fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let number = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15)?;
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and below 2^53")]
            Some(number as i64)
        }),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A number, also in quotes, and the three that JSON cannot write.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
