//! What was checked and is well, and what could not be seen.

use std::collections::BTreeSet;

use mesh::{Workload, is_finished, is_ready};
use report::Severity;

use crate::{answer::Unknown, evidence::Evidence, fact::Fact, place::Scene};

/// Sentences on what nobody needs to suspect.
pub(crate) fn healthy(evidence: &Evidence<'_>, scene: &Scene<'_>, facts: &[Fact]) -> Vec<String> {
    let mut said = Vec::new();
    let wrong: BTreeSet<&str> = facts
        .iter()
        .filter(|fact| fact.finding.severity >= Severity::Warning)
        .flat_map(|fact| fact.finding.found_by.iter().map(String::as_str))
        .collect();
    let silent: BTreeSet<&str> = evidence.skipped.iter().filter_map(|it| it.what.strip_prefix("step ")).collect();
    for checked in &evidence.checked {
        let step = checked.step.as_str();
        if !wrong.contains(step) && !silent.contains(step) {
            said.push(format!("{step}: {}", checked.summary));
        }
    }
    let running: Vec<_> = scene.pods.iter().filter(|pod| !is_finished(pod)).collect();
    let ready = running.iter().filter(|pod| is_ready(pod)).count();
    if ready > 0 {
        said.push(format!("{ready} of {} pods are ready", running.len()));
    }
    let meshed = running.iter().filter(|pod| Workload::of_pod(pod).has_proxy()).count();
    let (mut logging, mut clean) = (0, 0);
    for log in evidence.logs.iter().filter(|log| log.requests > 0) {
        logging += 1;
        clean += usize::from(log.failures.is_empty());
    }
    if clean > 0 {
        said.push(format!(
            "{clean} of {logging} proxies that log requests log no failed one ({meshed} pods have a proxy)"
        ));
    }
    said
}

/// What was not seen, each reason once.
pub(crate) fn unknown(evidence: &Evidence<'_>) -> Vec<Unknown> {
    let mut unknown: Vec<Unknown> = Vec::new();
    for skipped in &evidence.skipped {
        match unknown.iter_mut().find(|known| known.what == skipped.what && known.why == skipped.why) {
            Some(known) => {
                for part in &skipped.silences {
                    if !known.could_hide.contains(part) {
                        known.could_hide.push(part.clone());
                    }
                }
            }
            None => unknown.push(Unknown {
                what: skipped.what.clone(),
                why: skipped.why.clone(),
                could_hide: skipped.silences.clone(),
            }),
        }
    }
    unknown.sort_by(|a, b| (&a.what, &a.why).cmp(&(&b.what, &b.why)));
    unknown
}
