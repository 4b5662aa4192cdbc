//! Recorded objects of one kind. They stay the JSON that they were recorded as, in the file where it lies: a tree of values
//! takes several times the memory, and most requests want the text anyway.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::store::text;

/// All recorded objects of one resource, in the order of the recording.
#[derive(Debug, Default)]
pub(super) struct Resource {
    pub(super) kind: String,
    pub(super) items: Vec<Item>,
    by_name: BTreeMap<(String, String), usize>,
    /// The API server's own answer as a `Table`, for all namespaces.
    pub(super) table: Option<Json>,
    pub(super) version_of_list: String,
    /// The newest time in the past of the recording that an object tells.
    pub(super) newest: Option<Timestamp>,
}

/// An object, with what lists are narrowed by beside its JSON.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) namespace: String,
    pub(super) name: String,
    labels: Box<[(String, String)]>,
    json: Json,
}

/// Where the JSON of an object is.
#[derive(Debug, Clone)]
pub(super) enum Json {
    Held(Bytes),
    /// In a file, which belongs to the recording and does not change.
    InFile {
        file: Arc<Path>,
        start: u64,
        length: usize,
    },
}

impl Json {
    /// Reads it. Whoever reads one after the other keeps the file open with `open`.
    pub(super) fn read(&self, open: &mut Option<(Arc<Path>, File)>) -> io::Result<Bytes> {
        let (file, start, length) = match self {
            Self::Held(json) => return Ok(json.clone()),
            Self::InFile { file, start, length } => (file, *start, *length),
        };
        let opened = match open.take().filter(|(path, _)| Arc::ptr_eq(path, file)) {
            Some((_, opened)) => opened,
            None => File::open(file)?,
        };
        let mut json = vec![0; length];
        opened.read_exact_at(&mut json, start)?;
        *open = Some((Arc::clone(file), opened));
        Ok(json.into())
    }
}

impl Resource {
    pub(super) fn new(kind: &str) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    /// Adds an object; false when one of that name is already there or it has no name.
    pub(crate) fn push(&mut self, object: &Value) -> bool {
        self.push_recorded(object, || Json::Held(object.to_string().into()))
    }

    /// The same where its JSON lies somewhere already.
    pub(super) fn push_recorded(&mut self, object: &Value, json: impl FnOnce() -> Json) -> bool {
        let namespace = text(object, &["metadata", "namespace"]);
        let name = text(object, &["metadata", "name"]);
        let key = (namespace.to_owned(), name.to_owned());
        if name.is_empty() || self.by_name.contains_key(&key) {
            return false;
        }
        self.by_name.insert(key, self.items.len());
        self.newest = self.newest.max(newest_time(object));
        let labels = object.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        self.items.push(Item {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: labels.collect(),
            json: json(),
        });
        true
    }

    pub(super) fn find(&self, namespace: &str, name: &str) -> Option<&Item> {
        self.by_name.get(&(namespace.to_owned(), name.to_owned())).map(|index| &self.items[*index])
    }

    /// The objects, read one after the other; those that cannot be read are left out.
    pub(super) fn objects(&self) -> impl Iterator<Item = Value> {
        self.items.iter().filter_map(|item| item.object().ok())
    }
}

impl Item {
    pub(super) fn json(&self) -> &Json {
        &self.json
    }

    /// The object. It was read once before, so that this fails only when its file is gone or was changed.
    pub(super) fn object(&self) -> io::Result<Value> {
        Ok(serde_json::from_slice(&self.json.read(&mut None)?)?)
    }

    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == key).map(|(_, value)| value.as_str())
    }
}

/// Fields whose time lies in the past of the recording. Expiry times and the like do not tell when it was made.
const PAST: [&str; 11] = [
    "creationTimestamp",
    "lastTransitionTime",
    "lastUpdateTime",
    "lastHeartbeatTime",
    "lastTimestamp",
    "firstTimestamp",
    "eventTime",
    "startedAt",
    "finishedAt",
    "startTime",
    "renewTime",
];

/// The newest time of an object. The depth is bounded by the reader's own limit on nesting.
fn newest_time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter_map(|(name, value)| match value {
                Value::String(time) if begins_as_time(time) && PAST.contains(&name.as_str()) => time.parse().ok(),
                other => newest_time(other),
            })
            .max(),
        Value::Array(items) => items.iter().filter_map(newest_time).max(),
        _ => None,
    }
}

/// Almost no string of an object does, so that its name need not be compared.
fn begins_as_time(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_digit)
}
