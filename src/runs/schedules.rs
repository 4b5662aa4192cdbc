//! Runs at set times: cron expressions with a time zone. A time that was missed, because nobody was there, is made up for
//! once, however often it has come.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Asked, Error, Place, enqueue,
    plan::{Plan, RunsAs},
};
use crate::{
    app::App,
    cluster::chain,
    history::{Schedule, capture_of},
    report::State,
};

const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What to do when the run before has not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Leave this time out.
    #[default]
    Skip,
    /// Carry it out after the other.
    Queue,
}

/// When to carry out something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Five fields as in crontab: minute, hour, day of the month, month, day of the week.
    #[schema(max_length = 100)]
    pub cron: String,
    /// Such as `Europe/Berlin`.
    #[serde(default = "utc")]
    #[schema(max_length = 64, default = "UTC")]
    pub time_zone: String,
    /// Up to so many seconds later, the same for all times of one schedule, so that not everything begins at once.
    #[serde(default)]
    #[schema(maximum = 3600)]
    pub jitter_s: u32,
    #[serde(default)]
    pub overlap: Overlap,
}

/// What a schedule is to do, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scheduled {
    pub timing: Timing,
    pub plan: Plan,
    pub labels: BTreeMap<String, String>,
    pub runs_as: RunsAs,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Timing {
    /// The next time after this one. What is wrong with the expression is said in words.
    pub fn next(&self, after: Timestamp, seed: u8) -> Result<Timestamp, String> {
        if self.cron.split_whitespace().count() != 5 {
            return Err("must have five fields, as in crontab: minute, hour, day, month, day of the week".to_owned());
        }
        let crontab = cronexpr::parse_crontab(&format!("{} {}", self.cron, self.time_zone))
            .map_err(|error| format!("is no cron expression: {error}").replace('\n', " "))?;
        // What was put off by the jitter belongs to a time that has come already.
        let jitter = SignedDuration::from_secs(i64::from(self.jitter_s) * i64::from(seed) / 256);
        let after = after.checked_sub(jitter).map_err(|error| error.to_string())?;
        let next = crontab.find_next(after).map_err(|error| format!("never comes: {error}"))?;
        next.timestamp().checked_add(jitter).map_err(|error| error.to_string())
    }
}

/// Begins what is due, now and then.
pub async fn keep_schedules(app: Arc<App>) {
    loop {
        if let Err(error) = begin_due(&app).await {
            tracing::warn!("schedules could not be looked at: {}", chain(&error));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Begins what is due at this moment, each schedule once.
pub async fn begin_due(app: &Arc<App>) -> Result<usize, crate::history::Error> {
    let now = app.clock.now();
    let mut begun = 0;
    for schedule in app.history.due_schedules(app.cluster.id(), now).await? {
        let Ok(scheduled) = serde_json::from_str::<Scheduled>(&schedule.wanted) else {
            tracing::error!("schedule {:?} cannot be read by this version", schedule.name);
            continue;
        };
        // From now on, and not from the time that was missed.
        let next = match scheduled.timing.next(now, schedule.id.as_bytes()[15]) {
            Ok(next) => next,
            Err(why) => {
                tracing::error!("schedule {:?} {why}", schedule.name);
                continue;
            }
        };
        if !app.history.take_schedule(&schedule, next).await? {
            continue;
        }
        if scheduled.timing.overlap == Overlap::Skip && is_under_way(app, &schedule).await? {
            tracing::info!("schedule {:?} leaves this time out: its run before has not ended", schedule.name);
            continue;
        }
        match begin(app, &schedule, scheduled).await {
            Ok(()) => begun += 1,
            Err(error) => tracing::warn!("schedule {:?} could not begin its run: {}", schedule.name, chain(&error)),
        }
    }
    Ok(begun)
}

async fn is_under_way(app: &App, schedule: &Schedule) -> Result<bool, crate::history::Error> {
    let Some(run) = schedule.last_run else { return Ok(false) };
    Ok(matches!(app.history.state(run).await?, Some(State::Queued | State::Running)))
}

async fn begin(app: &Arc<App>, schedule: &Schedule, scheduled: Scheduled) -> Result<(), Error> {
    let Scheduled { plan, mut labels, runs_as, .. } = scheduled;
    let ready = plan.ready().map_err(|invalid| Error::Invalid(invalid.into()))?;
    debug_assert!(capture_of(&schedule.cluster).is_none());
    labels.insert("schedule".to_owned(), schedule.name.clone());
    let place = Place::own(app, &Arc::new(runs_as.caller()));
    let reason = Some(format!("schedule {}", schedule.name));
    let started = enqueue(app, &place, Asked { ready, labels, reason, request: None }).await?;
    app.history.note_scheduled(schedule.id, started.run).await?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn timing(cron: &str, time_zone: &str) -> Timing {
        Timing { cron: cron.to_owned(), time_zone: time_zone.to_owned(), jitter_s: 0, overlap: Overlap::Skip }
    }

    #[test]
    fn times_are_those_of_the_time_zone() {
        for (cron, zone, after, next) in [
            ("0 6 * * *", "UTC", "2026-12-01T05:00:00Z", "2026-12-01T06:00:00Z"),
            ("0 6 * * *", "UTC", "2026-12-01T06:00:00Z", "2026-12-02T06:00:00Z"),
            ("0 6 * * *", "Europe/Berlin", "2026-12-01T04:00:00Z", "2026-12-01T05:00:00Z"),
            ("*/15 * * * *", "Asia/Kolkata", "2026-12-01T00:01:00Z", "2026-12-01T00:15:00Z"),
            ("30 8 * * 1-5", "America/New_York", "2026-12-04T14:00:00Z", "2026-12-07T13:30:00Z"),
        ] {
            let found = timing(cron, zone).next(after.parse().unwrap(), 0).unwrap();
            assert_eq!(found, next.parse::<Timestamp>().unwrap(), "{cron} {zone} after {after}");
        }
    }

    #[test]
    fn wrong_expressions_are_said_to_be_so() {
        let now = "2026-12-01T00:00:00Z".parse().unwrap();
        for (cron, zone) in
            [("", "UTC"), ("* * * *", "UTC"), ("61 * * * *", "UTC"), ("* * * * *", "Atlantis"), ("0 0 31 2 *", "UTC")]
        {
            assert!(timing(cron, zone).next(now, 0).is_err(), "{cron:?} {zone}");
        }
    }

    #[test]
    fn jitter_puts_each_time_off_by_the_same() {
        let late = Timing { jitter_s: 256, ..timing("0 6 * * *", "UTC") };
        let next = late.next("2026-12-01T05:00:00Z".parse().unwrap(), 100).unwrap();
        assert_eq!(next, "2026-12-01T06:01:40Z".parse::<Timestamp>().unwrap());
        assert_eq!(late.next(next, 100).unwrap(), "2026-12-02T06:01:40Z".parse::<Timestamp>().unwrap());
    }
}
