//! What there is of a run before it has ended: what came of its steps, and what happened to it.

use uuid::Uuid;

use super::connect::{History, on};
use super::packed::{pack, unpack};
use super::rows::{json, storable};
use super::{Access, Error, Result};

/// What came of one step of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredPart {
    pub place: u32,
    pub step: String,
    /// How the step went, as the run's answer says it: JSON.
    pub about: String,
    pub access: Vec<Access>,
    /// The step's whole answer as JSON, where it gave one.
    pub answer: Option<String>,
}

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEvent {
    /// Counts from 0.
    pub seq: u64,
    /// `queued`, `started`, `step`, `ended` …
    pub kind: String,
    /// JSON.
    pub data: String,
}

type PartRow = (i64, String, String, String, Option<Vec<u8>>);

impl History {
    /// Notes what came of a step, and says so to those who watch.
    pub async fn add_part(&self, run: Uuid, part: &StoredPart) -> Result<()> {
        const SQL: &str = "insert into run_part (run_id, place, step, about, access, answer) \
             values ($1, $2, $3, $4, $5, $6) on conflict (run_id, place) do update set about = excluded.about, \
             access = excluded.access, answer = excluded.answer";
        let packed = part.answer.as_deref().map(pack);
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL)
                .bind(run.to_string())
                .bind(i64::from(part.place))
                .bind(storable(&part.step))
                .bind(storable(&part.about))
                .bind(json(&part.access))
                .bind(packed)
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await?;
        self.add_event(run, "step", &part.about).await
    }

    /// Notes that something happened to a run.
    pub async fn add_event(&self, run: Uuid, kind: &str, data: &str) -> Result<()> {
        const SQL: &str = "insert into run_event (run_id, seq, kind, data) \
             select $1, coalesce(max(seq), -1) + 1, $2, $3 from run_event where run_id = $1 on conflict do nothing";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL)
                .bind(run.to_string()).bind(kind).bind(storable(data))
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|_| ())
    }

    /// What happened to a run from `from` on, at most a thousand events.
    pub async fn events(&self, run: Uuid, from: u64) -> Result<Vec<RunEvent>> {
        const SQL: &str =
            "select seq, kind, data from run_event where run_id = $1 and seq >= $2 order by seq limit 1000";
        let rows: Vec<(i64, String, String)> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(SQL)
                    .bind(run.to_string()).bind(i64::try_from(from).unwrap_or(i64::MAX))
                    .fetch_all(pool).await)
            })
            .await?;
        let event = |(seq, kind, data)| RunEvent { seq: u64::try_from(seq).unwrap_or_default(), kind, data };
        Ok(rows.into_iter().map(event).collect())
    }

    /// What came of the steps so far, without their answers, in the plan's order.
    pub async fn parts_in_short(&self, run: Uuid) -> Result<Vec<StoredPart>> {
        const SQL: &str = "select place, step, about, access from run_part where run_id = $1 order by place limit 1000";
        let rows: Vec<(i64, String, String, String)> = self
            .limited(async { on!(&self.db, pool => sqlx::query_as(SQL).bind(run.to_string()).fetch_all(pool).await) })
            .await?;
        rows.into_iter().map(|(place, step, about, access)| read(run, (place, step, about, access, None))).collect()
    }

    /// The same with their answers.
    pub async fn parts(&self, run: Uuid) -> Result<Vec<StoredPart>> {
        const SQL: &str =
            "select place, step, about, access, answer from run_part where run_id = $1 order by place limit 1000";
        let rows: Vec<PartRow> = self
            .limited(async { on!(&self.db, pool => sqlx::query_as(SQL).bind(run.to_string()).fetch_all(pool).await) })
            .await?;
        rows.into_iter().map(|row| read(run, row)).collect()
    }

    /// What came of one step.
    pub async fn part(&self, run: Uuid, place: u32) -> Result<Option<StoredPart>> {
        const SQL: &str = "select place, step, about, access, answer from run_part where run_id = $1 and place = $2";
        let row: Option<PartRow> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(SQL).bind(run.to_string()).bind(i64::from(place))
                    .fetch_optional(pool).await)
            })
            .await?;
        row.map(|row| read(run, row)).transpose()
    }
}

fn read(run: Uuid, (place, step, about, access, answer): PartRow) -> Result<StoredPart> {
    let id = run.to_string();
    let answer = answer.map(|packed| unpack(&packed)).transpose();
    Ok(StoredPart {
        place: u32::try_from(place).unwrap_or(u32::MAX),
        step,
        about,
        access: serde_json::from_str(&access).map_err(|source| Error::damaged(&id, "access", source))?,
        answer: answer.map_err(|source| Error::damaged(&id, "answer", source))?,
    })
}
