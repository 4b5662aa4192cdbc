//! Carries out one run of the queue: holds it while it is under way, keeps what comes of its steps, and records its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{
    Answered, Carried, Error, Place, bug_report, checks, is_dry_run,
    plan::{Kind, Plan, Ready, RunsAs},
    queue::{LEASE, RENEW_EVERY, place_of, take_next},
    room,
    running::{Running, Stop},
    several::{self, Part},
    stored,
};
use crate::{
    app::App,
    auth::{Access, Trail},
    cluster::{aside, chain},
    history::{Artifact, Check, Claimed, Run, RunHeader},
    redact::redact_text,
    report::{Finding, Format, Skipped, State, Verdict},
    steps::Outcome,
};

/// A run is not begun more often: most likely it is what ends the service.
const ATTEMPTS: u32 = 3;
/// While the history does not take the end of a run.
const RECORD_AGAIN_AFTER: Duration = Duration::from_secs(3);
const RECORD_TRIES: usize = 20;

const NOT_REPEATED: &str = "the service that carried it out has ended in the middle: the change may have been made or not. \
    Look at the cluster before you ask for it again";

/// Who waits for the answer, and in which form.
pub(super) struct Tell {
    pub(super) format: Format,
    pub(super) answer: oneshot::Sender<Result<Answered, Error>>,
}

/// What the work of a run made.
struct Made {
    outcome: Outcome,
    artifacts: Vec<Artifact>,
    access: Vec<Access>,
}

/// Begins to carry out a run in a task of its own.
pub(super) fn spawn(app: &Arc<App>, claimed: Claimed, turn: Option<OwnedSemaphorePermit>, tell: Option<Tell>) {
    let (app, run) = (Arc::clone(app), claimed.run);
    let running = app.background.begin(run);
    tokio::spawn(async move {
        carry_out(&app, claimed, &running, tell).await;
        app.background.end(run);
        drop(turn);
        take_next(&app).await;
    });
}

async fn carry_out(app: &Arc<App>, claimed: Claimed, running: &Running, tell: Option<Tell>) {
    let run = claimed.run;
    let header = match app.history.run(app.cluster.id(), run).await {
        Ok(Some(run)) => run.header,
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(run.id = %run, "run {run} could not be begun: {}", chain(&error));
            return give_back(app, run).await;
        }
    };
    let task = match Task::begin(app, &claimed, header.clone()).await {
        Ok(task) => task,
        Err(why) => return record_failure(app, header, &why).await,
    };
    tracing::info!(run.id = %run, user = %header.requested_by, "began run {run} of {}", header.step);
    let started = serde_json::json!({ "attempt": claimed.attempts }).to_string();
    if let Err(error) = app.history.add_event(run, "started", &started).await {
        tracing::debug!(run.id = %run, "those who watch run {run} were not told: {}", chain(&error));
    }
    app.background.tell();
    let format = tell.as_ref().map_or(Format::Json, |tell| tell.format);
    let ended = task.carry_out(running, format).await;
    task.record(ended, tell).await;
}

async fn give_back(app: &App, run: Uuid) {
    if let Err(error) = app.history.release(run, app.background.holder).await {
        // It is taken over when the lease ends.
        tracing::warn!(run.id = %run, "run {run} was not given back: {}", chain(&error));
    }
}

async fn record_failure(app: &Arc<App>, mut header: RunHeader, why: &str) {
    let why = &*redact_text(why);
    header.state = State::Failed;
    header.verdict = Some(Verdict::Unknown);
    why.clone_into(&mut header.summary);
    header.error = Some(why.to_owned());
    let run = Run { header, answer: None };
    write(app, &run, &[], &[], &[]).await;
}

