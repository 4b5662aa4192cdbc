//! Every read-only step that needs no more to be said, over what was recorded.

use std::path::Path;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::{
    capture::{Capture, Limits},
    cluster::{Cluster, Error, chain},
    report::{Completeness, Counts, Finding, Format, Skipped, Verdict, fingerprint},
    steps::{AnyStep, Inputs, Outcome, Prepared, ReportedStep, STEPS},
};

/// For one step.
const STEP_TIME: Duration = Duration::from_mins(2);

/// Steps that need to be told what to look at, and what of a mesh is worth it.
const WITH_INPUTS: &[(&str, &[(&str, &str)])] = &[
    ("kubectl.resource-status", &[("resource", "pods"), ("all_namespaces", "true")]),
    ("kubectl.resource-status", &[("resource", "deployments"), ("all_namespaces", "true")]),
    ("kubectl.resource-status", &[("resource", "daemonsets"), ("all_namespaces", "true")]),
    ("kubectl.resource-status", &[("resource", "services"), ("all_namespaces", "true")]),
    ("kubectl.resource-status", &[("resource", "horizontalpodautoscalers"), ("all_namespaces", "true")]),
];

/// What the steps found.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) steps: Vec<ReportedStep>,
    pub(super) findings: Vec<Finding>,
    pub(super) skipped: Vec<Skipped>,
}

/// Opens an archive and looks at it.
pub(super) async fn over(archive: &Path, recorded: &Cluster) -> Checked {
    let mut checked = Checked::default();
    let cluster = match open(archive, recorded).await {
        Ok(cluster) => cluster,
        Err(why) => {
            checked.skipped.push(Skipped::new("findings over what was collected", why));
            return checked;
        }
    };
    for (prepared, inputs) in calls() {
        let id = prepared.about().id;
        match carry_out(prepared, cluster.clone()).await {
            Ok(outcome) => checked.add(id, inputs, recorded.id(), outcome),
            // One that has to be told what to look at.
            Err(Failure::Step(Error::Input { .. })) => {}
            Err(Failure::Step(error)) => checked.skipped.push(Skipped::new(format!("step {id}"), chain(&error))),
            Err(Failure::Other(why)) => checked.skipped.push(Skipped::new(format!("step {id}"), why)),
        }
    }
    checked
}

async fn open(archive: &Path, recorded: &Cluster) -> Result<Cluster, String> {
    let path = archive.to_owned();
    // The archive is our own, and may be larger than what somebody else may send.
    let limits = Limits {
        total_bytes: 16 << 30,
        ratio: u64::MAX,
        temporary_folder: path.parent().map(Path::to_owned),
        ..Limits::default()
    };
    let opened = spawn_blocking(move || Capture::open(&path, &limits)).await.map_err(|error| error.to_string())?;
    let capture = opened.map_err(|error| chain(&error))?;
    Ok(capture.cluster(recorded.id().to_owned(), "bug report".to_owned(), recorded.settings().clone()))
}

/// The steps that can be carried out, and their inputs in words.
fn calls() -> Vec<(Box<dyn Prepared>, Vec<String>)> {
    let mut calls = Vec::new();
    let reads = |step: &&&dyn AnyStep| step.about().method == "GET" && !step.about().mutating;
    for step in STEPS.iter().filter(reads) {
        if let Ok(prepared) = step.prepare(Inputs::Pairs(Vec::new())) {
            calls.push((prepared, Vec::new()));
        }
        for (_, inputs) in WITH_INPUTS.iter().filter(|(id, _)| *id == step.about().id) {
            let pairs = inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            if let Ok(prepared) = step.prepare(Inputs::Pairs(pairs)) {
                calls.push((prepared, inputs.iter().map(|(name, value)| format!("{name}={value}")).collect()));
            }
        }
    }
    calls
}

enum Failure {
    Step(Error),
    Other(String),
}

/// In a task of its own: a mistake in one step is not the end of the others.
async fn carry_out(prepared: Box<dyn Prepared>, cluster: Cluster) -> Result<Outcome, Failure> {
    let step = tokio::spawn(async move { prepared.execute(&cluster, Format::Json).await });
    let step = tokio_util::task::AbortOnDropHandle::new(step);
    match tokio::time::timeout(STEP_TIME, step).await {
        Ok(Ok(outcome)) => outcome.map_err(Failure::Step),
        Ok(Err(_)) => Err(Failure::Other("a mistake of the service; its log has the details".to_owned())),
        Err(_) => Err(Failure::Other(format!("took longer than {} s", STEP_TIME.as_secs()))),
    }
}

impl Checked {
    fn add(&mut self, step: &'static str, inputs: Vec<String>, cluster_id: &str, outcome: Outcome) {
        let counts = Counts::of(&outcome.findings);
        let mut reported = ReportedStep {
            step: step.to_owned(),
            inputs,
            verdict: Verdict::of(counts, Completeness::of(&outcome.skipped)),
            summary: outcome.summary,
            counts,
            findings: Vec::new(),
        };
        for finding in outcome.findings {
            let print = fingerprint(cluster_id, &finding);
            if !reported.findings.contains(&print) {
                reported.findings.push(print);
            }
            self.add_finding(step, finding);
        }
        for part in outcome.skipped {
            if !self.skipped.contains(&part) {
                self.skipped.push(part);
            }
        }
        self.steps.push(reported);
    }

    /// What several steps find stands once, with all of them.
    fn add_finding(&mut self, step: &str, finding: Finding) {
        let same = |other: &&mut Finding| {
            other.code == finding.code
                && other.subject == finding.subject
                && other.message == finding.message
                && other.discriminator == finding.discriminator
        };
        let found_by = match self.findings.iter_mut().find(same) {
            Some(known) => &mut known.found_by,
            None => {
                self.findings.push(finding);
                &mut self.findings.last_mut().expect("it was just added").found_by
            }
        };
        if !found_by.iter().any(|known| known == step) {
            found_by.push(step.to_owned());
        }
    }
}
