//! What becomes of old runs, and of those whose process is gone.

use jiff::Timestamp;

use super::Result;
use super::captured::of_service;
use super::connect::{Db, History, on};
use super::rows::{storable, word};
use crate::report::State;

/// How many runs one statement deletes, so that each stays within the time limit and lets others write in between.
const RUNS_AT_ONCE: i64 = 200;

/// Which runs to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// A run whose own `expires_at` has come goes, however young.
    pub now: Timestamp,
    /// A run that started earlier goes.
    pub older_than: Timestamp,
    /// Of the rest, the newest stay. A run that is queued or running is counted, but never goes for this reason.
    pub keep_at_most: u64,
}

impl History {
    /// Deletes the runs of a cluster, and of captures that were uploaded to its service, that need not be kept, and says
    /// how many. What was deleted stays so when it fails half-way. Several replicas may do it at once.
    pub async fn retain(&self, cluster: &str, retention: Retention) -> Result<u64> {
        let aged = match self.db {
            Db::Sqlite(_) => {
                concat!(
                    "delete from run where run_id in (select run_id from run where ",
                    of_service!(),
                    " and (started_at < $2 or expires_at <= $3) limit $4)"
                )
            }
            Db::Postgres(_) => {
                concat!(
                    "delete from run where run_id in (select run_id from run where ",
                    of_service!(),
                    " and (started_at < $2 or expires_at <= $3) limit $4 for update skip locked)"
                )
            }
        };
        let cluster = storable(cluster);
        let mut deleted = 0;
        loop {
            let batch = self
                .changing(async {
                    on!(&self.db, pool => sqlx::query(aged)
                        .bind(&cluster)
                        .bind(retention.older_than.as_millisecond())
                        .bind(retention.now.as_millisecond())
                        .bind(RUNS_AT_ONCE)
                        .execute(pool).await.map(|done| done.rows_affected()))
                })
                .await?;
            deleted += batch;
            if batch == 0 {
                break;
            }
        }
        let beyond = self.first_beyond(&cluster, retention.keep_at_most).await?;
        Ok(deleted + self.delete_from(&cluster, beyond).await?)
    }

    /// Deletes the oldest runs of a cluster until the answers of the rest have no more than so many bytes together, as they
    /// are kept, and gives some of what was freed back to the disk. Says how many runs went.
    pub async fn retain_bytes(&self, cluster: &str, most_bytes: u64) -> Result<u64> {
        const SQL: &str = concat!(
            "select started_at, run_id from (select run.started_at, run.run_id, \
             sum(a.bytes) over (order by run.started_at desc, run.run_id desc) as together \
             from run join run_answer as a on a.run_id = run.run_id where ",
            of_service!(),
            ") as r where together > $2 order by started_at desc, run_id desc limit 1"
        );
        let cluster = storable(cluster);
        let most = i64::try_from(most_bytes).unwrap_or(i64::MAX);
        let beyond = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(SQL).bind(&cluster).bind(most).fetch_optional(pool).await)
            })
            .await?;
        let deleted = self.delete_from(&cluster, beyond).await?;
        if let Db::Sqlite(pool) = &self.db {
            const GIVE_BACK: &str = "pragma incremental_vacuum(1000)";
            self.changing(async { sqlx::query(GIVE_BACK).execute(pool).await.map(|done| done.rows_affected()) })
                .await?;
        }
        Ok(deleted)
    }

    /// Deletes the finished runs from this one on, the newest first.
    async fn delete_from(&self, cluster: &str, beyond: Option<(i64, String)>) -> Result<u64> {
        let Some((started_at, run)) = beyond else { return Ok(0) };
        let surplus = match self.db {
            Db::Sqlite(_) => {
                concat!(
                    "delete from run where run_id in (select run_id from run where ",
                    of_service!(),
                    " and (started_at, run_id) <= ($2, $3) and state not in ($4, $5) limit $6)"
                )
            }
            Db::Postgres(_) => {
                concat!(
                    "delete from run where run_id in (select run_id from run where ",
                    of_service!(),
                    " and (started_at, run_id) <= ($2, $3) and state not in ($4, $5) limit $6 for update skip locked)"
                )
            }
        };
        let mut deleted = 0;
        loop {
            let batch = self
                .changing(async {
                    on!(&self.db, pool => sqlx::query(surplus)
                        .bind(cluster)
                        .bind(started_at)
                        .bind(&run)
                        .bind(word(&State::Queued))
                        .bind(word(&State::Running))
                        .bind(RUNS_AT_ONCE)
                        .execute(pool).await.map(|done| done.rows_affected()))
                })
                .await?;
            deleted += batch;
            if batch == 0 {
                return Ok(deleted);
            }
        }
    }

    /// Ends as failed, for the given reason, the unfinished runs of a cluster that are in no queue and began before this
    /// time. Says how many there were.
    pub async fn fail_abandoned(&self, cluster: &str, before: Timestamp, reason: &str) -> Result<u64> {
        const SQL: &str = "update run set state = $1, error = $2 where cluster = $3 and state in ($4, $5) and \
             started_at < $6 and not exists (select 1 from run_queue as q where q.run_id = run.run_id)";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL)
                .bind(word(&State::Failed))
                .bind(storable(reason))
                .bind(storable(cluster))
                .bind(word(&State::Queued))
                .bind(word(&State::Running))
                .bind(before.as_millisecond())
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
    }

    /// The newest run that is one too many.
    async fn first_beyond(&self, cluster: &str, keep: u64) -> Result<Option<(i64, String)>> {
        const SQL: &str = concat!(
            "select started_at, run_id from run where ",
            of_service!(),
            " order by started_at desc, run_id desc limit 1 offset $2"
        );
        let keep = i64::try_from(keep).unwrap_or(i64::MAX);
        self.limited(async {
            on!(&self.db, pool => sqlx::query_as(SQL).bind(cluster).bind(keep).fetch_optional(pool).await)
        })
        .await
    }

    pub(super) async fn changing(&self, work: impl Future<Output = sqlx::Result<u64>>) -> Result<u64> {
        self.limited(async {
            let _turn = self.turn_to_write().await;
            work.await
        })
        .await
    }
}