/// Records the end of a run, as often as it takes.
async fn write(app: &Arc<App>, run: &Run, findings: &[Finding], checks: &[Check], artifacts: &[Artifact]) -> bool {
    let id = run.header.id;
    for tried in 1..=RECORD_TRIES {
        let written = async {
            for artifact in artifacts {
                app.history.add_artifact(id, artifact).await?;
            }
            app.history.record_checked(run, findings, checks).await
        };
        match written.await {
            Ok(recorded) => {
                if recorded.written {
                    tracing::info!(run.id = %id, "run {id} ended: {}", run.header.summary);
                    app.announce(run, recorded.changes);
                }
                return recorded.written;
            }
            Err(error) => {
                tracing::warn!(run.id = %id, tried, "the end of run {id} was not recorded: {}", chain(&error));
                tokio::time::sleep(RECORD_AGAIN_AFTER).await;
            }
        }
    }
    app.metrics.not_recorded();
    false
}

/// Everything that a run needs.
struct Task {
    app: Arc<App>,
    ready: Ready,
    place: Arc<Place>,
    header: RunHeader,
    carried: Carried,
    trail: Trail,
    /// What came of the steps so far.
    parts: Arc<Mutex<Vec<Part>>>,
}

/// How the work ended.
enum Ended {
    Made(Box<Made>),
    /// With the parts that there are.
    Parts,
    Failed(Error),
    Stopped(Stop),
    TimedOut,
}

impl Task {
    async fn begin(app: &Arc<App>, claimed: &Claimed, header: RunHeader) -> Result<Self, String> {
        let plan: Plan = serde_json::from_str(&claimed.plan).map_err(|_| "its plan cannot be read".to_owned())?;
        let ready = plan.ready().map_err(|_| "its inputs are not good for this version".to_owned())?;
        let caller: RunsAs =
            serde_json::from_str(&claimed.caller).map_err(|_| "its caller cannot be read".to_owned())?;
        if claimed.attempts > 1 && ready.is_mutating() {
            return Err(NOT_REPEATED.to_owned());
        }
        if claimed.attempts > ATTEMPTS {
            return Err(format!("given up: the service has ended {ATTEMPTS} times in the middle of it"));
        }
        let place = place_of(app, caller.caller(), ready.plan.capture).await;
        let place = place.map_err(|error| chain(&error))?;
        let carried = Carried::resumed(&header, ready.name(), &place.caller, app.clock);
        let mut parts = Vec::new();
        if ready.work == Kind::Several && claimed.attempts > 1 {
            let stored = app.history.parts(claimed.run).await.map_err(|error| chain(&error))?;
            parts.extend(stored.into_iter().filter_map(|part| Part::of_stored(part, &ready)));
        }
        Ok(Self {
            app: Arc::clone(app),
            ready,
            place: Arc::new(place),
            header,
            carried,
            trail: Trail::default(),
            parts: Arc::new(Mutex::new(parts)),
        })
    }

