//! The kinds of rules that a schema has, and the functions that stand for rules in CEL.

use regex::Regex;
use serde_json::{Map, Value};

use super::super::value::{duration, url};

/// One rule on one value.
pub(super) enum Rule {
    /// Members that must be there.
    Required(&'static [&'static str]),
    /// Members of which at most one may be there.
    AtMostOne(&'static [&'static str]),
    MinLength(usize),
    MaxLength(usize),
    MinItems(usize),
    MaxItems(usize),
    MinProperties(usize),
    MaxProperties(usize),
    Minimum(f64),
    Maximum(f64),
    Pattern(&'static str),
    /// A list in which no two items agree in a member.
    UniqueBy(&'static str),
    /// A rule in CEL: whether it holds, and what is said when it does not.
    Cel(fn(&Value) -> bool, &'static str),
    /// The rules of a repeated part.
    Block(&'static [Entry]),
}

/// Rules on the values at some paths; the empty path is the value itself.
pub(super) type Entry = (&'static [&'static str], &'static [Rule]);

/// How many items a list has, or members an object.
pub(super) fn size(value: &Value) -> usize {
    value.as_array().map_or_else(|| value.as_object().map_or(0, Map::len), Vec::len)
}

/// Whether a rule of the schema holds. Rules in CEL and the parts of blocks are judged elsewhere; those on the items
/// of a list (`UniqueBy`) where the items are at hand.
pub(super) fn holds(rule: &Rule, pattern: Option<&Regex>, value: &Value) -> bool {
    let length = || value.as_str().map_or(0, |text| text.chars().count());
    let number = || value.as_f64().unwrap_or_default();
    match rule {
        Rule::Required(names) => names.iter().all(|name| value.get(*name).is_some()),
        Rule::AtMostOne(names) => at_most_one(value, names),
        Rule::MinLength(least) => length() >= *least,
        Rule::MaxLength(most) => length() <= *most,
        Rule::MinItems(least) | Rule::MinProperties(least) => size(value) >= *least,
        Rule::MaxItems(most) | Rule::MaxProperties(most) => size(value) <= *most,
        Rule::Minimum(least) => number() >= *least,
        Rule::Maximum(most) => number() <= *most,
        Rule::Pattern(_) => pattern.zip(value.as_str()).is_none_or(|(pattern, text)| pattern.is_match(text)),
        Rule::UniqueBy(_) => size(value) < 2,
        Rule::Cel(..) | Rule::Block(_) => true,
    }
}

/// A member that is there; `null` is not.
pub(super) fn has(value: &Value, name: &str) -> bool {
    value.get(name).is_some_and(|member| !member.is_null())
}

pub(super) fn at_most_one(value: &Value, names: &[&str]) -> bool {
    names.iter().filter(|name| has(value, name)).count() <= 1
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

pub(super) fn no_wildcard(value: &Value) -> bool {
    value.as_str().is_none_or(|text| !text.contains('*'))
}

pub(super) fn no_wildcard_in_keys(value: &Value) -> bool {
    members(value).all(|(key, _)| !key.contains('*'))
}

pub(super) fn no_empty_key(value: &Value) -> bool {
    members(value).all(|(key, _)| !key.is_empty())
}

pub(super) fn is_empty_text(value: &Value) -> bool {
    value.as_str() == Some("")
}

pub(super) fn is_port(value: &Value) -> bool {
    value.as_i64().is_some_and(|number| (1..=65535).contains(&number))
}

/// At least a millisecond.
pub(super) fn is_duration(value: &Value) -> bool {
    let parsed = value.as_str().and_then(|text| duration::parse(text).ok());
    parsed.is_some_and(|duration| duration.milliseconds() >= 1)
}

pub(super) fn ports_are_named(value: &Value) -> bool {
    members(value).all(|(key, _)| {
        let bytes = key.as_bytes();
        bytes.len() < 63
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    })
}

pub(super) fn has_address(value: &Value) -> bool {
    has(value, "address") || has(value, "network")
}

fn socket(address: &Value) -> Option<&str> {
    address.as_str()?.strip_prefix("unix://")
}

pub(super) fn socket_has_no_ports(value: &Value) -> bool {
    value.get("address").and_then(socket).is_none() || !has(value, "ports")
}

pub(super) fn socket_is_absolute(value: &Value) -> bool {
    socket(value).is_none_or(|path| path.starts_with(['/', '@']))
}

pub(super) fn socket_is_file(value: &Value) -> bool {
    socket(value).is_none_or(|path| !path.is_empty() && !path.ends_with('/'))
}

/// A URL, or something that is one with `http://` before it, with a scheme that modules can be fetched by.
pub(super) fn is_module_url(value: &Value) -> bool {
    let Some(text) = value.as_str() else { return false };
    let with_scheme = format!("http://{text}");
    let parsed = url::parse_request_uri(text).or_else(|_| url::parse_request_uri(&with_scheme));
    parsed.is_ok_and(|url| ["", "http", "https", "file", "oci"].contains(&url.scheme.as_str()))
}

pub(super) fn is_key_url(value: &Value) -> bool {
    let parsed = value.as_str().map(url::parse_request_uri);
    matches!(parsed, Some(Ok(url)) if url.scheme == "http" || url.scheme == "https")
}

/// A member that is missing counts as the empty text.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn count(value: &Value, name: &str) -> usize {
    value.get(name).and_then(Value::as_array).map_or(0, Vec::len)
}
