//! What is carried out when.

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::Result;
use super::callbacks::{id, time};
use super::connect::{History, on};
use super::rows::storable;

/// Schedules of one cluster.
const MOST: i64 = 200;

/// What is carried out when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub id: Uuid,
    pub cluster: String,
    pub name: String,
    /// As JSON.
    pub wanted: String,
    pub created_by: String,
    pub created_at: Timestamp,
    pub next_at: Timestamp,
    /// The run that it has begun last.
    pub last_run: Option<Uuid>,
}

#[derive(sqlx::FromRow)]
struct Row {
    schedule_id: String,
    cluster: String,
    name: String,
    wanted: String,
    created_by: String,
    created_at: i64,
    next_at: i64,
    last_run: Option<String>,
}

const SELECT: &str =
    "select schedule_id, cluster, name, wanted, created_by, created_at, next_at, last_run from schedule";

impl History {
    /// Adds a schedule. `false` when the cluster has as many as may be.
    pub async fn add_schedule(&self, new: &Schedule) -> Result<bool> {
        const SQL: &str = "insert into schedule (schedule_id, cluster, name, wanted, created_by, created_at, next_at) \
             select $1, $2, $3, $4, $5, $6, $7 \
             from (select count(*) as known from schedule where cluster = $2) as s where s.known < $8";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL)
                .bind(new.id.to_string())
                .bind(storable(&new.cluster))
                .bind(storable(&new.name))
                .bind(storable(&new.wanted))
                .bind(storable(&new.created_by))
                .bind(new.created_at.as_millisecond())
                .bind(new.next_at.as_millisecond())
                .bind(MOST)
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|rows| rows > 0)
    }

    /// The schedules of a cluster, the newest first.
    pub async fn schedules(&self, cluster: &str) -> Result<Vec<Schedule>> {
        let sql = format!("{SELECT} where cluster = $1 order by created_at desc, schedule_id desc");
        let rows: Vec<Row> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql)).bind(storable(cluster)).fetch_all(pool).await)
            })
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// Those whose time has come.
    pub async fn due_schedules(&self, cluster: &str, now: Timestamp) -> Result<Vec<Schedule>> {
        let sql = format!("{SELECT} where cluster = $1 and next_at <= $2 order by next_at limit 50");
        let rows: Vec<Row> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql))
                    .bind(storable(cluster)).bind(now.as_millisecond()).fetch_all(pool).await)
            })
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// Puts a schedule to its next time. `false` when another process has done so: it carries out what was due.
    pub async fn take_schedule(&self, schedule: &Schedule, next_at: Timestamp) -> Result<bool> {
        const SQL: &str = "update schedule set next_at = $3 where schedule_id = $1 and next_at = $2";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL)
                .bind(schedule.id.to_string())
                .bind(schedule.next_at.as_millisecond())
                .bind(next_at.as_millisecond())
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|rows| rows > 0)
    }

    pub async fn note_scheduled(&self, schedule: Uuid, run: Uuid) -> Result<()> {
        const SQL: &str = "update schedule set last_run = $2 where schedule_id = $1";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL).bind(schedule.to_string()).bind(run.to_string())
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|_| ())
    }

    pub async fn delete_schedule(&self, cluster: &str, id: Uuid) -> Result<bool> {
        self.delete_one("delete from schedule where cluster = $1 and schedule_id = $2", cluster, id).await
    }
}

fn read(row: Row) -> Result<Schedule> {
    Ok(Schedule {
        id: id(&row.schedule_id)?,
        created_at: time(&row.schedule_id, row.created_at)?,
        next_at: time(&row.schedule_id, row.next_at)?,
        last_run: row.last_run.as_deref().map(id).transpose()?,
        cluster: row.cluster,
        name: row.name,
        wanted: row.wanted,
        created_by: row.created_by,
    })
}