    async fn carry_out(&self, running: &Running, format: Format) -> Ended {
        // A task of its own: a mistake in it ends the run, and not what records its end.
        let mut work = AbortOnDropHandle::new(tokio::spawn(self.work(running, format)));
        let mut stop = running.stop.subscribe();
        let mut ticks = interval(RENEW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let deadline = Instant::now() + Duration::from_secs(self.ready.plan.timeout_s.into());
        loop {
            tokio::select! {
                made = &mut work => return match made {
                    Ok(Ok(Some(made))) => Ended::Made(Box::new(made)),
                    Ok(Ok(None)) => Ended::Parts,
                    Ok(Err(error)) => Ended::Failed(error),
                    Err(_) => Ended::Failed(Error::Broken),
                },
                reason = async { stop.wait_for(Option::is_some).await.ok().and_then(|reason| *reason) },
                    // What changes the cluster is not left in the middle.
                    if !self.ready.is_mutating() => {
                    // So that it writes nothing any more when its files are removed.
                    work.abort();
                    let _ = work.await;
                    return Ended::Stopped(reason.unwrap_or(Stop::ServiceStops));
                }
                () = tokio::time::sleep_until(deadline), if !self.ready.is_mutating() => {
                    work.abort();
                    let _ = work.await;
                    return Ended::TimedOut;
                }
                _ = ticks.tick() => self.renew(running).await,
            }
        }
    }

    /// A history that cannot be reached does not end the work; it may be back before the work is done.
    async fn renew(&self, running: &Running) {
        let (id, holder) = (self.header.id, self.app.background.holder);
        match self.app.history.renew(id, holder, LEASE, &running.progress()).await {
            Ok(Some(false)) => {}
            Ok(Some(true)) => running.cancel(),
            Ok(None) => running.stop(Stop::Lost),
            Err(error) => tracing::warn!(run.id = %id, "run {id} could not be held: {}", chain(&error)),
        }
    }

    /// The work itself; `None` where what it made are the parts.
    fn work(
        &self,
        running: &Running,
        format: Format,
    ) -> impl Future<Output = Result<Option<Made>, Error>> + Send + 'static {
        let (app, place, parts) = (Arc::clone(&self.app), Arc::clone(&self.place), Arc::clone(&self.parts));
        let (ready, trail, run) = (self.ready.clone(), self.trail.clone(), self.header.id);
        let progress = running.progress.clone();
        async move {
            match (ready.work, ready.steps.as_slice()) {
                (Kind::BugReport, [one]) => {
                    let input = serde_json::from_value(one.prepared.inputs()).map_err(|_| Error::Broken)?;
                    let folder = app.artifacts.make(run).map_err(Error::Folder)?;
                    let path = folder.join(bug_report::ARCHIVE);
                    let cluster = place.cluster(trail.clone());
                    let (outcome, artifact) = bug_report::work(&cluster, &input, &path, &progress).await?;
                    Ok(Some(Made { outcome, artifacts: vec![artifact], access: trail.used() }))
                }
                (Kind::One, [one]) => {
                    let claim = room(&app, &place, one.prepared.about().cost).await;
                    let outcome =
                        several::execute(Arc::clone(&one.prepared), place.cluster(trail.clone()).within(claim), format)
                            .await?;
                    Ok(Some(Made { outcome, artifacts: Vec::new(), access: trail.used() }))
                }
                _ => {
                    let total = ready.steps.len();
                    let done: Vec<usize> = locked(&parts).iter().map(|part| part.place).collect();
                    let mut left = ready.steps.clone();
                    left.retain(|step| !done.contains(&step.place));
                    let count = move |done: usize| (done as u64, total as u64);
                    progress.send_modify(|progress| {
                        "steps".clone_into(&mut progress.section);
                        (progress.parts_done, progress.parts_total) = count(done.len());
                    });
                    let mut coming = std::pin::pin!(several::carry_out(&app, &place, run, left));
                    while let Some(part) = coming.next().await {
                        let failed = part.result.is_err();
                        if let Err(error) = app.history.add_part(run, &part.stored(run)).await {
                            let why = chain(&error);
                            tracing::warn!(run.id = %run, "a step of run {run} was not recorded yet: {why}");
                        }
                        locked(&parts).push(part);
                        progress.send_modify(|progress| {
                            progress.parts_done += 1;
                            progress.failures += u64::from(failed);
                        });
                        app.background.tell();
                    }
                    Ok(None)
                }
            }
        }
    }

    async fn record(&self, ended: Ended, tell: Option<Tell>) {
        let id = self.header.id;
        match ended {
            Ended::Made(made) => {
                let Made { outcome, artifacts, access } = *made;
                let mut answered = aside(|| self.carried.answer(&self.place.cluster_id, self.app.clock, outcome));
                if self.ready.steps.iter().all(|step| is_dry_run(step.prepared.as_ref())) {
                    answered.answer.run.verdict = None;
                }
                let verdict = answered.answer.run.verdict.unwrap_or(Verdict::Unknown);
                self.app.metrics.step(self.carried.step(), verdict);
                let inputs = self.ready.steps.first().map(|step| step.prepared.inputs()).unwrap_or_default();
                let cluster = &self.place.cluster_id;
                let check = checks::of(cluster, id, self.carried.step(), &inputs, &answered, access.clone());
                self.succeeded(answered, access, State::Succeeded, check.into_iter().collect(), &artifacts, tell).await;
            }
            Ended::Parts => self.record_parts(State::Succeeded, "not carried out", tell).await,
            Ended::TimedOut if self.ready.work == Kind::Several => {
                let why = format!("the run took longer than {} s", self.ready.plan.timeout_s);
                self.record_parts(State::Succeeded, &why, tell).await;
            }
            Ended::TimedOut => {
                let limit = Duration::from_secs(self.ready.plan.timeout_s.into());
                self.failed(Error::TimedOut(limit), State::Failed, tell).await;
            }
            Ended::Failed(error) => self.failed(error, State::Failed, tell).await,
            Ended::Stopped(Stop::Cancelled) if self.ready.work == Kind::Several => {
                self.record_parts(State::Canceled, "canceled", tell).await;
            }
            Ended::Stopped(Stop::Cancelled) => self.failed(Error::Canceled, State::Canceled, tell).await,
            Ended::Stopped(Stop::ServiceStops) => {
                self.forget_files();
                give_back(&self.app, id).await;
            }
            Ended::Stopped(Stop::Lost) => {
                tracing::warn!(run.id = %id, "run {id} was taken over by another process");
            }
        }
    }

