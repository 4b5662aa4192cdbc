//! What several steps found, each thing once.

use std::collections::BTreeMap;

use crate::report::{Finding, Skipped, Subject};

/// Findings, gaps and commands of several steps.
#[derive(Debug, Default)]
pub struct Merged {
    pub findings: Vec<Finding>,
    pub skipped: Vec<Skipped>,
    pub commands: Vec<String>,
    /// Where a finding stands, by fingerprint, subject and message.
    places: BTreeMap<(String, Subject, String), usize>,
}

impl Merged {
    /// Adds a finding of a step. What several steps find stands once, with all of them.
    pub fn add_finding(&mut self, step: &str, finding: &Finding) {
        let key = (finding.fingerprint.clone(), finding.subject.clone(), finding.message.clone());
        let place = *self.places.entry(key).or_insert_with(|| {
            self.findings.push(finding.clone());
            self.findings.len() - 1
        });
        let found_by = &mut self.findings[place].found_by;
        if !found_by.iter().any(|known| known == step) {
            found_by.push(step.to_owned());
        }
    }

    pub fn add_skipped(&mut self, part: Skipped) {
        if !self.skipped.contains(&part) {
            self.skipped.push(part);
        }
    }

    pub fn add_command(&mut self, command: &str) {
        if !self.commands.iter().any(|known| known == command) {
            self.commands.push(command.to_owned());
        }
    }
}
