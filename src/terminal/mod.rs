//! The steps without a server: for terminals, CI and benchmarks.

mod analysis;
mod capture;
mod catalogue;
mod files;
mod output;
mod progress;

use std::{io::Write as _, process::ExitCode, sync::Arc};

use anyhow::bail;
use serde_json::Value;

pub use capture::capture;
pub use catalogue::steps;
pub use output::{completions, manual, print};

use crate::{
    auth::{Authority, Caller, Trail},
    cluster::{self, Cluster, chain, nearest},
    config,
    report::{Counts, Format, Severity, View},
    runs::{self, Answered, Carried, Wanted},
    start,
    steps::{
        self as step_table, Analyze, BugReport, BugReportInput, Inputs, Invalid, MeshImpact, Outcome, Prepared,
        Step as _,
    },
};

/// Exit code for a wrong call (`EX_USAGE`), as istioctl's.
pub const USAGE: u8 = 64;
/// Exit code for findings, as istioctl's.
const FOUND: u8 = 79;

/// `meshtriage run`.
pub async fn run(args: &config::Run) -> anyhow::Result<ExitCode> {
    let Some(step) = step_table::find(&args.step) else { return Ok(usage(&catalogue::unknown(&args.step))) };
    let Some(format) = Format::named(&args.format) else {
        let names = Format::ALL.map(Format::name);
        let near = nearest(&args.format, names);
        let hint = if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(" or ")) };
        return Ok(usage(&format!("--format {:?} must be one of {}{hint}", args.format, names.join(", "))));
    };
    let about = step.about();
    let (view, pairs) = match view(&args.input) {
        Ok(parts) => parts,
        Err(text) => return Ok(usage(&text)),
    };
    if about.mutating && !args.enable_actions {
        bail!("{} changes the cluster: give --enable-actions", about.id);
    }
    let analyze = about.id == Analyze::ABOUT.id;
    let over_cluster = args.cluster.is_given();
    let impact = about.id == MeshImpact::ABOUT.id;
    if !analyze && !impact && over_cluster && !args.files.is_empty() {
        return Ok(usage("only istioctl.analyze and mesh.impact look at --files on top of a cluster"));
    }
    let prepared = if analyze {
        analysis::prepare(args, pairs)?
    } else if impact {
        analysis::prepare_impact(args, pairs)?
    } else {
        step.prepare(Inputs::Pairs(pairs))
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(invalid) => return Ok(usage(&described(about.id, &invalid))),
    };
    let shown = progress::start(about.title);
    let cluster = match args.files.as_slice() {
        [] => start::open_cluster(&args.cluster).await?,
        // The rules read files themselves, with their lines.
        _ if impact || analyze && over_cluster => start::open_cluster(&args.cluster).await?,
        _ if analyze => cluster::nothing(),
        files => files::open(files, &args.cluster).await?,
    };
    let caller = Arc::new(Caller::anonymous());
    let authority = Authority::new(cluster.own_client().clone());
    let guarded = cluster.through(authority.client_for(Arc::clone(&caller), Trail::default()));
    let clock = crate::clock::Clock::System;
    let started = Carried::begin(about.id, &caller, clock);
    let carried_out = if about.id == BugReport::ABOUT.id && !runs::is_dry_run(prepared.as_ref()) {
        report(&guarded, args, &shown).await
    } else {
        prepared.execute(&guarded, format).await.map_err(runs::Error::from)
    };
    drop(shown);
    let outcome = match carried_out {
        Ok(outcome) => outcome,
        Err(runs::Error::Cluster(error)) if is_wrong_call(&error) => return Ok(usage(&chain(&error))),
        Err(error) => bail!("{}", chain(&error)),
    };
    let mut answered = started.answer(cluster.id(), clock, outcome);
    answered.answer.run.recorded = false;
    if runs::is_dry_run(prepared.as_ref()) {
        answered.answer.run.verdict = None;
    }
    answered.answer.run.not_recorded_because = Some("`meshtriage run` keeps no history".to_owned());
    let fail_on = fail_on(args, format, prepared.as_ref());
    let wanted = Wanted { format, view, fail_on: fail_on.unwrap_or(Severity::Error) };
    output::write(&match format {
        Format::Text => runs::render_text(&answered, about.title, &wanted, output::style(&args.colour)),
        _ => runs::render(&answered, about.title, None, wanted)?,
    })?;
    let found = fail_on.is_some_and(|least| is_found(answered.answer.counts, least));
    Ok(ExitCode::from(if analyze { analyzed(args, &answered, format, found) } else { u8::from(found) * FOUND }))
}