    /// The end of a run of several steps: what there is, and what is missing.
    async fn record_parts(&self, state: State, why_missing: &str, tell: Option<Tell>) {
        let mut parts = std::mem::take(&mut *locked(&self.parts));
        parts.sort_by_key(|part| part.place);
        let missing = self.ready.steps.iter().filter(|step| !parts.iter().any(|part| part.place == step.place));
        let missing: Vec<_> =
            missing.map(|step| Skipped::new(format!("step {}", step.prepared.about().id), why_missing)).collect();
        let checks =
            parts.iter().filter_map(|part| checks::of_part(&self.place.cluster_id, self.header.id, part)).collect();
        let mut access: Vec<_> = parts.iter().flat_map(|part| part.access.iter().cloned()).collect();
        access.sort();
        access.dedup();
        let outcome = several::together(self.ready.plan.checklist.as_deref(), self.header.id, &parts, missing);
        let mut answered = self.carried.answer(&self.place.cluster_id, self.app.clock, outcome);
        answered.answer.run.state = state;
        self.succeeded(answered, access, state, checks, &[], tell).await;
    }

    async fn succeeded(
        &self,
        answered: Answered,
        access: Vec<Access>,
        state: State,
        checks: Vec<Check>,
        artifacts: &[Artifact],
        tell: Option<Tell>,
    ) {
        let answer = &answered.answer;
        let mut header = self.ended(access);
        header.state = state;
        header.verdict = answer.run.verdict;
        header.completeness = Some(answer.run.completeness);
        header.counts = answer.counts;
        header.summary.clone_from(&answer.summary);
        let run = Run { header, answer: Some(stored(answer)) };
        let recorded = write(&self.app, &run, &answer.findings, &checks, artifacts).await;
        if artifacts.is_empty() || !recorded {
            self.forget_files();
        }
        if let Some(tell) = tell {
            let _ = tell.answer.send(Ok(answered));
        }
    }

    async fn failed(&self, error: Error, state: State, tell: Option<Tell>) {
        let why = redact_text(&chain(&error)).into_owned();
        let mut header = self.ended(self.trail.used());
        header.state = state;
        header.verdict = Some(Verdict::Unknown);
        header.summary.clone_from(&why);
        header.error = Some(why);
        write(&self.app, &Run { header, answer: None }, &[], &[], &[]).await;
        self.forget_files();
        if let Some(tell) = tell {
            let _ = tell.answer.send(Err(error));
        }
    }

    /// The run's row with what its end adds to all of them.
    fn ended(&self, access: Vec<Access>) -> RunHeader {
        let mut header = self.carried.blank(&self.app, &self.place.cluster_id, self.header.inputs.clone(), access);
        header.requested_by.clone_from(&self.header.requested_by);
        header.reason.clone_from(&self.header.reason);
        header.labels.clone_from(&self.header.labels);
        header.started_at = self.header.started_at;
        header.expires_at = self.header.expires_at;
        header
    }

    fn forget_files(&self) {
        let id = self.header.id;
        if self.ready.work == Kind::BugReport
            && let Err(error) = self.app.artifacts.remove(id)
        {
            tracing::warn!(run.id = %id, "the files of run {id} were not removed: {error}");
        }
    }
}

fn locked<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
