//! The queue of runs. Who carries a run out holds it by a lease, renewed as long as its process lives and measured by the
//! database's clock alone; when the lease ends, another process may take the run over.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::connect::{Db, History, on};
use super::rows::{HeaderRow, INSERT, bind_header, storable, word};
use super::{Error, Result, Run};
use crate::report::{Progress, State};

/// What makes a request the same as another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    pub key: String,
    /// Of what is asked for.
    pub fingerprint: String,
}

/// A run to be queued.
#[derive(Debug, Clone)]
pub struct Enqueued {
    pub run: Run,
    /// The cluster of the service.
    pub cluster: String,
    /// As whom the run reads, as JSON.
    pub caller: String,
    /// As JSON.
    pub plan: String,
    /// Of a run that may be joined by one that is equal.
    pub plan_key: Option<String>,
    pub weight: Weight,
    pub request: Option<RequestKey>,
    /// The process that carries it out at once, and for how long it holds the run. Others wait for their turn.
    pub holder: Option<(Uuid, Duration)>,
}

/// What a run costs the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    Light,
    /// It waits for the one place that a cluster has for such runs.
    Heavy,
    /// It changes the cluster. While one is under way, no other is begun: what it was decided on would not hold any more.
    Change,
}

/// How long the queue may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueBounds {
    pub runs: u32,
    pub runs_per_caller: u32,
}

/// What became of a run that was to be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    Added,
    /// The same request has begun this run before.
    Replayed(Uuid),
    /// The key belongs to another request.
    KeyReused,
    /// The caller has asked for the same, which is under way.
    Joined(Uuid),
    /// Another run is changing the cluster.
    ChangeUnderWay,
    /// As many as may be are waiting: of all callers, or of this one.
    Full {
        of_caller: bool,
    },
}

/// A run that is this process's own for as long as it renews it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub run: Uuid,
    pub caller: String,
    pub plan: String,
    /// How often it was begun, this time included.
    pub attempts: u32,
    pub progress: Progress,
}

#[derive(sqlx::FromRow)]
struct ClaimedRow {
    run_id: String,
    caller: String,
    plan: String,
    attempts: i64,
    progress: String,
}

impl Weight {
    fn number(self) -> i64 {
        match self {
            Self::Light => 0,
            Self::Heavy => 1,
            Self::Change => 3,
        }
    }
}

impl Db {
    /// Now in milliseconds, by the database's clock.
    pub(super) fn now(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "cast(unixepoch('now', 'subsec') * 1000 as integer)",
            Self::Postgres(_) => "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
        }
    }
}

impl History {
    /// Adds a run to the queue, unless the same is there already or there is no room.
    pub async fn enqueue(&self, new: &Enqueued, bounds: QueueBounds) -> Result<Queued> {
        // The same key at two replicas at once: one of them finds it at the second try.
        for _ in 0..3 {
            match self.try_to_enqueue(new, bounds).await {
                Err(error) if new.weight == Weight::Change && error.is_taken() => return Ok(Queued::ChangeUnderWay),
                Ok(None) => {}
                Ok(Some(queued)) => return Ok(queued),
                Err(error) => return Err(error),
            }
        }
        Ok(Queued::Full { of_caller: false })
    }

