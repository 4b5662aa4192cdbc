//! What has changed between two runs. A finding that one run has and the other has not says something only where the other
//! has looked for it, and has seen as much.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use serde_json::Value;

use super::{Answer, checks, several::StepOfRun};
use crate::{
    history::StoredPart,
    report::{Data, Finding, Skipped},
};

/// What has changed from one run to another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct RunDiff {
    /// Findings that the later run has, and that the earlier would have found.
    pub new: Vec<Finding>,
    /// Findings that the earlier run has, and that the later would have found.
    pub resolved: Vec<Finding>,
    /// Findings of both.
    pub persisting: Vec<Finding>,
    /// Findings of one run that the other has not looked for, or could not have seen.
    pub not_comparable: Vec<NotComparable>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct NotComparable {
    /// `earlier` or `later`: the run that has it.
    pub found_by: &'static str,
    pub why: String,
    pub finding: Finding,
}

/// What a run has looked at: each step with its inputs and what it could not see.
pub struct Coverage {
    /// By step and inputs apart from the place.
    pub looks: Vec<Look>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    pub step: String,
    pub inputs: String,
    pub namespaces: Option<Vec<String>>,
    pub gaps: Vec<String>,
    /// Fingerprints of what it has found.
    pub found: Vec<String>,
}

/// Compares two runs, each with what it has looked at.
pub fn compare(earlier: (&Answer<Data>, &Coverage), later: (&Answer<Data>, &Coverage)) -> RunDiff {
    let by_fingerprint = |answer: &Answer<Data>| -> BTreeMap<String, Finding> {
        answer.findings.iter().map(|finding| (finding.fingerprint.clone(), finding.clone())).collect()
    };
    let (before, after) = (by_fingerprint(earlier.0), by_fingerprint(later.0));
    let mut diff = RunDiff::default();
    for (fingerprint, finding) in &after {
        if before.contains_key(fingerprint) {
            diff.persisting.push(finding.clone());
        } else {
            match hidden(finding, later.1, earlier.1) {
                None => diff.new.push(finding.clone()),
                Some(why) => {
                    diff.not_comparable.push(NotComparable { found_by: "later", why, finding: finding.clone() });
                }
            }
        }
    }
    for (fingerprint, finding) in &before {
        if !after.contains_key(fingerprint) {
            match hidden(finding, earlier.1, later.1) {
                None => diff.resolved.push(finding.clone()),
                Some(why) => {
                    diff.not_comparable.push(NotComparable { found_by: "earlier", why, finding: finding.clone() });
                }
            }
        }
    }
    diff
}

/// Why the other run could not have found this; nothing where it could.
fn hidden(finding: &Finding, own: &Coverage, other: &Coverage) -> Option<String> {
    let mut why = "the other run has not looked for it".to_owned();
    for look in own.looks.iter().filter(|look| look.found.contains(&finding.fingerprint)) {
        let same = |it: &&Look| it.step == look.step && it.inputs == look.inputs;
        for there in other.looks.iter().filter(same) {
            let in_place = match (&there.namespaces, &finding.subject.namespace) {
                (None, _) => true,
                (Some(namespaces), Some(namespace)) => namespaces.contains(namespace),
                (Some(_), None) => false,
            };
            if !in_place {
                "the other run has not looked there".clone_into(&mut why);
                continue;
            }
            match there.gaps.iter().find(|gap| !look.gaps.contains(gap)) {
                None => return None,
                Some(gap) => why = format!("the other run could not see {gap}"),
            }
        }
    }
    Some(why)
}

impl Coverage {
    /// What a run has looked at, by what is kept of it.
    pub fn of(answer: &Answer<Data>, inputs: &Value, parts: &[StoredPart]) -> Self {
        if parts.is_empty() {
            let found = answer.findings.iter().map(|finding| finding.fingerprint.clone()).collect();
            return Self { looks: vec![look(&answer.run.step, inputs, &answer.skipped, found)] };
        }
        let of_part = |part: &StoredPart| {
            let about: StepOfRun = serde_json::from_str(&part.about).ok()?;
            let answer: Answer<Data> = serde_json::from_str(part.answer.as_deref()?).ok()?;
            Some(look(&part.step, &about.inputs, &answer.skipped, about.findings))
        };
        Self { looks: parts.iter().filter_map(of_part).collect() }
    }
}

fn look(step: &str, inputs: &Value, skipped: &[Skipped], found: Vec<String>) -> Look {
    let (inputs, namespaces) = checks::place_of(inputs);
    Look { step: step.to_owned(), inputs, namespaces, gaps: checks::gaps(skipped), found }
}
