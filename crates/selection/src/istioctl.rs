//! Which pods `istioctl bug-report` takes, in its two stages. The first decides which pods are looked at, with patterns
//! that may match anywhere in a name; the second, which of their containers are, as [`super::Selection::takes`] does.
//! Pods of StatefulSets and Jobs, and pods without an owner, never pass the first.

use std::collections::BTreeMap;

use super::{Candidate, Selection, Workload, glob::is_pattern};

/// Pods of these namespaces are never looked at.
pub const SYSTEM_NAMESPACES: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];

/// The label of the pods of Istio's CNI plug-in, which are taken whatever the specs say.
/// <https://istio.io/latest/docs/setup/additional-setup/cni/>
const CNI: (&str, &str) = ("k8s-app", "istio-cni-node");

/// More namespaces than this are not listed one by one.
const MOST_NAMESPACES: usize = 20;

/// The namespaces that are listed, that of the control plane among them; `None` is all at once.
pub fn queried_namespaces(selection: &Selection, control_plane: &[String]) -> Option<Vec<String>> {
    let mut names = selection.namespaces()?;
    names.extend(control_plane.iter().filter(|name| !name.is_empty()).cloned());
    (names.len() <= MOST_NAMESPACES).then(|| names.into_iter().collect())
}

pub fn is_cni(candidate: &Candidate) -> bool {
    candidate.labels.get(CNI.0).is_some_and(|value| value == CNI.1)
}

/// The containers of a pod that are taken, after both stages.
pub fn taken<'a>(
    selection: &Selection,
    candidate: &Candidate,
    owner: Option<&Workload>,
    containers: &[&'a str],
) -> Vec<&'a str> {
    if skips_pod(selection, candidate, containers) || !owner.is_some_and(|owner| keeps_owner(selection, owner)) {
        return Vec::new();
    }
    containers.iter().copied().filter(|container| selection.takes(candidate, container)).collect()
}

/// Only Deployments and DaemonSets are looked at, and specs can name only the former.
fn keeps_owner(selection: &Selection, owner: &Workload) -> bool {
    match owner.kind.as_str() {
        "Deployment" => {
            let lists = |specs: &'_ [super::Spec]| specs.iter().map(|spec| spec.workloads.clone()).collect::<Vec<_>>();
            !skips_owner(&owner.name, &lists(&selection.include), &lists(&selection.exclude))
        }
        "DaemonSet" => true,
        _ => false,
    }
}

/// Whether the first stage leaves out an owner: one exclude spec names it, or one include spec names others. So several
/// include specs that name owners must all name this one.
pub fn skips_owner(name: &str, include: &[Vec<String>], exclude: &[Vec<String>]) -> bool {
    exclude.iter().any(|patterns| found_in(patterns, name))
        || include.iter().any(|patterns| !patterns.is_empty() && !found_in(patterns, name))
}

/// Whether the first stage leaves out a pod: any one field of an exclude spec matches, or no include spec does.
pub fn skips_pod(selection: &Selection, candidate: &Candidate, containers: &[&str]) -> bool {
    if SYSTEM_NAMESPACES.contains(&candidate.namespace.as_str()) {
        return true;
    }
    let has_container = |patterns: &[String]| containers.iter().any(|name| found_in(patterns, name));
    let excluded = selection.exclude.iter().any(|spec| {
        found_in(&spec.namespaces, &candidate.namespace)
            || found_in(&spec.pods, &candidate.pod)
            || has_container(&spec.containers)
            || has_pair(&spec.labels, &candidate.labels)
            || has_pair(&spec.annotations, &candidate.annotations)
    });
    let included = selection.include.is_empty()
        || selection.include.iter().any(|spec| {
            (spec.namespaces.is_empty() || found_in(&spec.namespaces, &candidate.namespace))
                && (spec.pods.is_empty() || found_in(&spec.pods, &candidate.pod))
                && (spec.containers.is_empty() || has_container(&spec.containers))
                && (spec.labels.is_empty() || has_pair(&spec.labels, &candidate.labels))
                && (spec.annotations.is_empty() || has_pair(&spec.annotations, &candidate.annotations))
        });
    excluded || !included
}

fn found_in(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| is_within(pattern, name))
}

fn has_pair(wanted: &BTreeMap<String, String>, present: &BTreeMap<String, String>) -> bool {
    wanted.iter().any(|(key, pattern)| present.get(key).is_some_and(|value| is_within(pattern, value)))
}

/// Whether the pattern matches somewhere in the text; `*` stands for anything.
fn is_within(pattern: &str, text: &str) -> bool {
    if !is_pattern(pattern) {
        return text.contains(pattern);
    }
    let mut rest = text;
    pattern.split('*').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}
