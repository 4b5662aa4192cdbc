//! Rules on [header operations](https://istio.io/latest/docs/reference/config/networking/virtual-service/#Headers).

use super::super::fields::Fields;
use super::super::problem::Outcome;
use super::super::value::text::quoted;
use super::super::value::{Check, header};

pub(super) fn check(outcome: &mut Outcome, headers: Option<Fields>) {
    let Some(headers) = headers else { return };
    for (direction, name_rule) in
        [("request", header::request_name as fn(&str) -> Check), ("response", header::other_name)]
    {
        let operations = headers.message(direction).unwrap_or(Fields::NONE);
        for field in ["add", "set"] {
            for (name, value) in operations.text_map(field) {
                outcome.check(name_rule(name));
                outcome.check(header::value(value));
            }
        }
        for name in operations.texts("remove") {
            outcome.check(header::other_name(name));
        }
    }
}

/// A route may change the authority in one place only.
pub(super) fn one_authority(route: Fields) -> Check {
    let request = route.message("headers").and_then(|headers| headers.message("request")).unwrap_or(Fields::NONE);
    let mut current = route.message("rewrite").map_or("", |rewrite| rewrite.text("authority"));
    for field in ["set", "add"] {
        for (name, value) in request.text_map(field) {
            if name != ":authority" && !name.eq_ignore_ascii_case("host") {
                continue;
            }
            if !current.is_empty() {
                return Err(format!(
                    "authority header cannot be set multiple times: have {}, attempting to set {}",
                    quoted(current),
                    quoted(value)
                ));
            }
            current = value;
        }
    }
    Ok(())
}
