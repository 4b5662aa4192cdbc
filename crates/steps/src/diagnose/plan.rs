//! Which steps a diagnosis carries out.

use std::sync::Arc;

use super::Depth;
use crate::{Inputs, Prepared, find};

type Listed = (&'static str, &'static [(&'static str, &'static str)]);

const STATUS: &str = "kubectl.resource-status";

const fn status(inputs: &'static [(&'static str, &'static str)]) -> Listed {
    (STATUS, inputs)
}

/// What objects, events and istiod's own logs tell.
const QUICK: &[Listed] = &[
    ("misc.misconfiguration", &[("without_logs", "true")]),
    ("kubectl.istiod-pods", &[]),
    ("kubectl.istiod-logs", &[]),
    status(&[("resource", "pods"), ("all_namespaces", "true")]),
    status(&[("resource", "deployments"), ("all_namespaces", "true")]),
    status(&[("resource", "services"), ("all_namespaces", "true")]),
    status(&[("resource", "horizontalpodautoscalers"), ("all_namespaces", "true")]),
    ("istioctl.tags", &[]),
    ("istioctl.verify-install", &[]),
    ("misc.startup-race", &[]),
    ("misc.http-proxy", &[]),
];

/// What asks every proxy, or reads more than an answer in two seconds allows.
const FURTHER: &[Listed] = &[
    ("istioctl.proxy-status", &[]),
    ("istioctl.version", &[]),
    status(&[("resource", "statefulsets"), ("all_namespaces", "true")]),
    status(&[("resource", "daemonsets"), ("all_namespaces", "true")]),
    status(&[("resource", "jobs"), ("all_namespaces", "true")]),
    status(&[("resource", "poddisruptionbudgets"), ("all_namespaces", "true")]),
    status(&[("resource", "nodes")]),
    ("kubectl.crds", &[]),
    ("misc.access-logging", &[]),
    ("misc.coredns", &[]),
    ("misc.resource-usage", &[]),
];

/// The steps, ready to be carried out.
pub(super) fn steps(depth: Depth) -> Vec<Arc<dyn Prepared>> {
    let further = if depth == Depth::Full { FURTHER } else { &[] };
    QUICK.iter().chain(further).map(prepared).collect()
}

fn prepared((step, inputs): &Listed) -> Arc<dyn Prepared> {
    let step = find(step).expect("the plan names steps that there are");
    let pairs = inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Arc::from(step.prepare(Inputs::Pairs(pairs)).expect("the plan's inputs are good"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_planned_step_only_reads() {
        let full = steps(Depth::Full);
        assert_eq!(full.len(), QUICK.len() + FURTHER.len());
        assert!(full.iter().all(|step| step.about().method == "GET" && !step.about().mutating));
    }
}
