//! [`StringMatch`](https://istio.io/latest/docs/reference/config/networking/virtual-service/#StringMatch): exact,
//! prefix or regular expression.

use super::fields::Fields;
use super::value::text::quoted;
use super::value::{Check, regular_expression};

/// The form that a match has, with its value.
pub(super) fn form(string_match: Fields<'_>) -> Option<(&'static str, &str)> {
    let form = string_match.one_of(&["exact", "prefix", "regex"])?;
    Some((form, string_match.text(form)))
}

/// A match of the field `place`.
pub(super) fn check(string_match: Fields, place: &str) -> Check {
    match form(string_match) {
        Some(("prefix", "")) => Err(format!("{}: prefix string match should not be empty", quoted(place))),
        Some(("regex", "")) => Err(format!("{}: regex string match should not be empty", quoted(place))),
        Some(("regex", expression)) => regular_expression::check(expression, place),
        _ => Ok(()),
    }
}

/// Only the regular expression of a match.
pub(super) fn check_regex(string_match: Fields, place: &str) -> Check {
    if matches!(form(string_match), Some(("regex", _))) { check(string_match, place) } else { Ok(()) }
}
