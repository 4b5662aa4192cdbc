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
    // Removed at the end, whoever still holds the recording; by its name also when the service dies before.
    let folder = archive.parent().unwrap_or(Path::new("."));
    let looked = match tempfile::Builder::new().prefix(".unpacked-").tempdir_in(folder) {
        Ok(unpacked) => {
            let looked = checked.look(archive, unpacked.path(), recorded).await;
            // Some ten thousand files.
            let removed = spawn_blocking(move || unpacked.close()).await;
            if let Err(error) = removed.map_err(std::io::Error::other).and_then(|removed| removed) {
                tracing::warn!("what was unpacked for a look was not removed: {error}");
            }
            looked
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(why) = looked {
        checked.skipped.push(Skipped::new("findings over what was collected", why));
    }
    checked
}

async fn open(archive: &Path, folder: &Path, recorded: &Cluster) -> Result<Cluster, String> {
    let path = archive.to_owned();
    // The archive is our own, and may be larger than what somebody else may send.
    let limits = Limits {
        total_bytes: 16 << 30,
        ratio: u64::MAX,
        temporary_folder: Some(folder.to_owned()),
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
    async fn look(&mut self, archive: &Path, folder: &Path, recorded: &Cluster) -> Result<(), String> {
        let cluster = open(archive, folder, recorded).await?;
        for (prepared, inputs) in calls() {
            let id = prepared.about().id;
            match carry_out(prepared, cluster.clone()).await {
                Ok(outcome) => self.add(id, inputs, recorded.id(), outcome),
                // One that has to be told what to look at.
                Err(Failure::Step(Error::Input { .. })) => {}
                Err(Failure::Step(error)) => self.skipped.push(Skipped::new(format!("step {id}"), chain(&error))),
                Err(Failure::Other(why)) => self.skipped.push(Skipped::new(format!("step {id}"), why)),
            }
        }
        Ok(())
    }

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
        let same = |other: &Finding| {
            other.code == finding.code
                && other.subject == finding.subject
                && other.message == finding.message
                && other.discriminator == finding.discriminator
        };
        let place = self.findings.iter().position(same).unwrap_or(self.findings.len());
        if place == self.findings.len() {
            self.findings.push(finding);
        }
        let found_by = &mut self.findings[place].found_by;
        if !found_by.iter().any(|known| known == step) {
            found_by.push(step.to_owned());
        }
    }
}
