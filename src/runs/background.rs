//! Runs that take longer than a request: they are carried out in the background, can be watched and cancelled, and leave
//! files. While one is under way it is held by a lease in the history, which this process renews; when the process dies,
//! the lease ends and the run with it.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{Carried, Error, Place};
use crate::{
    app::App,
    auth::{Caller, Trail},
    cluster::{Cluster, chain},
    history::{Artifact, Begun, RequestKey, Run},
    report::{Progress, State, Verdict},
    steps::{Outcome, Prepared},
};

/// So long a run is held at a time.
pub const LEASE: Duration = Duration::from_secs(30);
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// While the history does not take the end of a run.
const RECORD_AGAIN_AFTER: Duration = Duration::from_secs(3);
const RECORD_TRIES: usize = 20;

/// The runs that this process carries out.
pub struct Background {
    places: Arc<Semaphore>,
    running: Mutex<BTreeMap<Uuid, Arc<Running>>>,
}

/// A run that is being carried out.
pub struct Running {
    progress: watch::Sender<Progress>,
    stop: watch::Sender<Option<Stop>>,
    done: watch::Sender<bool>,
}

/// Why a run ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Cancelled,
    ServiceStops,
    /// Another process has ended it, because this one seemed dead.
    Lost,
}

/// What the work of a run gets.
pub struct Work {
    pub run: Uuid,
    /// The cluster as the caller may see it.
    pub cluster: Cluster,
    /// Where files may be left: under names that begin with a dot until they are complete.
    pub folder: PathBuf,
    pub progress: watch::Sender<Progress>,
}

/// What the work of a run made.
pub struct Made {
    pub outcome: Outcome,
    pub artifacts: Vec<Artifact>,
}

/// A run that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    pub run: Uuid,
    /// By an earlier request that was the same.
    pub replayed: bool,
}

impl Background {
    /// At most so many runs at a time.
    pub fn new(most: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), running: Mutex::default() }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Uuid, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn find(&self, run: Uuid) -> Option<Arc<Running>> {
        self.running().get(&run).cloned()
    }

    /// Ends all runs, and waits for a while until that is recorded.
    pub async fn stop(&self, patience: Duration) {
        let running: Vec<_> = self.running().values().cloned().collect();
        for run in &running {
            run.stop(Stop::ServiceStops);
        }
        let all = futures::future::join_all(running.iter().map(|run| run.done()));
        let _ = tokio::time::timeout(patience, all).await;
    }
}

impl Running {
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    pub fn cancel(&self) {
        self.stop(Stop::Cancelled);
    }

    /// The first reason stays.
    fn stop(&self, stop: Stop) {
        self.stop.send_if_modified(|reason| reason.is_none() && reason.replace(stop).is_none());
    }

    /// Waits until the run's end is recorded.
    pub async fn done(&self) {
        // The sender lives in the same structure.
        let _ = self.done.subscribe().wait_for(|done| *done).await;
    }
}

/// Begins a run for a caller. What was begun by the same request before is answered, and not begun again.
pub async fn start<F>(
    app: &Arc<App>,
    caller: &Arc<Caller>,
    prepared: Box<dyn Prepared>,
    key: Option<&RequestKey>,
    work: impl FnOnce(Work) -> F + Send + 'static,
) -> Result<Started, Error>
where
    F: Future<Output = Result<Made, Error>> + Send + 'static,
{
    let carried = Carried::begin(prepared.about().id, caller, app.clock);
    let trail = Trail::default();
    let place = Place::own(app, caller);
    let mut header = carried.blank(app, &place, prepared.as_ref(), &trail);
    header.duration_ms = None;
    let id = header.id;
    let began = if let Some(begun) = app.history.begun_before(&header, key).await? {
        (begun, None)
    } else {
        let turn = Arc::clone(&app.background.places).try_acquire_owned().map_err(|_| Error::Full)?;
        let run = Run { header, answer: None };
        (app.history.begin(&run, held_until(app), key).await?, Some(turn))
    };
    match began {
        (Begun::Started, Some(turn)) => {
            let run = Task { app: Arc::clone(app), place, carried, prepared, trail };
            run.spawn(turn, work);
            Ok(Started { run: id, replayed: false })
        }
        (Begun::Replayed(run), _) => Ok(Started { run, replayed: true }),
        (Begun::KeyReused, _) => Err(Error::KeyReused),
        (Begun::Busy(run), _) => Err(Error::Busy(run)),
        (Begun::Started, None) => unreachable!("a run that was begun before has not just started"),
    }
}

fn held_until(app: &App) -> Timestamp {
    app.clock.now().saturating_add(LEASE).expect("a lease is a length of time")
}

/// Everything that a run in the background needs.
struct Task {
    app: Arc<App>,
    place: Place,
    carried: Carried,
    prepared: Box<dyn Prepared>,
    trail: Trail,
}

/// How the work ended.
enum Ended {
    Made(Box<Made>),
    Failed(String),
    Stopped(Stop),
}