/// The parts of the inputs that say how much of the answer is shown, and the step's own.
fn view(input: &[(String, String)]) -> Result<(View, Vec<(String, String)>), String> {
    let mut view = View::default();
    let mut own = Vec::new();
    for (name, value) in input {
        match view.take(name, value) {
            Some(Ok(())) => {}
            Some(Err(message)) => return Err(format!("input {name}: {message}")),
            None => own.push((name.clone(), value.clone())),
        }
    }
    Ok((view, own))
}

/// Whether the caller named something that does not exist, which they can put right.
fn is_wrong_call(error: &cluster::Error) -> bool {
    use cluster::Error;
    matches!(error, Error::NoSuch { .. } | Error::NotFound { .. } | Error::Input { .. } | Error::InvalidName { .. })
}

/// The severity that ends with an exit code of its own: as it was asked for; else that of the analysis, and for a JUnit
/// report, whose tests fail with it.
fn fail_on(args: &config::Run, format: Format, prepared: &dyn Prepared) -> Option<Severity> {
    if let Some(fail_on) = args.fail_on {
        return fail_on.severity();
    }
    if prepared.about().id == Analyze::ABOUT.id {
        let inputs = prepared.inputs();
        let named = inputs.get("failure_threshold").and_then(Value::as_str);
        return Some(named.and_then(crate::report::view::severity).unwrap_or(Severity::Error));
    }
    // A pipeline stops where a change would break something.
    let stops = format == Format::Junit || prepared.about().id == MeshImpact::ABOUT.id;
    stops.then_some(Severity::Error)
}

fn is_found(counts: Counts, least: Severity) -> bool {
    counts.error > 0
        || (least <= Severity::Warning && counts.warning > 0)
        || (least == Severity::Info && counts.info > 0)
}

/// istioctl's remarks and exit code.
fn analyzed(args: &config::Run, answered: &Answered, format: Format, found: bool) -> u8 {
    let data = answered.answer.data.value();
    let flag = |name: &str| data.get(name).and_then(Value::as_bool).unwrap_or(false);
    let failing = if args.fail_on.is_some() { found } else { flag("failing") };
    let unparsed = flag("unparsed");
    analysis::remark(args, &answered.answer.findings, format, failing, unparsed);
    Analyze::exit_code(failing, unparsed)
}

/// Makes a bug report. Its inputs were found good before.
async fn report(cluster: &Cluster, args: &config::Run, shown: &progress::Shown) -> Result<Outcome, runs::Error> {
    let input: BugReportInput =
        Inputs::Pairs(args.input.clone()).read().map_err(|wrong| runs::Error::Invalid(wrong.into()))?;
    let (outcome, archive) = runs::bug_report::make(cluster, &input, &args.out, &shown.follow()).await?;
    let _ =
        writeln!(std::io::stderr(), "wrote {}: {} files, {} bytes", args.out.display(), archive.files, archive.bytes);
    Ok(outcome)
}

fn usage(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "meshtriage: {text}");
    ExitCode::from(USAGE)
}

/// One line for inputs that are wrong, with the names that may have been meant.
fn described(step: &str, invalid: &[Invalid]) -> String {
    let known = step_table::find(step).map(|step| step.input_schema());
    let names = known.iter().filter_map(|schema| schema["properties"].as_object()).flat_map(|all| all.keys());
    let names: Vec<&str> = names.map(String::as_str).collect();
    let lines: Vec<_> = invalid
        .iter()
        .map(|invalid| {
            let field = invalid.pointer.trim_start_matches('/');
            if invalid.code != "unknown_field" {
                return format!("input {field}: {}", invalid.message);
            }
            let near = nearest(field, names.iter().copied());
            let hint = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
            format!("{step} has no input {field:?}{hint} `meshtriage steps {step}` lists them")
        })
        .collect();
    lines.join("; ")
}