    async fn try_to_enqueue(&self, new: &Enqueued, bounds: QueueBounds) -> Result<Option<Queued>> {
        const REQUESTED: &str = "select run_id, fingerprint from run_request \
             where cluster = $1 and requested_by = $2 and idempotency_key = $3";
        const NOTE: &str = "insert into run_request (cluster, requested_by, idempotency_key, fingerprint, run_id) \
             values ($1, $2, $3, $4, $5) on conflict do nothing";
        const EQUAL: &str = "select run_id from run_queue where cluster = $1 and plan_key = $2 and cancel = 0 limit 1";
        const WAITING: &str = "select count(*), coalesce(sum(case when requested_by = $2 then 1 else 0 end), 0) \
             from (select requested_by from run_queue where cluster = $1 limit $3) as q";
        const LABEL: &str = "insert into run_label (run_id, name, value) values ($1, $2, $3)";
        const EVENT: &str = "insert into run_event (run_id, seq, kind, data) values ($1, 0, 'queued', '{}')";
        let row = HeaderRow::from(&new.run.header);
        let (id, user, cluster) = (row.run_id.clone(), row.requested_by.clone(), storable(&new.cluster));
        let (holder, lease_ms) = match new.holder {
            Some((holder, lease)) => (Some(holder.to_string()), Some(millis(lease))),
            None => (None, None),
        };
        // Callers take turns: a run comes after the caller's own ones, and not before what is being carried out.
        let add = format!(
            "insert into run_queue (run_id, cluster, requested_by, caller, plan, plan_key, turn, weight, attempts, holder, \
             held_until, cancel, progress) \
             select $1, $2, $3, $4, $5, $6, \
             case when mine.last is null or mine.last + 1 < everyone.first then everyone.first else mine.last + 1 end, \
             $7, $8, $9, {} + $10, 0, '{{}}' \
             from (select coalesce(min(turn), 0) as first from run_queue where cluster = $2) as everyone, \
             (select max(turn) as last from run_queue where cluster = $2 and requested_by = $3) as mine",
            self.db.now()
        );
        let begin = self.db.begin_writing();
        let labels = new.run.header.labels.clone();
        self.limited(async {
            let _turn = self.turn_to_write().await;
            on!(&self.db, pool => {
                let mut transaction = pool.begin_with(begin).await?;
                if let Some(request) = &new.request {
                    let known: Option<(String, String)> = sqlx::query_as(REQUESTED)
                        .bind(&cluster).bind(&user).bind(storable(&request.key))
                        .fetch_optional(&mut *transaction).await?;
                    if let Some((run, fingerprint)) = known {
                        return Ok(Some(match Uuid::parse_str(&run) {
                            Ok(run) if fingerprint == request.fingerprint => Queued::Replayed(run),
                            _ => Queued::KeyReused,
                        }));
                    }
                }
                let mut joined = None;
                if let Some(key) = &new.plan_key {
                    let equal: Option<String> = sqlx::query_scalar(EQUAL)
                        .bind(&cluster).bind(key).fetch_optional(&mut *transaction).await?;
                    joined = equal.and_then(|run| Uuid::parse_str(&run).ok());
                }
                if joined.is_none() {
                    let (all, own): (i64, i64) = sqlx::query_as(WAITING)
                        .bind(&cluster).bind(&user).bind(i64::from(bounds.runs))
                        .fetch_one(&mut *transaction).await?;
                    let full_for_caller = own >= i64::from(bounds.runs_per_caller);
                    if full_for_caller || all >= i64::from(bounds.runs) {
                        return Ok(Some(Queued::Full { of_caller: full_for_caller }));
                    }
                    bind_header!(sqlx::query(INSERT), row).execute(&mut *transaction).await?;
                    for (name, value) in &labels {
                        sqlx::query(LABEL).bind(&id).bind(storable(name)).bind(storable(value))
                            .execute(&mut *transaction).await?;
                    }
                    sqlx::query(AssertSqlSafe(add))
                        .bind(&id).bind(&cluster).bind(&user)
                        .bind(storable(&new.caller)).bind(storable(&new.plan)).bind(&new.plan_key)
                        .bind(new.weight.number()).bind(i64::from(holder.is_some())).bind(holder).bind(lease_ms)
                        .execute(&mut *transaction).await?;
                    sqlx::query(EVENT).bind(&id).execute(&mut *transaction).await?;
                }
                if let Some(request) = &new.request {
                    let run = joined.map_or_else(|| id.clone(), |run| run.to_string());
                    let noted = sqlx::query(NOTE)
                        .bind(&cluster).bind(&user).bind(storable(&request.key)).bind(&request.fingerprint).bind(run)
                        .execute(&mut *transaction).await?.rows_affected();
                    if noted == 0 {
                        transaction.rollback().await?;
                        return Ok(None);
                    }
                }
                transaction.commit().await?;
                Ok(Some(joined.map_or(Queued::Added, Queued::Joined)))
            })
        })
        .await
    }

    /// Takes the next run that nobody carries out, for so long. `None` when there is none.
    pub async fn claim(&self, cluster: &str, holder: Uuid, lease: Duration) -> Result<Option<Claimed>> {
        let skip = match self.db {
            Db::Sqlite(_) => "",
            Db::Postgres(_) => " for update skip locked",
        };
        let claim = format!(
            "update run_queue set holder = $2, held_until = {now} + $3, attempts = attempts + 1, \
             weight = case when weight = 1 then 2 else weight end \
             where run_id = (select run_id from run_queue as q where cluster = $1 \
             and (held_until is null or held_until < {now}) \
             and (weight <> 1 or not exists (select 1 from run_queue as h where h.cluster = $1 and h.weight = 2)) \
             order by turn, run_id limit 1{skip}) \
             returning run_id, caller, plan, attempts, progress",
            now = self.db.now()
        );
        const BEGUN: &str = "update run set state = $2 where run_id = $1 and state = $3";
        let begin = self.db.begin_writing();
        let claimed = self
            .limited(async {
                let _turn = self.turn_to_write().await;
                on!(&self.db, pool => {
                    let mut transaction = pool.begin_with(begin).await?;
                    let row: Option<ClaimedRow> = sqlx::query_as(AssertSqlSafe(claim))
                        .bind(storable(cluster)).bind(holder.to_string()).bind(millis(lease))
                        .fetch_optional(&mut *transaction).await?;
                    let Some(row) = row else { return Ok(None) };
                    sqlx::query(BEGUN).bind(&row.run_id).bind(word(&State::Running)).bind(word(&State::Queued))
                        .execute(&mut *transaction).await?;
                    transaction.commit().await?;
                    Ok(Some(row))
                })
            })
            .await;
        let row = match claimed {
            // Another replica has just taken the cluster's one place for heavy runs.
            Err(error) if error.is_taken() => return Ok(None),
            claimed => claimed?,
        };
        let Some(row) = row else { return Ok(None) };
        let run = Uuid::parse_str(&row.run_id).map_err(|source| Error::damaged(&row.run_id, "run_id", source))?;
        Ok(Some(Claimed {
            run,
            caller: row.caller,
            plan: row.plan,
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            progress: serde_json::from_str(&row.progress).unwrap_or_default(),
        }))
    }

