//! The steps without a server: for terminals, CI and benchmarks.

mod files;

use std::{io::Write as _, path::Path, process::ExitCode, sync::Arc};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    analyzers::{
        K8S0100,
        remarks::{self, Target},
    },
    auth::{Authority, Caller, Trail},
    capture::{self, Cut, WriteOptions},
    cluster::{self, chain},
    config,
    report::{Finding, Format},
    runs::{self, Carried},
    selection::Selection,
    start,
    steps::{
        self, Analyze, AnalyzeInput, AnalyzedFile, BugReport, BugReportInput, Inputs, Invalid, Outcome, Prepared,
        Step as _,
    },
};

/// Lines of each log in a small recording.
const SMALL_LOG_LINES: u64 = 400;
/// Exit code for wrong inputs (`EX_USAGE`), as istioctl's.
pub const USAGE: u8 = 64;

/// `meshtriage run`.
pub async fn run(args: &config::Run) -> anyhow::Result<ExitCode> {
    let Some(step) = steps::find(&args.step) else {
        let known: Vec<_> = steps::STEPS.iter().map(|step| step.about().id).collect();
        return Ok(usage(&format!("there is no step {:?}; there are {}", args.step, known.join(", "))));
    };
    let Some(format) = Format::named(&args.format) else {
        let known = Format::ALL.map(Format::name).join(", ");
        return Ok(usage(&format!("--format must be one of {known}")));
    };
    let about = step.about();
    if about.mutating && !args.enable_actions {
        bail!("{} changes the cluster: give --enable-actions", about.id);
    }
    let analyze = about.id == Analyze::ABOUT.id;
    let over_cluster = args.cluster.is_given();
    if !analyze && over_cluster && !args.files.is_empty() {
        return Ok(usage("only istioctl.analyze looks at --files on top of a cluster"));
    }
    let prepared = if analyze { prepare_analysis(args)? } else { step.prepare(Inputs::Pairs(args.input.clone())) };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(invalid) => return Ok(usage(&described(&invalid))),
    };
    let cluster = match args.files.as_slice() {
        [] => start::open_cluster(&args.cluster).await?,
        // The rules read files themselves, with their lines.
        _ if analyze && over_cluster => start::open_cluster(&args.cluster).await?,
        _ if analyze => cluster::nothing(),
        files => start::open_files(files, &args.cluster).await?,
    };
    let caller = Arc::new(Caller::anonymous());
    let authority = Authority::new(cluster.own_client().clone());
    let guarded = cluster.through(authority.client_for(Arc::clone(&caller), Trail::default()));
    let clock = crate::clock::Clock::System;
    let started = Carried::begin(about.id, &caller, clock);
    let carried_out = if about.id == BugReport::ABOUT.id && !is_dry_run(prepared.as_ref()) {
        report(&guarded, args).await
    } else {
        prepared.execute(&guarded, format).await.map_err(runs::Error::from)
    };
    let outcome = match carried_out {
        Ok(outcome) => outcome,
        Err(error) => bail!("{}", chain(&error)),
    };
    let mut answered = started.answer(cluster.id(), clock, outcome);
    answered.answer.run.recorded = false;
    answered.answer.run.not_recorded_because = Some("`meshtriage run` keeps no history".to_owned());
    let text = runs::render(&answered, about.title, format)?;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).context("cannot write to standard output")?;
    if !text.is_empty() && !text.ends_with('\n') {
        writeln!(out)?;
    }
    if !analyze {
        return Ok(ExitCode::SUCCESS);
    }
    let data = answered.answer.data.value();
    let flag = |name: &str| data.get(name).and_then(Value::as_bool).unwrap_or(false);
    let (failing, unparsed) = (flag("failing"), flag("unparsed"));
    remark(args, &answered.answer.findings, format, failing, unparsed);
    Ok(ExitCode::from(Analyze::exit_code(failing, unparsed)))
}

fn is_dry_run(prepared: &dyn Prepared) -> bool {
    prepared.inputs().get("dry_run").and_then(Value::as_bool) == Some(true)
}

