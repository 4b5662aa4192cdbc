//! The steps of the guide's last part over the recordings, through the router.

mod coredns;
mod resource_usage;

use serde_json::Value;

/// The findings of a code.
fn of_code<'a>(answer: &'a Value, code: &str) -> Vec<&'a Value> {
    answer["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == code).collect()
}

/// The findings that are more than worth knowing.
fn serious(answer: &Value) -> Vec<&Value> {
    answer["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] != "info").collect()
}

/// What was not seen, in one text.
fn skipped(answer: &Value) -> String {
    let parts = answer["skipped"].as_array().unwrap().iter();
    parts.map(|part| format!("{}: {}", part["what"], part["why"])).collect::<Vec<_>>().join("\n")
}

/// The row of a list whose field has this value.
#[track_caller]
fn row<'a>(list: &'a Value, field: &str, value: &str) -> &'a Value {
    let rows = list.as_array().unwrap();
    rows.iter().find(|row| row[field] == value).unwrap_or_else(|| panic!("no {field} {value} in {list}"))
}
