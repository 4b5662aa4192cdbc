//! Carries out `istioctl.bug-report`: plans, records the cluster as the caller may see it into an archive, and has the
//! checklist look at what was recorded.

mod checklist;
mod texts;

use std::path::Path;

use tokio::sync::watch;

use super::{
    Error,
    background::{Made, Work},
};
use crate::{
    capture::{self, Budgets, Layout, WriteOptions},
    cluster::Cluster,
    history::Artifact,
    report::{Data, Progress},
    steps::{
        BugReport, BugReportArchive, BugReportData, BugReportInput, Judgement, Outcome, ReportLayout, Step as _,
        Wanted, WeighedLog, counted,
    },
};

/// The archive's name among the artifacts of a run.
pub const ARCHIVE: &str = "bug-report.tar.gz";
const CONTENT_TYPE: &str = "application/gzip";

/// The work of a run in the background.
pub async fn work(work: Work, input: BugReportInput) -> Result<Made, Error> {
    let path = work.folder.join(ARCHIVE);
    let (outcome, archive) = make(&work.cluster, &input, &path, &work.progress).await?;
    let artifact = Artifact {
        name: archive.name,
        bytes: archive.bytes,
        sha256: archive.sha256,
        content_type: CONTENT_TYPE.to_owned(),
    };
    Ok(Made { outcome, artifacts: vec![artifact] })
}

/// Writes the archive `path`, and answers what was found in it.
pub async fn make(
    cluster: &Cluster,
    input: &BugReportInput,
    path: &Path,
    progress: &watch::Sender<Progress>,
) -> Result<(Outcome, BugReportArchive), Error> {
    at(progress, "planning");
    let wanted = input.wanted(cluster.now()).map_err(|invalid| Error::Invalid(invalid.into()))?;
    let evidence = BugReport::gather(cluster, input).await?;
    let Judgement { mut data, findings: _, mut skipped, commands, summary: _ } = BugReport::judge(input, evidence);
    let mut options = options(cluster, &wanted, &data, progress);
    if wanted.layout == ReportLayout::Istioctl {
        at(progress, "analysis");
        options.extra = texts::files(cluster).await;
    }
    let written = capture::write(cluster.client(), path, &options).await?;
    at(progress, "findings");
    let checked = checklist::over(path, cluster).await;
    let archive = BugReportArchive {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        layout: wanted.layout,
        bytes: written.bytes,
        sha256: written.sha256,
        files: written.files,
        redacted: written.redacted,
    };
    skipped.extend(written.skipped);
    for part in checked.merged.skipped {
        if !skipped.contains(&part) {
            skipped.push(part);
        }
    }
    data.archive = Some(archive.clone());
    data.logs = written.logs.into_iter().map(|(importance, file)| WeighedLog { file, importance }).collect();
    data.steps = checked.steps;
    let summary = summary(&data, written.files);
    let outcome =
        Outcome { data: Data::of(&data), findings: checked.merged.findings, skipped, commands, summary, printed: None };
    Ok((outcome, archive))
}

fn at(progress: &watch::Sender<Progress>, section: &str) {
    progress.send_modify(|progress| section.clone_into(&mut progress.section));
}

fn options(
    cluster: &Cluster,
    wanted: &Wanted,
    data: &BugReportData,
    progress: &watch::Sender<Progress>,
) -> WriteOptions {
    let control_plane = &data.plan.control_plane;
    let mut options = WriteOptions::new(cluster.now()).select(wanted.selection.clone(), control_plane);
    // Where not everything may be listed, what may.
    options.namespaces = data.plan.namespaces.clone().unwrap_or_default();
    options.layout = match wanted.layout {
        ReportLayout::Meshtriage => Layout::Own,
        ReportLayout::Istioctl => Layout::Istioctl,
    };
    options.range = wanted.range;
    options.log_lines = wanted.tail.into();
    options.ignored.clone_from(&wanted.ignored);
    options.logs_outside_mesh = wanted.logs_outside_mesh;
    options.budgets = Budgets { time: wanted.timeout, ..Budgets::default() };
    options.call_timeout = cluster.settings().call_timeout;
    options.one_dump = true;
    options.progress = progress.clone();
    options
}

/// `184 files of 34 pods, 9 steps over them`.
fn summary(data: &BugReportData, files: usize) -> String {
    let (files, pods) = (counted(files, "file"), counted(data.plan.pods, "pod"));
    format!("{files} of {pods}, {} over them", counted(data.steps.len(), "step"))
}
