//! The messages of Istio's API as far as decoding needs them, and the decoding: which field has which type.
//!
//! Istio reads a `spec` as proto-JSON and ignores unknown fields, so a field that is missing in these tables costs a
//! decode error at most. Texts are those of Go's decoder, which `istioctl` shows. The tables follow the reference
//! pages of [Istio's configuration](https://istio.io/latest/docs/reference/config/).

pub(super) mod envoy_filter;
pub(super) mod extensions;
pub(super) mod networking;
pub(super) mod security;
pub(super) mod shared;
pub(super) mod telemetry;
pub(super) mod traffic_policy;
pub(in super::super) mod unknown;
pub(super) mod virtual_service;

use base64::Engine as _;
use serde_json::Value;

use super::fields::{number, same_name, whole_number};
use super::value::duration;
use super::value::text::quoted;

/// An enumeration: its full protobuf name and its values.
pub(super) struct Enum {
    pub(super) name: &'static str,
    pub(super) values: &'static [(&'static str, i64)],
}

/// The type of a field. Wrappers such as `BoolValue` have the type of what they wrap.
pub(super) enum Type {
    Text,
    Bytes,
    Flag,
    I32,
    U32,
    U64,
    Double,
    Duration,
    Choice(&'static Enum),
    Message(&'static [(&'static str, Type)]),
    /// An object of any form.
    Struct,
    List(&'static Type),
    Map(&'static Type),
    /// A map whose keys are numbers.
    NumberMap(&'static Type),
}

/// A list of texts.
pub(super) const TEXTS: Type = Type::List(&Type::Text);
/// A map from text to text.
pub(super) const TEXT_MAP: Type = Type::Map(&Type::Text);

/// Why an object is not of its type.
#[derive(Debug)]
pub(super) struct DecodeError {
    pub text: String,
    /// From the inside to the outside.
    segments: Vec<String>,
}

impl DecodeError {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), segments: Vec::new() }
    }

    fn mismatch(value: &Value, go_type: &str) -> Self {
        Self::new(format!("json: cannot unmarshal {} into Go value of type {go_type}", json_kind(value)))
    }

    fn below(mut self, segment: String) -> Self {
        self.segments.push(segment);
        self
    }

    /// The JSON path of the value, below `root`.
    pub(super) fn path(&self, root: &str) -> String {
        let inner: String = self.segments.iter().rev().map(String::as_str).collect();
        format!("{{.{root}{inner}}}")
    }
}

fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether a value can be read as a type. The depth is that of the tables, whatever the depth of the value.
pub(super) fn decode(value: &Value, of: &Type) -> Result<(), DecodeError> {
    if value.is_null() {
        return Ok(());
    }
    match of {
        Type::Text if value.is_string() => Ok(()),
        Type::Text => Err(DecodeError::mismatch(value, "string")),
        Type::Flag if value.is_boolean() => Ok(()),
        Type::Flag => Err(DecodeError::mismatch(value, "bool")),
        Type::Bytes => decode_bytes(value),
        Type::I32 => decode_integer(value, "int32", i64::from(i32::MIN), i64::from(i32::MAX)),
        Type::U32 => decode_integer(value, "uint32", 0, i64::from(u32::MAX)),
        Type::U64 if value.as_u64().is_some() => Ok(()),
        Type::U64 => decode_integer(value, "uint64", 0, i64::MAX),
        Type::Double if number(value).is_some() => Ok(()),
        Type::Double => Err(not_a_number(value, "float64")),
        Type::Duration => match value {
            Value::String(text) => {
                duration::parse(text).map(|_| ()).map_err(|error| DecodeError::new(format!("bad Duration: {error}")))
            }
            _ => Err(DecodeError::mismatch(value, "string")),
        },
        Type::Choice(known) => decode_choice(value, known),
        Type::Struct if value.is_object() => Ok(()),
        Type::Struct => Err(DecodeError::mismatch(value, "map[string]json.RawMessage")),
        Type::Message(fields) => decode_message(value, fields),
        Type::List(item) => {
            let Some(items) = value.as_array() else {
                return Err(DecodeError::mismatch(value, "[]json.RawMessage"));
            };
            items
                .iter()
                .enumerate()
                .try_for_each(|(index, value)| decode(value, item).map_err(|error| error.below(format!("[{index}]"))))
        }
        Type::Map(item) | Type::NumberMap(item) => {
            let Some(entries) = value.as_object() else {
                return Err(DecodeError::mismatch(value, "map[string]json.RawMessage"));
            };
            entries.iter().try_for_each(|(key, value)| {
                if matches!(of, Type::NumberMap(_)) && key.parse::<u32>().is_err() {
                    return Err(not_a_number(&Value::String(key.clone()), "uint32").below(format!(".{key}")));
                }
                decode(value, item).map_err(|error| error.below(format!(".{key}")))
            })
        }
    }
}

