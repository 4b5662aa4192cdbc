//! Entries that an operator adds. Whatever is wrong with one is reported, and the others are used.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::entry::{Entry, EntryText};
use super::template::Template;

/// An entry, or a file of entries, that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorCatalogueProblem {
    /// Name of the file.
    pub file: String,
    /// Id of the entry, or its place in the file counted from 1; missing where the whole file is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    pub reason: String,
}

/// A `ConfigMap` holds 1 MiB; one file of it is not more.
const LARGEST_FILE: usize = 1024 * 1024;
const MOST_ENTRIES: usize = 2000;
const LONGEST_TEXT: usize = 4000;

#[derive(Deserialize)]
struct File {
    errors: Vec<Value>,
}

/// Reads entries from files, in the given order. The ids that are taken grow with each entry.
pub(super) fn read<N: AsRef<str>, T: AsRef<str>>(
    files: impl IntoIterator<Item = (N, T)>,
    taken: &mut BTreeSet<String>,
) -> (Vec<Entry>, Vec<ErrorCatalogueProblem>) {
    let mut entries = Vec::new();
    let mut problems = Vec::new();
    for (name, text) in files {
        let file = name.as_ref();
        let mut report = |entry: Option<String>, reason: String| {
            problems.push(ErrorCatalogueProblem { file: file.to_owned(), entry, reason });
        };
        let values = match parse(text.as_ref()) {
            Ok(values) => values,
            Err(reason) => {
                report(None, reason);
                continue;
            }
        };
        for (place, value) in (1..).zip(values) {
            let label = value.get("id").and_then(Value::as_str).map_or_else(|| format!("entry {place}"), str::to_owned);
            if entries.len() >= MOST_ENTRIES {
                report(None, format!("more than {MOST_ENTRIES} entries: the rest is left out"));
                break;
            }
            match entry(value, taken) {
                Ok(entry) => {
                    taken.insert(entry.known.id.clone());
                    entries.push(entry);
                }
                Err(reason) => report(Some(label), reason),
            }
        }
    }
    (entries, problems)
}

fn parse(text: &str) -> Result<Vec<Value>, String> {
    if text.len() > LARGEST_FILE {
        return Err(format!("larger than {LARGEST_FILE} bytes"));
    }
    serde_saphyr::from_str::<File>(text).map(|file| file.errors).map_err(|error| error.to_string())
}

fn entry(value: Value, taken: &BTreeSet<String>) -> Result<Entry, String> {
    let mut text: EntryText = serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        if path == "." { error.inner().to_string() } else { format!("{path}: {}", error.inner()) }
    })?;
    // An operator's entry is one, whatever it says of itself.
    text.source = super::entry::ErrorSource::Operator;
    text.structural = false;
    let usable = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    if text.id.len() > 200 || !text.id.split('/').all(usable) {
        return Err("an id consists of letters, digits, `-`, `_` and `.`, in parts separated by `/`".to_owned());
    }
    if taken.contains(&text.id) {
        return Err("another entry has this id".to_owned());
    }
    for (name, content) in [("reason", &text.reason), ("recommendation", &text.recommendation)] {
        if content.trim().is_empty() {
            return Err(format!("{name} is empty"));
        }
        if content.len() > LONGEST_TEXT {
            return Err(format!("{name} is longer than {LONGEST_TEXT} bytes"));
        }
    }
    let template = Template::parse(&text.template).map_err(|error| format!("template: {error}"))?;
    for other in &text.also {
        Template::parse(other).map_err(|error| format!("also {other:?}: {error}"))?;
    }
    if let Some(name) = text.conditions.keys().find(|name| !template.values().any(|value| value.name == **name)) {
        return Err(format!("where: the template has no placeholder {name:?}"));
    }
    Ok(Entry::from(text))
}