/// Makes a bug report. Its inputs were found good before.
async fn report(cluster: &cluster::Cluster, args: &config::Run) -> Result<Outcome, runs::Error> {
    let input: BugReportInput =
        Inputs::Pairs(args.input.clone()).read().map_err(|wrong| runs::Error::Invalid(wrong.into()))?;
    let (outcome, archive) = runs::bug_report::make(cluster, &input, &args.out, &watch::Sender::default()).await?;
    let _ =
        writeln!(std::io::stderr(), "wrote {}: {} files, {} bytes", args.out.display(), archive.files, archive.bytes);
    Ok(outcome)
}

/// What `istioctl analyze` says beside its messages: documents that could not be read, and for people, how it ended.
fn remark(args: &config::Run, findings: &[Finding], format: Format, failing: bool, unparsed: bool) {
    let (unread, printed): (Vec<_>, Vec<_>) = findings.iter().partition(|finding| finding.code == K8S0100.id);
    let mut err = std::io::stderr().lock();
    if unparsed && !unread.is_empty() {
        let _ = writeln!(err, "Error(s) adding files");
        for finding in unread {
            let at = finding.subject.file.as_deref().unwrap_or(&finding.subject.name);
            let (file, line) = match at.rsplit_once(':') {
                Some((file, line)) if line.parse::<usize>().is_ok() => (file, format!("line {line}: ")),
                _ => (at, String::new()),
            };
            let _ = writeln!(err, "\terrors parsing content \"{file}\": {line}{}", finding.message);
        }
    }
    if format == Format::Text {
        let target = target(args, printed.is_empty());
        if let Some(closing) = remarks::closing(&target, printed.is_empty(), failing, unparsed) {
            let _ = writeln!(err, "{closing}");
        }
    }
}

/// The files are named only where nothing was found in them.
fn target(args: &config::Run, nothing_found: bool) -> Target {
    if nothing_found && !args.files.is_empty() {
        return Target::Files(args.files.iter().map(|path| path.display().to_string()).collect());
    }
    let mut namespaces = args.input.iter().filter(|(name, _)| name == "namespace").map(|(_, value)| value);
    match (namespaces.next(), namespaces.next()) {
        (Some(one), None) => Target::Namespace(one.clone()),
        _ => Target::AllNamespaces,
    }
}

/// The inputs of an analysis, with the files that are named: `mesh_config` and `mesh_networks` may be files too.
fn prepare_analysis(args: &config::Run) -> anyhow::Result<Result<Box<dyn Prepared>, Vec<Invalid>>> {
    let mut input: AnalyzeInput = match Inputs::Pairs(args.input.clone()).read() {
        Ok(input) => input,
        Err(invalid) => return Ok(Err(invalid)),
    };
    for text in [&mut input.mesh_config, &mut input.mesh_networks].into_iter().flatten() {
        if Path::new(text.as_str()).is_file() {
            *text = read(Path::new(text.as_str()))?;
        }
    }
    for path in files::listed(&args.files)? {
        let name = path.display().to_string();
        // istioctl goes on without such a file, and an analysis of nothing else finds nothing.
        let content = if remarks::is_recognized(&name) {
            read(&path)?
        } else {
            let _ = writeln!(std::io::stderr(), "{}", remarks::skipped_file(&name));
            String::new()
        };
        input.files.push(AnalyzedFile { name, content });
    }
    input.alone = !args.files.is_empty() && !args.cluster.is_given();
    Ok(steps::prepared::<Analyze>(input))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", path.display()))
}

fn usage(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "meshtriage: {text}");
    ExitCode::from(USAGE)
}

fn described(invalid: &[Invalid]) -> String {
    let lines: Vec<_> = invalid
        .iter()
        .map(|invalid| format!("input {}: {}", invalid.pointer.trim_start_matches('/'), invalid.message))
        .collect();
    lines.join("; ")
}

/// `meshtriage capture`: records the cluster, and says what it could not.
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
    let written = capture::write(cluster.client(), &args.out, &options).await?;
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
