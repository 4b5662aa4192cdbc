//! What a step gave, with its data as a tree.

use meshtriage::{
    report::{Finding, Skipped},
    steps,
};
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) data: Value,
    pub(crate) findings: Vec<Finding>,
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) commands: Vec<String>,
    pub(crate) summary: String,
    pub(crate) printed: Option<String>,
}

impl From<steps::Outcome> for Outcome {
    fn from(outcome: steps::Outcome) -> Self {
        let steps::Outcome { data, findings, skipped, commands, summary, printed } = outcome;
        Self { data: data.value(), findings, skipped, commands, summary, printed }
    }
}
