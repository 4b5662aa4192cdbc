//! Puts runs into the queue, and takes them out. Whichever process has a place free takes the next one.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    Answered, Carried, Error, Place,
    plan::{Ready, RunsAs},
    worker::{self, Tell},
};
use crate::{
    app::App,
    auth::Caller,
    cluster::chain,
    history::{Claimed, Enqueued, Queued, RequestKey, Run},
    report::{Format, Progress, State, Verdict},
};
use std::collections::BTreeMap;

/// So long a run is held at a time. What a dead process had is taken over within this and one look at the queue.
pub const LEASE: Duration = Duration::from_secs(7);
pub(super) const RENEW_EVERY: Duration = Duration::from_millis(1500);
/// How often a process looks at the queue when nobody tells it to.
pub const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a caller wants to be carried out.
pub struct Asked {
    pub ready: Ready,
    pub labels: BTreeMap<String, String>,
    pub reason: Option<String>,
    pub request: Option<RequestKey>,
}

/// A run that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    pub run: Uuid,
    pub how: Start,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    Added,
    /// By an earlier request that was the same.
    Replayed,
    /// The caller has asked for the same, which is under way.
    Joined,
}

/// Queues a run.
pub async fn enqueue(app: &Arc<App>, place: &Place, wanted: Asked) -> Result<Started, Error> {
    let started = add(app, place, &wanted, false).await?.1;
    if started.how == Start::Added {
        let heard = Arc::clone(app);
        tokio::spawn(async move {
            take_next(&heard).await;
            // Another replica may have a place free; without a word from us it looks a moment later.
            if let Err(error) = heard.history.tell().await {
                tracing::debug!("the other replicas were not told of a run: {}", chain(&error));
            }
        });
    }
    Ok(started)
}

/// Begins a run at once, in a task that goes on when the caller is gone. Its answer comes through the channel; there is
/// none where the same request has begun the run before.
pub async fn begin_now(
    app: &Arc<App>,
    place: &Place,
    wanted: Asked,
    format: Format,
) -> Result<(Started, Option<oneshot::Receiver<Result<Answered, Error>>>), Error> {
    let (enqueued, started) = add(app, place, &wanted, true).await?;
    if started.how != Start::Added {
        return Ok((started, None));
    }
    let claimed = Claimed {
        run: started.run,
        caller: enqueued.caller,
        plan: enqueued.plan,
        attempts: 1,
        progress: Progress::default(),
    };
    let (tell, told) = oneshot::channel();
    worker::spawn(app, claimed, None, Some(Tell { format, answer: tell }));
    Ok((started, Some(told)))
}

async fn add(app: &Arc<App>, place: &Place, wanted: &Asked, at_once: bool) -> Result<(Enqueued, Started), Error> {
    let ready = &wanted.ready;
    if ready.is_mutating() && !app.actions_enabled {
        return Err(Error::ActionsDisabled);
    }
    if app.background.is_stopping() {
        return Err(Error::Stopping);
    }
    let caller = RunsAs::of(&place.asked_by).text();
    let carried = Carried::begin(ready.name(), &place.caller, app.clock);
    let mut header = carried.blank(app, &place.cluster_id, ready.inputs(), Vec::new());
    header.requested_by.clone_from(&place.asked_by.user);
    header.state = if at_once { State::Running } else { State::Queued };
    header.duration_ms = None;
    header.labels.clone_from(&wanted.labels);
    if header.reason.is_none() {
        header.reason.clone_from(&wanted.reason);
    }
    let run = header.id;
    let enqueued = Enqueued {
        run: Run { header, answer: None },
        cluster: app.cluster.id().to_owned(),
        plan: ready.plan.text(),
        // What a request waits for is not put off until something else has ended.
        plan_key: if at_once { None } else { ready.key(&caller) },
        weight: ready.weight(at_once),
        caller,
        request: wanted.request.clone(),
        holder: at_once.then_some((app.background.holder, LEASE)),
    };
    let started = match app.history.enqueue(&enqueued, app.background.bounds).await? {
        Queued::Added => Started { run, how: Start::Added },
        Queued::Replayed(run) => Started { run, how: Start::Replayed },
        Queued::Joined(run) => Started { run, how: Start::Joined },
        Queued::ChangeUnderWay => return Err(Error::ChangeUnderWay),
        Queued::KeyReused => return Err(Error::KeyReused),
        Queued::Full { of_caller } => return Err(Error::Full { of_caller }),
    };
    Ok((enqueued, started))
}

/// Ends a run that is under way or waits, and waits for a while until it has ended. One that another process carries out
/// ends some seconds later.
pub async fn cancel(app: &Arc<App>, run: Uuid, patience: Duration) -> Result<(), Error> {
    if let Some(running) = app.background.find(run) {
        running.cancel();
        let _ = tokio::time::timeout(patience, running.done()).await;
        return Ok(());
    }
    if app.history.ask_to_cancel(app.cluster.id(), run).await? == Some(false) {
        // Nobody has begun it, and whoever takes it now is told to cancel it.
        if let Some(mut run) = app.history.run(app.cluster.id(), run).await? {
            run.header.state = State::Canceled;
            run.header.verdict = Some(Verdict::Unknown);
            "canceled".clone_into(&mut run.header.summary);
            run.header.error = Some("canceled".to_owned());
            app.history.record(&run, &[]).await?;
            app.background.tell();
        }
    }
    Ok(())
}

/// Takes runs out of the queue for as long as there are places free. A boxed future, as each run calls it at its end.
pub(super) fn take_next(app: &Arc<App>) -> futures::future::BoxFuture<'_, ()> {
    Box::pin(async move {
        while !app.background.is_stopping() {
            let Ok(turn) = Arc::clone(&app.background.places).try_acquire_owned() else { return };
            match app.history.claim(app.cluster.id(), app.background.holder, LEASE).await {
                Ok(Some(claimed)) => worker::spawn(app, claimed, Some(turn), None),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!("the queue could not be looked at: {}", chain(&error));
                    return;
                }
            }
        }
    })
}

/// Looks at the queue whenever there may be something in it: when another process says so, and now and then.
pub async fn watch(app: Arc<App>) {
    if !app.history.is_shared() {
        // Whoever held something was an earlier process of this service.
        match app.history.release_all(app.cluster.id()).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "{count} runs of the process before go on"),
            Err(error) => tracing::warn!("runs of the process before were not taken over: {}", chain(&error)),
        }
    }
    let mut heard = None;
    loop {
        take_next(&app).await;
        if heard.is_none() {
            heard = app.history.heard().await.unwrap_or_default();
        }
        match &mut heard {
            Some(wakes) => {
                if let Ok(false) = tokio::time::timeout(LOOK_EVERY, wakes.next()).await {
                    heard = None;
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
            None => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// The place for a caller who is not here any more.
pub(super) async fn place_of(app: &App, caller: Caller, capture: Option<Uuid>) -> Result<Place, Error> {
    let caller = Arc::new(caller);
    match capture {
        None => Ok(Place::own(app, &caller)),
        Some(id) => Ok(Place::capture(app, &caller, id, app.uploads.open(&caller, id).await?)),
    }
}
