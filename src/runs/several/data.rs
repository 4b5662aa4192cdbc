//! What a run of several steps says of each.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Part;
use crate::{
    cluster::chain,
    report::{Completeness, Counts, State, Verdict},
};

/// The steps of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SeveralData {
    /// The checklist that was asked for, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checklist: Option<String>,
    pub steps: Vec<StepOfRun>,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepOfRun {
    /// Its place in the run, from 0.
    pub place: usize,
    /// Id of the step.
    pub step: String,
    #[schema(value_type = Object)]
    pub inputs: Value,
    pub state: State,
    pub verdict: Verdict,
    pub completeness: Completeness,
    pub summary: String,
    pub counts: Counts,
    pub duration_ms: i64,
    /// Fingerprints of what it found. The findings themselves stand in the run's list, each once.
    #[serde(default)]
    pub findings: Vec<String>,
    pub links: StepLinks,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepLinks {
    /// The whole answer of this step.
    #[serde(rename = "self")]
    pub itself: String,
}

impl StepOfRun {
    pub fn of(run: Uuid, part: &Part) -> Self {
        let mut inputs = part.inputs.clone();
        crate::redact::redact_value(&mut inputs);
        let blank = Self {
            place: part.place,
            step: part.step.to_owned(),
            inputs,
            state: State::Failed,
            verdict: Verdict::Unknown,
            completeness: Completeness::Partial,
            summary: String::new(),
            counts: Counts::default(),
            duration_ms: 0,
            findings: Vec::new(),
            links: StepLinks { itself: format!("/v1/runs/{run}/steps/{}", part.place) },
        };
        match &part.result {
            Err(error) => Self { summary: chain(error), ..blank },
            Ok(answered) => {
                let answer = &answered.answer;
                let mut findings: Vec<_> = answer.findings.iter().map(|it| it.fingerprint.clone()).collect();
                findings.dedup();
                Self {
                    state: State::Succeeded,
                    verdict: answer.run.verdict,
                    completeness: answer.run.completeness,
                    summary: answer.summary.clone(),
                    counts: answer.counts,
                    duration_ms: answer.run.duration_ms,
                    findings,
                    ..blank
                }
            }
        }
    }
}
