//! A fact: one finding, whichever steps and however many objects say it.

use std::collections::BTreeMap;

use logs::{FailureGroup, summary};
use report::{Finding, Subject, fingerprint};

use crate::{evidence::ProxyLog, names::names};

/// Evidence kept of one fact.
const MOST_EVIDENCE: usize = 6;

/// One thing that is so.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(crate) finding: Finding,
    /// Every object of which it is said.
    pub(crate) subjects: Vec<Subject>,
    /// Every wording, the finding's own among them.
    pub(crate) messages: Vec<String>,
    /// Requests that failed alike, where it is about such.
    pub(crate) failure: Option<FailureGroup>,
}

/// The facts behind findings and failed requests, by code and subject.
pub(crate) fn facts(findings: Vec<Finding>, logs: &[ProxyLog]) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut add = |finding: Finding, failure: Option<FailureGroup>| {
        let key = fingerprint("", &finding);
        if let Some(place) = places.get(&key) {
            facts[*place].add(finding, failure);
        } else {
            places.insert(key, facts.len());
            facts.push(Fact {
                subjects: vec![finding.subject.clone()],
                messages: vec![finding.message.clone()],
                finding,
                failure,
            });
        }
    };
    for log in logs {
        for failure in &log.failures {
            let alone = summary::AccessLogSummary { failures: vec![failure.clone()], ..Default::default() };
            for finding in summary::findings(&alone, &log.subject) {
                add(finding, Some(failure.clone()));
            }
        }
    }
    findings.into_iter().for_each(|finding| add(finding, None));
    said_alike(facts)
}

/// What is said in the same words of several objects, and names them all, is one fact: two VirtualServices for one host
/// are one conflict.
fn said_alike(facts: Vec<Fact>) -> Vec<Fact> {
    let mut kept: Vec<Fact> = Vec::new();
    let mut places: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for fact in facts {
        if fact.failure.is_some() || !names(&fact.finding.message).contains(&fact.finding.subject.name) {
            kept.push(fact);
            continue;
        }
        let finding = &fact.finding;
        let key = (finding.code.to_string(), finding.subject.kind.clone(), finding.message.clone());
        if let Some(place) = places.get(&key) {
            let Fact { finding, subjects, .. } = fact;
            let known = &mut kept[*place];
            known.add(finding, None);
            known.add_subjects(subjects);
        } else {
            places.insert(key, kept.len());
            kept.push(fact);
        }
    }
    kept.sort_by(|a, b| {
        (&a.finding.code, &a.finding.subject, &a.finding.message).cmp(&(
            &b.finding.code,
            &b.finding.subject,
            &b.finding.message,
        ))
    });
    kept
}

impl Fact {
    pub(crate) fn code(&self) -> &str {
        &self.finding.code
    }

    fn add(&mut self, other: Finding, failure: Option<FailureGroup>) {
        let Finding { severity, subject, message, evidence, remedy, found_by, .. } = other;
        self.finding.severity = self.finding.severity.max(severity);
        for piece in evidence {
            if self.finding.evidence.len() < MOST_EVIDENCE && !self.finding.evidence.contains(&piece) {
                self.finding.evidence.push(piece);
            }
        }
        for step in found_by {
            if !self.finding.found_by.contains(&step) {
                self.finding.found_by.push(step);
            }
        }
        if self.finding.remedy.is_empty() {
            self.finding.remedy = remedy;
        }
        if !self.messages.contains(&message) {
            self.messages.push(message);
        }
        self.add_subjects(vec![subject]);
        match (&mut self.failure, failure) {
            (Some(known), Some(more)) => {
                known.count += more.count;
                known.of += more.of;
                known.first_at = known.first_at.take().into_iter().chain(more.first_at).min();
                known.last_at = known.last_at.take().into_iter().chain(more.last_at).max();
            }
            (known @ None, more) => *known = more,
            (Some(_), None) => {}
        }
    }

    fn add_subjects(&mut self, subjects: Vec<Subject>) {
        for subject in subjects {
            let same = |known: &Subject| {
                (&known.kind, &known.namespace, &known.name) == (&subject.kind, &subject.namespace, &subject.name)
            };
            if !self.subjects.iter().any(same) {
                self.subjects.push(subject);
            }
        }
    }
}
