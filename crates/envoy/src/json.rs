//! Reading Envoy's JSON leniently: `null` is a default, and a number may be written as a string, as protobuf's JSON
//! does for 64-bit integers.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A page of the admin interface, which is an object. Serde would take a list for one too.
pub(super) fn page<'a, T: Deserialize<'a>>(page: &'a [u8], what: &'static str) -> Result<T, super::Error> {
    let parsed = match page.trim_ascii_start().first() {
        Some(b'{') | None => serde_json::from_slice(page),
        Some(_) => Err(serde_json::Error::custom("it is no JSON object")),
    };
    parsed.map_err(super::Error::json(what))
}

/// A value whose `null` means that it is not set.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An unsigned integer, as a number or as text.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    deserializer.deserialize_any(Number)
}

/// A port, as a number or as text.
pub(super) fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value = number(deserializer)?;
    u32::try_from(value).map_err(|_| D::Error::custom(format_args!("{value} is not a port")))
}

struct Number;

impl Visitor<'_> for Number {
    type Value = u64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an unsigned integer, as a number or as text")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
        Ok(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<u64, E> {
        u64::try_from(value).map_err(|_| E::custom(format_args!("{value} is negative")))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<u64, E> {
        value.parse().map_err(|_| E::custom(format_args!("{value:?} is not an unsigned integer")))
    }

    fn visit_unit<E: Error>(self) -> Result<u64, E> {
        Ok(0)
    }
}
