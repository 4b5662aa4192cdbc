//! What somebody has decided to live with: findings that fit a suppression are still found, and no longer counted.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::connect::{History, on};
use super::rows::storable;
use super::{Error, Result};
use crate::report::Finding;

/// More would be a way to see nothing at all.
pub const MOST_SUPPRESSIONS: usize = 1000;

/// A decision to live with findings. Each field that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Suppression {
    pub id: Uuid,
    #[serde(skip)]
    pub cluster: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Kind of the object, or of the workload where it is a pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub reason: String,
    pub created_by: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

impl Suppression {
    pub fn fits(&self, code: &str, kind: &str, namespace: Option<&str>, name: &str, fingerprint: &str) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|wanted| wanted == value);
        is(&self.code, code)
            && is(&self.kind, kind)
            && self.namespace.as_deref().is_none_or(|wanted| namespace == Some(wanted))
            && is(&self.name, name)
            && is(&self.fingerprint, fingerprint)
    }

    pub fn fits_finding(&self, finding: &Finding) -> bool {
        let subject = &finding.subject;
        let namespace = subject.namespace.as_deref();
        let fits = |kind: &str, name: &str| self.fits(&finding.code, kind, namespace, name, &finding.fingerprint);
        fits(&subject.kind, &subject.name) || subject.owner.as_ref().is_some_and(|owner| fits(&owner.kind, &owner.name))
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    suppression_id: String,
    cluster: String,
    code: Option<String>,
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    fingerprint: Option<String>,
    reason: String,
    created_by: String,
    created_at: i64,
    expires_at: Option<i64>,
}

const SELECT: &str = "select suppression_id, cluster, code, kind, namespace, name, fingerprint, reason, created_by, \
     created_at, expires_at from suppression";

impl History {
    /// Adds a suppression. `false` when there are as many as may be.
    pub async fn add_suppression(&self, new: &Suppression) -> Result<bool> {
        const SQL: &str = "insert into suppression (suppression_id, cluster, code, kind, namespace, name, fingerprint, \
             reason, created_by, created_at, expires_at) \
             select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 \
             from (select count(*) as known from suppression where cluster = $2) as s where s.known < $12";
        let text = |text: &Option<String>| text.as_deref().map(storable);
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL)
                .bind(new.id.to_string())
                .bind(storable(&new.cluster))
                .bind(text(&new.code))
                .bind(text(&new.kind))
                .bind(text(&new.namespace))
                .bind(text(&new.name))
                .bind(text(&new.fingerprint))
                .bind(storable(&new.reason))
                .bind(storable(&new.created_by))
                .bind(new.created_at.as_millisecond())
                .bind(new.expires_at.map(Timestamp::as_millisecond))
                .bind(i64::try_from(MOST_SUPPRESSIONS).expect("a small number"))
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|rows| rows > 0)
    }

    /// Every suppression of a cluster, the newest first.
    pub async fn suppressions(&self, cluster: &str) -> Result<Vec<Suppression>> {
        let sql = sqlx::AssertSqlSafe(format!(
            "{SELECT} where cluster = $1 order by created_at desc, suppression_id desc limit {MOST_SUPPRESSIONS}"
        ));
        let rows: Vec<Row> = self
            .limited(async { on!(&self.db, pool => sqlx::query_as(sql).bind(storable(cluster)).fetch_all(pool).await) })
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// Those that have not expired.
    pub async fn suppressions_in_force(&self, cluster: &str, now: Timestamp) -> Result<Vec<Suppression>> {
        let mut all = self.suppressions(cluster).await?;
        all.retain(|suppression| suppression.expires_at.is_none_or(|at| at > now));
        Ok(all)
    }

    /// `false` when there is none of that id.
    pub async fn delete_suppression(&self, cluster: &str, id: Uuid) -> Result<bool> {
        const SQL: &str = "delete from suppression where cluster = $1 and suppression_id = $2";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL).bind(storable(cluster)).bind(id.to_string())
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|rows| rows > 0)
    }
}

fn read(row: Row) -> Result<Suppression> {
    let id = row.suppression_id;
    let time = |ms| Timestamp::from_millisecond(ms).map_err(|source| Error::damaged(&id, "time", source));
    Ok(Suppression {
        created_at: time(row.created_at)?,
        expires_at: row.expires_at.map(time).transpose()?,
        id: Uuid::parse_str(&id).map_err(|source| Error::damaged(&id, "id", source))?,
        cluster: row.cluster,
        code: row.code,
        kind: row.kind,
        namespace: row.namespace,
        name: row.name,
        fingerprint: row.fingerprint,
        reason: row.reason,
        created_by: row.created_by,
    })
}