impl Task {
    fn spawn<F>(self, turn: OwnedSemaphorePermit, work: impl FnOnce(Work) -> F + Send + 'static)
    where
        F: Future<Output = Result<Made, Error>> + Send + 'static,
    {
        let id = self.carried.id;
        let running = Arc::new(Running {
            progress: watch::Sender::default(),
            stop: watch::Sender::default(),
            done: watch::Sender::default(),
        });
        self.app.background.running().insert(id, Arc::clone(&running));
        tracing::info!(run.id = %id, step = self.carried.step, "began run {id} of {}", self.carried.step);
        tokio::spawn(async move {
            let ended = self.carry_out(&running, work).await;
            self.record(ended).await;
            self.app.background.running().remove(&id);
            running.done.send_replace(true);
            drop(turn);
        });
    }

    async fn carry_out<F>(&self, running: &Running, work: impl FnOnce(Work) -> F) -> Ended
    where
        F: Future<Output = Result<Made, Error>> + Send + 'static,
    {
        let (app, id) = (&self.app, self.carried.id);
        let folder = match app.artifacts.make(id) {
            Ok(folder) => folder,
            Err(error) => return Ended::Failed(format!("there is no folder for its files: {error}")),
        };
        let cluster = self.place.cluster(self.trail.clone());
        let work = work(Work { run: id, cluster, folder, progress: running.progress.clone() });
        // A task of its own: a mistake in it ends the run, and not what records its end.
        let mut work = AbortOnDropHandle::new(tokio::spawn(work));
        let mut stop = running.stop.subscribe();
        let mut ticks = interval(RENEW_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                made = &mut work => return match made {
                    Ok(Ok(made)) => Ended::Made(Box::new(made)),
                    Ok(Err(error)) => Ended::Failed(chain(&error)),
                    Err(_) => Ended::Failed("a mistake of the service; its log has the details".to_owned()),
                },
                reason = async { stop.wait_for(Option::is_some).await.ok().and_then(|reason| *reason) } => {
                    let reason = reason.unwrap_or(Stop::ServiceStops);
                    // So that it writes nothing any more when its files are removed.
                    work.abort();
                    let _ = work.await;
                    return Ended::Stopped(reason);
                }
                _ = ticks.tick() => self.renew(running).await,
            }
        }
    }

    /// A history that cannot be reached does not end the work; it may be back before the work is done.
    async fn renew(&self, running: &Running) {
        let id = self.carried.id;
        match self.app.history.renew(id, held_until(&self.app), &running.progress()).await {
            Ok(Some(false)) => {}
            Ok(Some(true)) => running.cancel(),
            Ok(None) => running.stop(Stop::Lost),
            Err(error) => tracing::warn!(run.id = %id, "run {id} could not be held: {}", chain(&error)),
        }
    }

    async fn record(&self, ended: Ended) {
        let (app, id) = (&self.app, self.carried.id);
        let (run, findings, artifacts) = match ended {
            Ended::Made(made) => {
                let Made { outcome, artifacts } = *made;
                let answered = self.carried.answer(&self.place.cluster_id, app.clock, outcome);
                let verdict = answered.answer.run.verdict.unwrap_or(Verdict::Unknown);
                app.metrics.step(self.carried.step, verdict);
                let run = self.carried.record(app, &self.place, self.prepared.as_ref(), &self.trail, &answered.answer);
                (run, answered.answer.findings, artifacts)
            }
            Ended::Failed(why) => (self.unfinished(State::Failed, &why), Vec::new(), Vec::new()),
            Ended::Stopped(Stop::Cancelled) => (self.unfinished(State::Canceled, "canceled"), Vec::new(), Vec::new()),
            Ended::Stopped(Stop::ServiceStops) => {
                (self.unfinished(State::Failed, "the service was stopped"), Vec::new(), Vec::new())
            }
            Ended::Stopped(Stop::Lost) => {
                tracing::warn!(run.id = %id, "run {id} was ended by another process");
                return self.forget_files();
            }
        };
        for tried in 1..=RECORD_TRIES {
            match self.try_to_record(&run, &findings, &artifacts).await {
                Ok(true) => {
                    tracing::info!(run.id = %id, "run {id} ended: {}", run.header.summary);
                    if artifacts.is_empty() {
                        self.forget_files();
                    }
                    return;
                }
                Ok(false) => break,
                Err(error) => {
                    let why = chain(&error);
                    tracing::warn!(run.id = %id, tried, "the end of run {id} was not recorded: {why}");
                    tokio::time::sleep(RECORD_AGAIN_AFTER).await;
                }
            }
        }
        app.metrics.not_recorded();
        self.forget_files();
    }

    async fn try_to_record(
        &self,
        run: &Run,
        findings: &[crate::report::Finding],
        artifacts: &[Artifact],
    ) -> crate::history::Result<bool> {
        for artifact in artifacts {
            self.app.history.add_artifact(run.header.id, artifact).await?;
        }
        self.app.history.record(run, findings).await
    }

    fn unfinished(&self, state: State, why: &str) -> Run {
        let mut run = self.carried.failed(&self.app, &self.place, self.prepared.as_ref(), &self.trail, why);
        run.header.state = state;
        run
    }

    fn forget_files(&self) {
        let id = self.carried.id;
        if let Err(error) = self.app.artifacts.remove(id) {
            tracing::warn!(run.id = %id, "the files of run {id} were not removed: {error}");
        }
    }
}
