//! The one writer of answers. What many callers record at the same time becomes one transaction, so that a busy service
//! waits for the disk once and not once for each of them.

use std::sync::Arc;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::connect::{History, on};
use super::filter::{Statement, bind_all};
use super::record::{Outcome, Record};
use super::rows::word;
use super::{Error, Result};
use crate::report::State;

/// Records of one transaction.
const AT_ONCE: usize = 128;
/// What may wait to be written, in KiB.
const ROOM: usize = 64 << 10;
/// What nobody waits for any more is tried so often while the database is away.
const TRIES: usize = 20;
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Where records wait for the writer.
#[derive(Clone)]
pub(super) struct Queue {
    sender: mpsc::UnboundedSender<Job>,
    room: Arc<Semaphore>,
    /// How long a record may wait for room.
    patience: Duration,
    database: Arc<str>,
}

struct Job {
    record: Arc<Record>,
    done: oneshot::Sender<Result<Outcome>>,
    _room: OwnedSemaphorePermit,
}

impl Queue {
    /// Waits for room, and for the end of writing.
    pub(super) async fn write(&self, record: Record) -> Result<Outcome> {
        let permits = u32::try_from((record.bytes() >> 10).clamp(1, ROOM)).expect("a small number");
        let room = Arc::clone(&self.room).acquire_many_owned(permits);
        let room = tokio::time::timeout(self.patience, room)
            .await
            .map_err(|_| Error::TimedOut { database: Arc::clone(&self.database), limit: self.patience })?;
        let room = room.expect("the room is never closed");
        let (done, written) = oneshot::channel();
        let job = Job { record: Arc::new(record), done, _room: room };
        let gone = || Error::Closed;
        self.sender.send(job).map_err(|_| gone())?;
        written.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Waits until everything is written.
    async fn empty(&self) {
        let all = u32::try_from(ROOM).expect("a small number");
        drop(self.room.acquire_many(all).await);
    }
}

impl History {
    pub(super) fn writer(&self) -> &Queue {
        self.writer.get_or_init(|| {
            let (sender, jobs) = mpsc::unbounded_channel();
            // Without the sender, so that the task ends when nobody can send any more.
            let history = Self { writer: Arc::default(), ..self.clone() };
            tokio::spawn(write_all(history, jobs));
            Queue {
                sender,
                room: Arc::new(Semaphore::new(ROOM)),
                patience: self.time_limit,
                database: Arc::clone(&self.database),
            }
        })
    }

    /// Waits until what was handed over is written, but no longer than a call may take.
    pub(super) async fn flush(&self) {
        if let Some(queue) = self.writer.get() {
            let _ = tokio::time::timeout(self.time_limit, queue.empty()).await;
        }
    }
}

async fn write_all(history: History, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut batch = Vec::with_capacity(AT_ONCE);
    while jobs.recv_many(&mut batch, AT_ONCE).await > 0 {
        let mut left: Vec<Job> = std::mem::take(&mut batch);
        for tried in 1..=TRIES {
            left = history.write_together(left).await;
            // Those who wait have their answer; the others were told that it will be written.
            if left.is_empty() {
                break;
            }
            if tried == TRIES {
                tracing::error!("{} answers could not be recorded", left.len());
            } else {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }
}

impl History {
    /// Writes all in one transaction; when that fails, each in one of its own, so that one bad record does not keep out the
    /// others. Answers those that may be tried again, for which nobody waits.
    async fn write_together(&self, jobs: Vec<Job>) -> Vec<Job> {
        let records: Vec<_> = jobs.iter().map(|job| Arc::clone(&job.record)).collect();
        let written = self.transaction(&records).await;
        self.note_written(written.as_ref().err());
        let outcomes: Vec<Result<Outcome>> = match written {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error) if error.is_temporary() || jobs.len() == 1 => {
                records.iter().map(|_| Err(error.clone())).collect()
            }
            Err(_) => {
                let mut outcomes = Vec::with_capacity(records.len());
                for record in &records {
                    let written = self.transaction(std::slice::from_ref(record)).await;
                    outcomes.push(written.map(|mut written| written.pop().unwrap_or_default()));
                }
                outcomes
            }
        };
        let mut left = Vec::new();
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            match &outcome {
                Err(error) if job.done.is_closed() && error.is_temporary() => left.push(job),
                Err(error) if job.done.is_closed() => {
                    let (run, why) = (job.record.run(), error.to_string());
                    tracing::error!(run.id = %run, "run {run} could not be recorded: {why}");
                }
                // Whoever gave up waiting needs no answer.
                _ => drop(job.done.send(outcome)),
            }
        }
        left
    }

    async fn transaction(&self, records: &[Arc<Record>]) -> Result<Vec<Outcome>> {
        const OWNER: &str = "select cluster from run where run_id = $1";
        const ANSWER: &str = "insert into run_answer (run_id, bytes, answer) values ($1, $2, $3) \
             on conflict (run_id) do update set bytes = excluded.bytes, answer = excluded.answer";
        const FORGET: [&str; 2] =
            ["delete from run_namespace where run_id = $1", "delete from run_finding where run_id = $1"];
        const RELEASE: &str = "delete from run_queue where run_id = $1";
        let begin = self.db.begin_writing();
        let upsert = super::rows::upsert();
        self.limited(async {
            let _turn = self.turn_to_write().await;
            on!(&self.db, pool => {
                let mut transaction = pool.begin_with(begin).await?;
                let mut outcomes = Vec::with_capacity(records.len());
                for record in records {
                    let row = record.row.clone();
                    let id = row.run_id.clone();
                    let query = super::rows::bind_header!(sqlx::query(AssertSqlSafe(upsert.as_str())), row);
                    let written = query
                        .bind(word(&State::Queued))
                        .bind(word(&State::Running))
                        .execute(&mut *transaction)
                        .await?
                        .rows_affected();
                    if written == 0 {
                        let owner: Option<String> =
                            sqlx::query_scalar(OWNER).bind(&id).fetch_optional(&mut *transaction).await?;
                        let finished = owner.as_ref() == Some(&record.row.cluster);
                        outcomes.push(Outcome { written: false, of_other_cluster: !finished, changes: Vec::new() });
                        continue;
                    }
                    for sql in FORGET {
                        sqlx::query(sql).bind(&id).execute(&mut *transaction).await?;
                    }
                    if record.finished {
                        sqlx::query(RELEASE).bind(&id).execute(&mut *transaction).await?;
                    }
                    if let Some(answer) = &record.answer {
                        let bytes = i64::try_from(answer.len()).unwrap_or(i64::MAX);
                        sqlx::query(ANSWER).bind(&id).bind(bytes).bind(answer.as_slice())
                            .execute(&mut *transaction).await?;
                    }
                    for Statement { sql, values } in &record.children {
                        // The last statement of a run is of any length: not worth keeping prepared.
                        let query = sqlx::query(AssertSqlSafe(sql.as_str())).persistent(false);
                        bind_all!(query, values.iter().cloned()).execute(&mut *transaction).await?;
                    }
                    let mut changes = Vec::new();
                    for check in &record.checks {
                        super::lifecycle::follow!(transaction, record, check, changes);
                    }
                    outcomes.push(Outcome { written: true, of_other_cluster: false, changes });
                }
                transaction.commit().await?;
                Ok(outcomes)
            })
        })
        .await
    }
}