    /// Holds a run for longer and notes how far it has come. Answers whether somebody has asked to cancel it; `None` when
    /// the run is not this holder's any more.
    pub async fn renew(&self, run: Uuid, holder: Uuid, lease: Duration, progress: &Progress) -> Result<Option<bool>> {
        let sql = format!(
            "update run_queue set held_until = {} + $1, progress = $2 where run_id = $3 and holder = $4 returning cancel",
            self.db.now()
        );
        let cancel: Option<i64> = self
            .limited(async {
                let _turn = self.turn_to_write().await;
                on!(&self.db, pool => sqlx::query_scalar(AssertSqlSafe(sql))
                    .bind(millis(lease))
                    .bind(serde_json::to_string(progress).expect("numbers and a text are JSON"))
                    .bind(run.to_string())
                    .bind(holder.to_string())
                    .fetch_optional(pool).await)
            })
            .await?;
        Ok(cancel.map(|cancel| cancel != 0))
    }

    /// Gives a run back, for another process to take over at once. It does not count as an attempt.
    pub async fn release(&self, run: Uuid, holder: Uuid) -> Result<bool> {
        const SQL: &str = "update run_queue set holder = null, held_until = null, attempts = attempts - 1, \
             weight = case when weight = 2 then 1 else weight end where run_id = $1 and holder = $2";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL).bind(run.to_string()).bind(holder.to_string())
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|rows| rows > 0)
    }

    /// Ends the leases of whatever process had this database before. Only where no other may live.
    pub async fn release_all(&self, cluster: &str) -> Result<u64> {
        const SQL: &str = "update run_queue set holder = null, held_until = null, \
             weight = case when weight = 2 then 1 else weight end where cluster = $1 and holder is not null";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL).bind(storable(cluster))
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
    }

    /// Asks whoever carries the run out to cancel it. `None` when the run is not in the queue; `false` when nobody carries
    /// it out yet.
    pub async fn ask_to_cancel(&self, cluster: &str, run: Uuid) -> Result<Option<bool>> {
        let sql = format!(
            "update run_queue set cancel = 1 where cluster = $1 and run_id = $2 \
             returning case when coalesce(held_until, 0) >= {} then 1 else 0 end",
            self.db.now()
        );
        let held: Option<i64> = self
            .limited(async {
                let _turn = self.turn_to_write().await;
                on!(&self.db, pool => sqlx::query_scalar(AssertSqlSafe(sql))
                    .bind(storable(cluster)).bind(run.to_string()).fetch_optional(pool).await.map(|held: Option<i32>| held.map(i64::from)))
            })
            .await?;
        Ok(held.map(|held| held != 0))
    }

    /// How far an unfinished run has come, as it was last noted.
    pub async fn progress(&self, run: Uuid) -> Result<Option<Progress>> {
        const SQL: &str = "select progress from run_queue where run_id = $1";
        let text: Option<String> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_scalar(SQL).bind(run.to_string()).fetch_optional(pool).await)
            })
            .await?;
        Ok(text.map(|text| serde_json::from_str(&text).unwrap_or_default()))
    }

    /// Waits until another process says that there is something in the queue. `None` where no other process shares it.
    pub async fn heard(&self) -> Result<Option<Wakes>> {
        let Db::Postgres(pool) = &self.db else { return Ok(None) };
        self.limited(async {
            let mut listener = sqlx::postgres::PgListener::connect_with(pool).await?;
            listener.listen(CHANNEL).await?;
            Ok(Some(Wakes(listener)))
        })
        .await
    }

    /// Tells the other processes that there is something in the queue.
    pub async fn tell(&self) -> Result<()> {
        let Db::Postgres(pool) = &self.db else { return Ok(()) };
        self.limited(async { sqlx::query("notify meshtriage_queue").execute(pool).await.map(|_| ()) }).await
    }
}

const CHANNEL: &str = "meshtriage_queue";

/// What other processes say.
pub struct Wakes(sqlx::postgres::PgListener);

impl Wakes {
    /// Waits for the next word. `false` when the connection is gone.
    pub async fn next(&mut self) -> bool {
        self.0.recv().await.is_ok()
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
