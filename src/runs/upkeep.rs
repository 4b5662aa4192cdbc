//! Keeps the history and the files of runs in order: ends runs whose process is gone, and deletes what is old.

use std::time::Duration;

use crate::{
    app::App,
    cluster::chain,
    history::{self, Retention},
    report::State,
};

const GONE: &str = "the service that carried it out has ended in the middle";
/// The log of what was sent.
const KEEP_MESSAGES: Duration = Duration::from_hours(7 * 24);
/// A run that is just being recorded is in no queue for a moment.
const JUST_BEGUN: Duration = Duration::from_mins(2);

/// Ends the runs that are in no queue and that nobody carries out any more.
pub async fn end_abandoned(app: &App) -> Result<u64, history::Error> {
    let before = app.clock.now().saturating_sub(JUST_BEGUN).expect("minutes are a length of time");
    let ended = app.history.fail_abandoned(app.cluster.id(), before, GONE).await?;
    if ended > 0 {
        tracing::warn!(ended, "ended {ended} runs whose process is gone");
    }
    Ok(ended)
}

/// Deletes old runs, and files that belong to none.
pub async fn clean(app: &App) {
    let now = app.clock.now();
    if let Ok(older_than) = now.checked_sub(app.limits.keep) {
        let retention = Retention { now, older_than, keep_at_most: app.limits.keep_runs };
        match app.history.retain(app.cluster.id(), retention).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "deleted {count} old runs"),
            Err(error) => tracing::warn!("old runs were not deleted: {}", chain(&error)),
        }
        if let Err(error) = app.history.forget_findings(app.cluster.id(), older_than).await {
            tracing::warn!("old findings were not deleted: {}", chain(&error));
        }
    }
    match app.history.retain_bytes(app.cluster.id(), app.limits.keep_bytes).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "deleted {count} runs, to make room"),
        Err(error) => tracing::warn!("no room was made in the history: {}", chain(&error)),
    }
    if let Ok(before) = now.checked_sub(KEEP_MESSAGES)
        && let Err(error) = app.history.forget_deliveries(app.cluster.id(), before).await
    {
        tracing::warn!("old messages were not deleted: {}", chain(&error));
    }
    if let Err(why) = clean_files(app).await {
        tracing::warn!("files of runs were not looked through: {why}");
    }
}

/// Removes files of runs that are not in the history, files that were not finished, and then those of the oldest runs
/// until the rest is small enough.
async fn clean_files(app: &App) -> Result<(), String> {
    let kept = app.artifacts.kept().map_err(|error| error.to_string())?;
    let mut total = 0;
    let mut finished = Vec::new();
    for kept in kept {
        match app.history.state(kept.run).await.map_err(|error| chain(&error))? {
            None => app.artifacts.remove(kept.run).map_err(|error| error.to_string())?,
            Some(State::Queued | State::Running) => total += kept.bytes,
            Some(State::Succeeded) => {
                app.artifacts.remove_unfinished(kept.run).map_err(|error| error.to_string())?;
                total += kept.bytes;
                finished.push(kept);
            }
            Some(State::Failed | State::Canceled) => {
                app.artifacts.remove(kept.run).map_err(|error| error.to_string())?;
            }
        }
    }
    for kept in finished {
        if total <= app.artifacts.limit_bytes {
            break;
        }
        tracing::info!(run.id = %kept.run, "removed the files of run {}, to make room", kept.run);
        app.artifacts.remove(kept.run).map_err(|error| error.to_string())?;
        total -= kept.bytes;
    }
    Ok(())
}
