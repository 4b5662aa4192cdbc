//! Every read-only step that needs no more to be said, over what was recorded.

use std::path::Path;

use tokio::task::spawn_blocking;

use crate::{
    capture::{Capture, Limits},
    cluster::{Cluster, chain},
    report::{Completeness, Counts, Skipped, Verdict, fingerprint},
    runs::{
        checklists,
        several::{self, Merged},
    },
    steps::{Outcome, ReportedStep},
};

/// What the steps found.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) steps: Vec<ReportedStep>,
    pub(super) merged: Merged,
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
        checked.merged.add_skipped(Skipped::new("findings over what was collected", why));
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

impl Checked {
    async fn look(&mut self, archive: &Path, folder: &Path, recorded: &Cluster) -> Result<(), String> {
        let cluster = open(archive, folder, recorded).await?;
        let full = checklists::find("full").expect("there is a checklist of all steps");
        for listed in full.steps() {
            let inputs = listed.inputs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            match several::execute(listed.prepared(), cluster.clone()).await {
                Ok(outcome) => self.add(listed.step, inputs, recorded.id(), outcome),
                Err(error) => self.merged.add_skipped(Skipped::new(format!("step {}", listed.step), chain(&error))),
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
        for mut finding in outcome.findings {
            finding.fingerprint = fingerprint(cluster_id, &finding);
            if !reported.findings.contains(&finding.fingerprint) {
                reported.findings.push(finding.fingerprint.clone());
            }
            self.merged.add_finding(step, &finding);
        }
        outcome.skipped.into_iter().for_each(|part| self.merged.add_skipped(part));
        self.steps.push(reported);
    }
}
