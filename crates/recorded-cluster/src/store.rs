//! What a recording holds, immutable: indexes of its objects, discovery, and where lists, tables, logs and pages lie on
//! disk.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::resource::{Item, Resource};
use super::tree::FileTree;
use super::types::ResourceType;
use report::Skipped;

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
pub(super) use cluster::UNRECORDED as NOT_RECORDED;

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
    pub(super) fn pod(&self, namespace: &str, name: &str) -> std::io::Result<Option<Value>> {
        let pods = self.resources.get(&Gvr::new("", "v1", "pods"));
        pods.and_then(|pods| pods.find(namespace, name)).map(Item::object).transpose()
    }

    /// What follows from the objects alone, once they are all there.
    pub(super) fn finish(&mut self) {
        let namespaces = self.resources.get(&Gvr::new("", "v1", "namespaces"));
        let kube_system = namespaces.and_then(|namespaces| namespaces.find("", "kube-system"));
        if self.cluster_id.is_none() {
            self.cluster_id = kube_system
                .and_then(|namespace| Some(text(&namespace.object().ok()?, &["metadata", "uid"]).to_owned()))
                .filter(|id| !id.is_empty());
        }
        // istioctl's logs have no times of the kubelet, and its reader has found out already.
        if self.recorded_at.is_none() {
            let objects = self.resources.values().filter_map(|resource| resource.newest);
            self.recorded_at = objects.chain(self.newest_log_line()).max();
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

/// The string at a path, or the empty one.
pub(crate) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    path.iter().try_fold(value, |value, name| value.get(name)).and_then(Value::as_str).unwrap_or_default()
}
