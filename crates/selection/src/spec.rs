//! One spec: `namespaces/workloads/pods/labels/annotations/containers`, each a list with commas, each optional.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{Candidate, glob::glob};

/// The longest spec that is read.
pub const MAX_SPEC_BYTES: usize = 4096;

/// What one spec asks for. A list that is empty asks for nothing in particular.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spec {
    pub namespaces: Vec<String>,
    /// istioctl calls them deployments; here they are workloads of any kind.
    pub workloads: Vec<String>,
    pub pods: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub containers: Vec<String>,
}

/// Why a spec cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    #[error(
        "{spec:?} has {count} parts, and a spec has at most 6: namespaces/deployments/pods/labels/annotations/containers"
    )]
    TooManyParts { spec: String, count: usize },
    #[error("bad {what} selection {item:?} in {spec:?}: write key=value, without * in the key")]
    BadPair { what: &'static str, item: String, spec: String },
    #[error("a spec is longer than {MAX_SPEC_BYTES} bytes")]
    TooLong,
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(spec: &str) -> Result<Self, SpecError> {
        if spec.len() > MAX_SPEC_BYTES {
            return Err(SpecError::TooLong);
        }
        let parts: Vec<&str> = spec.split('/').collect();
        if parts.len() > 6 {
            return Err(SpecError::TooManyParts { spec: spec.to_owned(), count: parts.len() });
        }
        let part = |index: usize| parts.get(index).copied().unwrap_or_default();
        Ok(Self {
            namespaces: names(part(0)),
            workloads: names(part(1)),
            pods: names(part(2)),
            labels: pairs("label", part(3), spec)?,
            annotations: pairs("annotation", part(4), spec)?,
            containers: names(part(5)),
        })
    }
}

/// As it is written, without parts at the end that ask for nothing.
impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = |map: &BTreeMap<String, String>| {
            map.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
        };
        let parts = [
            self.namespaces.join(","),
            self.workloads.join(","),
            self.pods.join(","),
            pairs(&self.labels),
            pairs(&self.annotations),
            self.containers.join(","),
        ];
        f.write_str(parts.join("/").trim_end_matches('/'))
    }
}

/// A lone `*` asks for nothing in particular, as an empty part does.
fn names(part: &str) -> Vec<String> {
    let names: Vec<_> = part.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.iter().all(|name| name == "*") { Vec::new() } else { names }
}

fn pairs(what: &'static str, part: &str, spec: &str) -> Result<BTreeMap<String, String>, SpecError> {
    let mut pairs = BTreeMap::new();
    for item in part.split(',').map(str::trim).filter(|item| !item.is_empty() && *item != "*") {
        match item.split_once('=') {
            Some((key, value)) if !key.is_empty() && !key.contains('*') && !value.contains('=') => {
                pairs.insert(key.to_owned(), value.to_owned());
            }
            _ => return Err(SpecError::BadPair { what, item: item.to_owned(), spec: spec.to_owned() }),
        }
    }
    Ok(pairs)
}

impl Spec {
    /// Whether every part matches this container of a pod.
    pub fn matches(&self, candidate: &Candidate, container: &str) -> bool {
        let workload = candidate.workload.as_deref();
        self.names_namespace(&candidate.namespace)
            && (self.workloads.is_empty() || workload.is_some_and(|name| any(&self.workloads, name)))
            && any(&self.pods, &candidate.pod)
            && all(&self.labels, &candidate.labels)
            && all(&self.annotations, &candidate.annotations)
            && any(&self.containers, container)
    }

    /// Whether its namespaces match this one.
    pub fn names_namespace(&self, namespace: &str) -> bool {
        any(&self.namespaces, namespace)
    }

    /// Whether it speaks of whole namespaces.
    pub fn is_only_namespaces(&self) -> bool {
        *self == Self { namespaces: self.namespaces.clone(), ..Self::default() } && !self.namespaces.is_empty()
    }

    /// Whether it names nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn any(patterns: &[String], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern, name))
}

fn all(wanted: &BTreeMap<String, String>, present: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, pattern)| present.get(key).is_some_and(|value| glob(pattern, value)))
}