fn decode_message(value: &Value, fields: &[(&'static str, Type)]) -> Result<(), DecodeError> {
    let Some(object) = value.as_object() else {
        return Err(DecodeError::mismatch(value, "map[string]json.RawMessage"));
    };
    // Go reads the fields in the order of the message, so the first of them in that order has the word.
    let mut first: Option<(usize, DecodeError)> = None;
    for (key, value) in object {
        let known = fields.iter().position(|(name, _)| name == key || (key.contains('_') && same_name(key, name)));
        let Some(index) = known else { continue };
        if first.as_ref().is_some_and(|(at, _)| *at < index) {
            continue;
        }
        if let Err(error) = decode(value, &fields[index].1) {
            first = Some((index, error.below(format!(".{key}"))));
        }
    }
    first.map_or(Ok(()), |(_, error)| Err(error))
}

fn decode_integer(value: &Value, go_type: &str, least: i64, most: i64) -> Result<(), DecodeError> {
    match whole_number(value) {
        Some(number) if (least..=most).contains(&number) => Ok(()),
        _ => Err(not_a_number(value, go_type)),
    }
}

fn not_a_number(value: &Value, go_type: &str) -> DecodeError {
    match value {
        Value::Number(number) => {
            DecodeError::new(format!("json: cannot unmarshal number {number} into Go value of type {go_type}"))
        }
        Value::String(text) => match text.chars().next() {
            None => DecodeError::new("unexpected end of JSON input"),
            Some(first) if first.is_ascii_digit() || first == '-' => {
                DecodeError::new(format!("json: cannot unmarshal number {text} into Go value of type {go_type}"))
            }
            Some(first) => DecodeError::new(format!("invalid character '{first}' looking for beginning of value")),
        },
        _ => DecodeError::mismatch(value, go_type),
    }
}

fn decode_bytes(value: &Value) -> Result<(), DecodeError> {
    let Value::String(text) = value else { return Err(DecodeError::mismatch(value, "[]uint8")) };
    match base64::engine::general_purpose::STANDARD.decode(text) {
        Ok(_) => Ok(()),
        Err(base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _)) => {
            Err(DecodeError::new(format!("illegal base64 data at input byte {at}")))
        }
        Err(_) => Err(DecodeError::new(format!("illegal base64 data at input byte {}", text.len()))),
    }
}

fn decode_choice(value: &Value, known: &Enum) -> Result<(), DecodeError> {
    match value {
        Value::String(text) if known.values.iter().any(|(name, _)| name == text) => Ok(()),
        // Go quotes what still has its quotes.
        Value::String(text) => {
            Err(DecodeError::new(format!("unknown value {} for enum {}", quoted(&format!("\"{text}\"")), known.name)))
        }
        Value::Number(_) => decode_integer(value, "protoreflect.EnumNumber", i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => Err(DecodeError::mismatch(value, "protoreflect.EnumNumber")),
    }
}
