//! Runs in the background: who holds them, how far they have come, and the files that they leave.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::connect::{History, on};
use super::rows::storable;
use super::{Result, Run, RunHeader};
use crate::report::{Progress, State};

/// A file that a run has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Artifact {
    pub name: String,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
    pub content_type: String,
}

/// What makes a request the same as another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    pub key: String,
    /// Of what is asked for.
    pub fingerprint: String,
}

/// How a run in the background began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    Started,
    /// The same request has begun this run before.
    Replayed(Uuid),
    /// The key belongs to another request.
    KeyReused,
    /// The caller has such a run already.
    Busy(Option<Uuid>),
}

impl History {
    /// Records a run that is about to begin, and takes it until a time.
    pub async fn begin(&self, run: &Run, held_until: Timestamp, key: Option<&RequestKey>) -> Result<Begun> {
        self.record(run, &[]).await?;
        if !self.take_lease(&run.header, held_until).await? {
            self.delete(&run.header.cluster, run.header.id).await?;
            return Ok(Begun::Busy(self.holder(&run.header).await?));
        }
        if let Some(key) = key
            && !self.note_request(&run.header, key).await?
        {
            // The same request at another replica was faster.
            self.delete(&run.header.cluster, run.header.id).await?;
            let known = self.begun_before(&run.header, Some(key)).await?;
            return Ok(known.unwrap_or(Begun::Busy(None)));
        }
        Ok(Begun::Started)
    }

    /// The run that the same request has begun before.
    pub async fn begun_before(&self, run: &RunHeader, key: Option<&RequestKey>) -> Result<Option<Begun>> {
        const SQL: &str = "select run_id, fingerprint from run_request \
             where cluster = $1 and requested_by = $2 and idempotency_key = $3";
        let Some(key) = key else { return Ok(None) };
        let found: Option<(String, String)> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(SQL)
                    .bind(storable(&run.cluster))
                    .bind(storable(&run.requested_by))
                    .bind(storable(&key.key))
                    .fetch_optional(pool).await)
            })
            .await?;
        Ok(found.map(|(id, fingerprint)| match Uuid::parse_str(&id) {
            Ok(id) if fingerprint == key.fingerprint => Begun::Replayed(id),
            _ => Begun::KeyReused,
        }))
    }

    async fn note_request(&self, run: &RunHeader, key: &RequestKey) -> Result<bool> {
        const SQL: &str = "insert into run_request (cluster, requested_by, idempotency_key, fingerprint, run_id) \
             values ($1, $2, $3, $4, $5) on conflict do nothing";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL)
                .bind(storable(&run.cluster))
                .bind(storable(&run.requested_by))
                .bind(storable(&key.key))
                .bind(&key.fingerprint)
                .bind(run.id.to_string())
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|rows| rows > 0)
    }

    async fn take_lease(&self, run: &RunHeader, held_until: Timestamp) -> Result<bool> {
        const SQL: &str = "insert into run_lease (run_id, cluster, step, requested_by, held_until, cancel, progress) \
             values ($1, $2, $3, $4, $5, 0, $6) on conflict do nothing";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL)
                .bind(run.id.to_string())
                .bind(storable(&run.cluster))
                .bind(storable(&run.step))
                .bind(storable(&run.requested_by))
                .bind(held_until.as_millisecond())
                .bind(written(&Progress::default()))
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|rows| rows > 0)
    }

    /// The caller's run of this step that is not finished.
    async fn holder(&self, run: &RunHeader) -> Result<Option<Uuid>> {
        const SQL: &str = "select run_id from run_lease where cluster = $1 and step = $2 and requested_by = $3";
        let id: Option<String> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_scalar(SQL)
                    .bind(storable(&run.cluster))
                    .bind(storable(&run.step))
                    .bind(storable(&run.requested_by))
                    .fetch_optional(pool).await)
            })
            .await?;
        Ok(id.and_then(|id| Uuid::parse_str(&id).ok()))
    }

    /// Holds a run for longer and notes how far it has come. Answers whether somebody has asked to cancel it; `None` when
    /// the run is not ours any more.
    pub async fn renew(&self, run: Uuid, held_until: Timestamp, progress: &Progress) -> Result<Option<bool>> {
        const SQL: &str = "update run_lease set held_until = $1, progress = $2 where run_id = $3 returning cancel";
        let cancel: Option<i64> = self
            .limited(async {
                let _turn = self.turn_to_write().await;
                on!(&self.db, pool => sqlx::query_scalar(SQL)
                    .bind(held_until.as_millisecond())
                    .bind(written(progress))
                    .bind(run.to_string())
                    .fetch_optional(pool).await)
            })
            .await?;
        Ok(cancel.map(|cancel| cancel != 0))
    }

    /// Asks whoever carries the run out to cancel it. `false` when nobody does.
    pub async fn ask_to_cancel(&self, cluster: &str, run: Uuid) -> Result<bool> {
        const SQL: &str = "update run_lease set cancel = 1 where cluster = $1 and run_id = $2";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL).bind(storable(cluster)).bind(run.to_string())
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|rows| rows > 0)
    }

    /// How far an unfinished run has come, as it was last noted.
    pub async fn progress(&self, cluster: &str, run: Uuid) -> Result<Option<Progress>> {
        const SQL: &str = "select progress from run_lease where cluster = $1 and run_id = $2";
        let text: Option<String> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_scalar(SQL).bind(storable(cluster)).bind(run.to_string())
                    .fetch_optional(pool).await)
            })
            .await?;
        Ok(text.map(|text| serde_json::from_str(&text).unwrap_or_default()))
    }

    /// Notes a file that a run has left.
    pub async fn add_artifact(&self, run: Uuid, artifact: &Artifact) -> Result<()> {
        const SQL: &str = "insert into run_artifact (run_id, name, bytes, sha256, content_type) \
             values ($1, $2, $3, $4, $5) on conflict do nothing";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL)
                .bind(run.to_string())
                .bind(storable(&artifact.name))
                .bind(i64::try_from(artifact.bytes).unwrap_or(i64::MAX))
                .bind(&artifact.sha256)
                .bind(&artifact.content_type)
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|_| ())
    }

    /// The files that a run has left, by name.
    pub async fn artifacts(&self, run: Uuid) -> Result<Vec<Artifact>> {
        const SQL: &str =
            "select name, bytes, sha256, content_type from run_artifact where run_id = $1 order by name limit 1000";
        let rows: Vec<(String, i64, String, String)> = self
            .limited(async { on!(&self.db, pool => sqlx::query_as(SQL).bind(run.to_string()).fetch_all(pool).await) })
            .await?;
        let artifact = |(name, bytes, sha256, content_type): (String, i64, String, String)| Artifact {
            name,
            bytes: u64::try_from(bytes).unwrap_or_default(),
            sha256,
            content_type,
        };
        Ok(rows.into_iter().map(artifact).collect())
    }

    /// The state of a run of whatever cluster; `None` when there is no such run.
    pub async fn state(&self, run: Uuid) -> Result<Option<State>> {
        const SQL: &str = "select state from run where run_id = $1";
        let word: Option<String> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_scalar(SQL).bind(run.to_string()).fetch_optional(pool).await)
            })
            .await?;
        Ok(word.map(|word| serde_json::from_value(word.into()).unwrap_or(State::Failed)))
    }
}

fn written(progress: &Progress) -> String {
    serde_json::to_string(progress).expect("numbers and a text are JSON")
}
