//! What a recording holds, in memory and immutable: lists of objects with an index, discovery, tables, and where
//! logs and pages lie on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::tree::FileTree;
use super::types::ResourceType;
use crate::report::Skipped;

/// Which kind of recording was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = CaptureKind)]
pub enum Kind {
    /// Our own archive, or the same as a folder.
    Own,
    /// What `istioctl bug-report` wrote.
    BugReport,
    /// Plain YAML or JSON of objects.
    Yaml,
}

/// Group, version and plural: what a list is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Gvr {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) plural: String,
}

impl Gvr {
    pub(super) fn new(group: &str, version: &str, plural: &str) -> Self {
        Self { group: group.into(), version: version.into(), plural: plural.into() }
    }

    /// `v1` or `apps/v1`.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `api/v1/pods` or `apis/apps/v1/deployments`: where it is in the API and in our archive.
    pub(super) fn path(&self) -> String {
        let root = if self.group.is_empty() { "api" } else { "apis" };
        format!("{root}/{}/{}", self.api_version(), self.plural)
    }

    /// The reverse of [`Gvr::path`].
    pub(super) fn from_path(path: &str) -> Option<Self> {
        match *path.split('/').collect::<Vec<_>>() {
            ["api", version, plural] => Some(Self::new("", version, plural)),
            ["apis", group, version, plural] => Some(Self::new(group, version, plural)),
            _ => None,
        }
    }
}

/// All recorded objects of one resource, in the order of the recording.
#[derive(Debug, Default)]
pub(super) struct Resource {
    pub(super) kind: String,
    pub(super) items: Vec<Arc<Value>>,
    by_name: BTreeMap<(String, String), usize>,
    /// The API server's own answer as a `Table`, for all namespaces.
    pub(super) table: Option<Arc<Value>>,
    pub(super) version_of_list: String,
}

impl Resource {
    pub(super) fn new(kind: &str) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    /// Adds an object; false when one of that name is already there or it has no name.
    pub(super) fn push(&mut self, item: Value) -> bool {
        let name = text(&item, &["metadata", "name"]);
        let key = (text(&item, &["metadata", "namespace"]).to_owned(), name.to_owned());
        if name.is_empty() || self.by_name.contains_key(&key) {
            return false;
        }
        self.by_name.insert(key, self.items.len());
        self.items.push(Arc::new(item));
        true
    }

    pub(super) fn find(&self, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.by_name.get(&(namespace.to_owned(), name.to_owned())).map(|index| &self.items[*index])
    }
}

/// Where a container's log lies.
#[derive(Debug, Clone)]
pub(super) struct LogFile {
    pub(super) path: String,
    pub(super) part: LogPart,
}

/// istioctl appends the log of the previous container to the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogPart {
    Whole,
    BeforePrevious,
    Previous,
}

/// Namespace, pod, container, and whether it is the previous container's.
pub(super) type LogKey = (String, String, String, bool);

/// A recording.
pub(super) struct Store {
    pub(super) kind: Kind,
    pub(super) types: BTreeMap<Gvr, ResourceType>,
    /// Recorded discovery documents by their path in the API, without the leading slash.
    pub(super) discovery: BTreeMap<String, Value>,
    pub(super) resources: BTreeMap<Gvr, Resource>,
    /// Why a known resource was not recorded, where there is more to say than that.
    pub(super) why_not: BTreeMap<Gvr, String>,
    pub(super) version: Option<Value>,
    pub(super) logs: BTreeMap<LogKey, LogFile>,
    pub(super) tree: FileTree,
    pub(super) recorded_at: Option<Timestamp>,
    pub(super) cluster_id: Option<String>,
    pub(super) skipped: Vec<Skipped>,
}

/// What is known about a resource.
pub(super) enum Lookup<'a> {
    Recorded(&'a Resource),
    /// The cluster had it; the recording has not.
    NotRecorded(String),
    Unknown,
}

/// Steps show this as the reason of what they skip.
pub(super) const NOT_RECORDED: &str = "not recorded in this capture";

impl Store {
    pub(super) fn new(kind: Kind, tree: FileTree) -> Self {
        Self {
            kind,
            types: BTreeMap::new(),
            discovery: BTreeMap::new(),
            resources: BTreeMap::new(),
            why_not: BTreeMap::new(),
            version: None,
            logs: BTreeMap::new(),
            tree,
            recorded_at: None,
            cluster_id: None,
            skipped: Vec::new(),
        }
    }

    pub(super) fn lookup(&self, gvr: &Gvr) -> Lookup<'_> {
        if let Some(resource) = self.resources.get(gvr) {
            return Lookup::Recorded(resource);
        }
        match self.why_not.get(gvr) {
            Some(why) => Lookup::NotRecorded(format!("{NOT_RECORDED}: {why}")),
            None if self.types.contains_key(gvr) => Lookup::NotRecorded(NOT_RECORDED.to_owned()),
            None => Lookup::Unknown,
        }
    }

    /// A pod, if pods were recorded and it is one of them.
    pub(super) fn pod(&self, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.resources.get(&Gvr::new("", "v1", "pods"))?.find(namespace, name)
    }

    /// What follows from the objects alone, once they are all there.
    pub(super) fn finish(&mut self) {
        let namespaces = self.resources.get(&Gvr::new("", "v1", "namespaces"));
        let kube_system = namespaces.and_then(|namespaces| namespaces.find("", "kube-system"));
        if self.cluster_id.is_none() {
            self.cluster_id = kube_system
                .map(|namespace| text(namespace, &["metadata", "uid"]).to_owned())
                .filter(|id| !id.is_empty());
        }
        // istioctl's logs have no times of the kubelet, and its reader has found out already.
        if self.recorded_at.is_none() {
            let objects = self.resources.values().flat_map(|resource| &resource.items);
            self.recorded_at = objects.map(Arc::as_ref).filter_map(newest_time).chain(self.newest_log_line()).max();
        }
    }

    fn newest_log_line(&self) -> Option<Timestamp> {
        const END: u64 = 4096;
        let last_lines = self.logs.values().filter_map(|log| self.tree.read_end(&log.path, END).ok());
        last_lines.filter_map(|end| end.split(|byte| *byte == b'\n').rev().find_map(leading_time)).max()
    }
}

/// The time at the beginning of a log line, as the kubelet writes it.
pub(super) fn leading_time(line: &[u8]) -> Option<Timestamp> {
    const LONGEST: usize = 40;
    let end = line.iter().take(LONGEST).position(u8::is_ascii_whitespace)?;
    std::str::from_utf8(&line[..end]).ok()?.parse().ok()
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

/// The string at a path, or the empty one.
pub(super) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    path.iter().try_fold(value, |value, name| value.get(name)).and_then(Value::as_str).unwrap_or_default()
}
