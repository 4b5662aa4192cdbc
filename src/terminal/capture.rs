//! `meshtriage capture`: records a live cluster into an archive.

use std::{io::Write as _, process::ExitCode};

use super::{progress, usage};
use crate::{
    capture::{self, Cut, WriteOptions},
    config,
    selection::Selection,
    start,
};

/// Lines of each log in a small recording.
const SMALL_LOG_LINES: u64 = 400;

/// Records the cluster, and says what it could not.
pub async fn capture(args: &config::Capture) -> anyhow::Result<ExitCode> {
    let cluster = start::open_cluster(&args.cluster).await?;
    let mut selection = match Selection::parse(&args.include, &args.exclude) {
        Ok(selection) => selection,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    selection.include.extend(Selection::of_namespaces(&args.namespace).include);
    // A recording of some namespaces is of no use without the control plane; that it cannot be found shows later.
    let control_plane = cluster.control_plane(&[]).await.map(|found| found.namespaces()).unwrap_or_default();
    let mut options = WriteOptions::new(cluster.now()).select(selection, &control_plane);
    options.call_timeout = args.cluster.call_timeout();
    // What a step reads of a pod outside of the mesh (an application's log) is part of the recording, if it is not small.
    options.logs_outside_mesh = !args.small;
    if args.small {
        options.cut = Some(Cut { log_lines: SMALL_LOG_LINES });
    }
    let shown = progress::start("recording");
    options.progress = shown.follow();
    let written = capture::write(cluster.client(), &args.out, &options).await?;
    drop(shown);
    let mut out = std::io::stderr().lock();
    for skipped in &written.skipped {
        writeln!(out, "not recorded: {}: {}", skipped.what, skipped.why)?;
    }
    writeln!(
        out,
        "wrote {}: {} files, {} bytes, {} secrets replaced",
        written.path.display(),
        written.files,
        written.bytes,
        written.redacted
    )?;
    Ok(ExitCode::SUCCESS)
}
