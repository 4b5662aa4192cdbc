//! Runs: carries out a step for a caller, under a deadline, and records what it found.

mod answer;
mod background;
pub mod bug_report;
mod place;
mod render;
mod secrets;
mod upkeep;
mod written;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

pub use answer::{Answer, RunLinks, RunSummary};
pub use background::{Background, LEASE, Made, Running, Started, Work, start};
pub use place::Place;
pub use render::{Wanted, render, render_text};
pub use upkeep::{clean, end_abandoned};
pub use written::TooLong;

use self::secrets::without_secrets;
use crate::{
    app::App,
    auth::{Caller, Trail},
    capture,
    clock::Clock,
    cluster::{
        self, aside,
        budget::{NoRoom, Weight},
    },
    history::{self, Run, RunHeader, capture_of},
    redact,
    report::{Completeness, Counts, Data, Format, Skipped, State, Verdict, fingerprint},
    steps::{Cost, Invalid, Outcome, Prepared},
};

/// A larger answer is kept without its data: findings and counts are what the history is read for.
const MAX_STORED_BYTES: usize = 4 * 1024 * 1024;

/// Why a step gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    #[error("steps that change the cluster are switched off")]
    ActionsDisabled,
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// Inputs that only the time shows to be wrong.
    #[error("{}", .0.first().map_or("an input is wrong", |invalid| invalid.message.as_str()))]
    Invalid(Box<[Invalid]>),
    /// The caller has one already.
    #[error("you have such a run already")]
    Busy(Option<Uuid>),
    #[error("as many such runs as may be are under way")]
    Full,
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// Without its record, a run in the background could not be found again.
    #[error(transparent)]
    History(#[from] history::Error),
    #[error(transparent)]
    Capture(#[from] capture::Error),
    #[error("the step took longer than {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// An answer, and what the command itself would print.
#[derive(Debug)]
pub struct Answered {
    pub answer: Answer<Data>,
    pub printed: Option<String>,
}

/// Carries out a step in its place and records the run.
pub async fn execute(app: &App, place: &Place, prepared: &dyn Prepared, format: Format) -> Result<Answered, Error> {
    let about = prepared.about();
    if about.mutating && !app.actions_enabled {
        return Err(Error::ActionsDisabled);
    }
    let claim = app.budget.claim(&place.caller.user, weight(about.cost)).await?;
    place.keep(claim.clone());
    let started = Carried::begin(about.id, &place.caller, app.clock);
    let trail = Trail::default();
    let cluster = place.cluster(trail.clone()).within(claim);
    let timeout = app.limits.step_timeout;
    let result = match tokio::time::timeout(timeout, prepared.execute(&cluster, format)).await {
        Ok(result) => result.map_err(Error::from),
        Err(_) => Err(Error::TimedOut(timeout)),
    };
    match result {
        Ok(outcome) => Ok(succeeded(app, place, &started, prepared, &trail, outcome).await),
        Err(error) => {
            let record = started.failed(app, place, prepared, &trail, &cluster::chain(&error));
            if let Err(problem) = app.history.record(&record, &[]).await {
                app.metrics.not_recorded();
                let id = started.id;
                tracing::warn!(run.id = %id, "run {id} was not recorded: {}", cluster::chain(&problem));
            }
            Err(error)
        }
    }
}

/// What a step takes of the places that all have.
fn weight(cost: Cost) -> Weight {
    Weight(match cost {
        Cost::Low => 1,
        Cost::Medium => 2,
        Cost::High => 8,
    })
}

/// A step that is being carried out for somebody.
pub struct Carried {
    id: Uuid,
    step: &'static str,
    started_at: Timestamp,
    caller: Arc<Caller>,
}

async fn succeeded(
    app: &App,
    place: &Place,
    started: &Carried,
    prepared: &dyn Prepared,
    trail: &Trail,
    outcome: Outcome,
) -> Answered {
    let (mut answered, record) = aside(|| {
        let mut answered = started.answer(&place.cluster_id, app.clock, outcome);
        if is_dry_run(prepared) {
            answered.answer.run.verdict = None;
        }
        let record = started.record(app, place, prepared, trail, &answered.answer);
        (answered, record)
    });
    if let Err(problem) = app.history.record(&record, &answered.answer.findings).await {
        app.metrics.not_recorded();
        let why = cluster::chain(&problem);
        tracing::warn!(run.id = %started.id, "run {} was not recorded: {why}", started.id);
        answered.answer.run.recorded = false;
        answered.answer.run.not_recorded_because = Some(why);
    }
    app.metrics.step(started.step, answered.answer.run.verdict.unwrap_or(Verdict::Unknown));
    answered
}

/// What would be done was said, and the mesh was not looked at.
pub fn is_dry_run(prepared: &dyn Prepared) -> bool {
    prepared.inputs().get("dry_run").and_then(Value::as_bool) == Some(true)
}

/// `2 errors, 1 warning; 3 istiod pods in 2 revisions; 1 part was not seen`.
fn summed_up(looked_at: &str, counts: Counts, skipped: usize) -> String {
    let mut found = Vec::new();
    for (count, noun) in [(counts.error, "error"), (counts.warning, "warning"), (counts.info, "note")] {
        if count > 0 {
            found.push(crate::steps::counted(usize::try_from(count).unwrap_or(usize::MAX), noun));
        }
    }
    let mut parts = vec![if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") }];
    if !looked_at.is_empty() {
        parts.push(looked_at.to_owned());
    }
    match skipped {
        0 => {}
        1 => parts.push("1 part could not be seen".to_owned()),
        more => parts.push(format!("{more} parts could not be seen")),
    }
    parts.join("; ")
}

/// What could not be read, each once, with all that is silent without it.
fn each_once(skipped: Vec<Skipped>) -> Vec<Skipped> {
    let mut once: Vec<Skipped> = Vec::with_capacity(skipped.len());
    for part in skipped {
        match once.iter_mut().find(|known| known.what == part.what && known.why == part.why) {
            Some(known) => {
                let more: Vec<_> = part.silences.into_iter().filter(|one| !known.silences.contains(one)).collect();
                known.silences.extend(more);
            }
            None => once.push(part),
        }
    }
    once
}

impl Carried {
    pub fn begin(step: &'static str, caller: &Arc<Caller>, clock: Clock) -> Self {
        Self { id: Uuid::now_v7(), step, started_at: clock.now(), caller: Arc::clone(caller) }
    }

    /// Puts an outcome into the envelope: sorted, fingerprinted, and with secrets taken out.
    pub fn answer(&self, cluster_id: &str, clock: Clock, outcome: Outcome) -> Answered {
        let outcome = without_secrets(outcome);
        let Outcome { data, mut findings, skipped, commands, summary, printed } = outcome;
        let skipped = each_once(skipped);
        for finding in &mut findings {
            finding.fingerprint = fingerprint(cluster_id, finding);
        }
        findings.sort_by(|a, b| {
            b.severity.cmp(&a.severity).then_with(|| a.code.cmp(&b.code)).then_with(|| a.subject.cmp(&b.subject))
        });
        let counts = Counts::of(&findings);
        let completeness = Completeness::of(&skipped);
        let run = RunSummary {
            id: self.id,
            step: self.step.to_owned(),
            state: State::Succeeded,
            verdict: Some(Verdict::of(counts, completeness)),
            completeness,
            started_at: self.started_at,
            duration_ms: self.elapsed_ms(clock),
            requested_by: self.caller.user.clone(),
            capture: capture_of(cluster_id),
            recorded: true,
            not_recorded_because: None,
            links: RunLinks { itself: format!("/v1/runs/{}", self.id) },
        };
        let summary = summed_up(&summary, counts, skipped.len());
        Answered { answer: Answer { run, summary, counts, findings, not_shown: 0, skipped, commands, data }, printed }
    }

    fn elapsed_ms(&self, clock: Clock) -> i64 {
        (clock.now().as_millisecond() - self.started_at.as_millisecond()).max(0)
    }

    fn record(&self, app: &App, place: &Place, prepared: &dyn Prepared, trail: &Trail, answer: &Answer<Data>) -> Run {
        let mut header = self.blank(app, place, prepared, trail);
        header.state = State::Succeeded;
        header.verdict = answer.run.verdict;
        header.completeness = Some(answer.run.completeness);
        header.counts = answer.counts;
        header.summary.clone_from(&answer.summary);
        Run { header, answer: Some(stored(answer)) }
    }

    fn failed(&self, app: &App, place: &Place, prepared: &dyn Prepared, trail: &Trail, why: &str) -> Run {
        let mut header = self.blank(app, place, prepared, trail);
        header.state = State::Failed;
        header.verdict = Some(Verdict::Unknown);
        let why = redact::redact_text(why).into_owned();
        header.summary.clone_from(&why);
        header.error = Some(why);
        Run { header, answer: None }
    }

    fn blank(&self, app: &App, place: &Place, prepared: &dyn Prepared, trail: &Trail) -> RunHeader {
        let access = trail.used();
        let mut namespaces: Vec<_> = access.iter().filter_map(|access| access.namespace.clone()).collect();
        namespaces.sort();
        namespaces.dedup();
        let mut inputs = prepared.inputs();
        redact::redact_value(&mut inputs);
        RunHeader {
            id: self.id,
            cluster: place.cluster_id.clone(),
            step: self.step.to_owned(),
            state: State::Running,
            verdict: None,
            completeness: None,
            requested_by: self.caller.user.clone(),
            reason: inputs.get("reason").and_then(Value::as_str).map(str::to_owned),
            inputs,
            access,
            started_at: self.started_at,
            duration_ms: Some(self.elapsed_ms(app.clock)),
            counts: Counts::default(),
            summary: String::new(),
            error: None,
            namespaces,
            expires_at: self.started_at.saturating_add(app.limits.keep).ok(),
        }
    }
}

/// The answer as it is kept.
fn stored(answer: &Answer<Data>) -> String {
    let text = |answer: &Answer<Data>| serde_json::to_string(answer).expect("an answer is JSON");
    if answer.data.text().len() <= MAX_STORED_BYTES {
        let all = text(answer);
        if all.len() <= MAX_STORED_BYTES {
            return all;
        }
    }
    let omitted = json!({ "omitted": format!("larger than {MAX_STORED_BYTES} bytes") });
    let Answer { run, summary, counts, findings, not_shown, skipped, commands, data: _ } = answer;
    text(&Answer {
        run: run.clone(),
        summary: summary.clone(),
        counts: *counts,
        findings: findings.clone(),
        not_shown: *not_shown,
        skipped: skipped.clone(),
        commands: commands.clone(),
        data: Data::of(&omitted),
    })
}
