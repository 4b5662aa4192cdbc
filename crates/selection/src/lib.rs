//! Which pods and containers somebody means: specs in the words of `istioctl bug-report --include` and `--exclude`
//! (<https://istio.io/latest/docs/reference/commands/istioctl/#istioctl-bug-report>), and what they match. Pure.
//!
//! A pod is matched in one stage. A spec matches what matches each of its parts; of several specs, one is enough; what
//! an exclude spec matches is left out, whatever the include specs say. Patterns are anchored globs. [`istioctl`] has
//! istioctl's own two stages, for whoever wants the same pods as istioctl takes.

mod glob;
pub mod istioctl;
mod owner;
mod spec;

use std::collections::{BTreeMap, BTreeSet};

pub use glob::glob;
pub use owner::{Owners, Workload};
pub use spec::{MAX_SPEC_BYTES, Spec, SpecError};

/// What to take, and what of it to leave out. Without include specs, everything is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    pub include: Vec<Spec>,
    pub exclude: Vec<Spec>,
}

/// What specs match: a pod, and whose it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidate {
    pub namespace: String,
    /// The workload that owns the pod, of whatever kind.
    pub workload: Option<String>,
    pub pod: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
}

impl Selection {
    /// Reads the specs of `--include` and `--exclude`; the error names the spec.
    pub fn parse(include: &[String], exclude: &[String]) -> Result<Self, SpecError> {
        let read = |specs: &[String]| specs.iter().map(|spec| spec.parse()).collect::<Result<Vec<Spec>, _>>();
        Ok(Self { include: read(include)?, exclude: read(exclude)? })
    }

    /// Namespaces and nothing more, as exact names.
    pub fn of_namespaces(namespaces: &[String]) -> Self {
        let of = |namespace: &String| Spec { namespaces: vec![namespace.clone()], ..Spec::default() };
        Self { include: namespaces.iter().map(of).collect(), exclude: Vec::new() }
    }

    pub fn is_everything(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether a container of a pod is taken.
    pub fn takes(&self, candidate: &Candidate, container: &str) -> bool {
        !self.exclude.iter().any(|spec| spec.matches(candidate, container))
            && (self.include.is_empty() || self.include.iter().any(|spec| spec.matches(candidate, container)))
    }

    /// The namespaces that can be meant, when the include specs name them all in full; `None` is any.
    pub fn namespaces(&self) -> Option<BTreeSet<String>> {
        if self.include.is_empty() {
            return None;
        }
        let mut names = BTreeSet::new();
        for spec in &self.include {
            if spec.namespaces.is_empty() || spec.namespaces.iter().any(|name| glob::is_pattern(name)) {
                return None;
            }
            names.extend(spec.namespaces.iter().cloned());
        }
        Some(names)
    }

    /// Whether an exclude spec leaves out all of this namespace.
    pub fn excludes_namespace(&self, namespace: &str) -> bool {
        self.exclude.iter().any(|spec| spec.is_only_namespaces() && spec.names_namespace(namespace))
    }

    /// Whether something of this namespace may be taken.
    pub fn covers_namespace(&self, namespace: &str) -> bool {
        !self.excludes_namespace(namespace)
            && (self.include.is_empty() || self.include.iter().any(|spec| spec.names_namespace(namespace)))
    }
}

#[cfg(test)]
mod tests;
