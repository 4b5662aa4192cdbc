//! Lists and reads findings over time.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::AssertSqlSafe;
use utoipa::ToSchema;
use uuid::Uuid;

use super::connect::{History, on};
use super::cursor::Place;
use super::filter::{Statement, Value, bind_all};
use super::lifecycle::FindingState;
use super::rows::{of_word, storable, word};
use super::{Access, Error, Result};
use crate::report::Severity;

/// How many findings a page may hold.
const MOST_FINDINGS: u32 = 1000;
/// How many values a filter may hold in all.
const MOST_VALUES: usize = 1000;

/// A finding over time.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct KnownFinding {
    pub fingerprint: String,
    pub code: String,
    pub severity: Severity,
    pub state: FindingState,
    /// Kind of the object; of the workload, where it is about a pod.
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
    /// As it was seen first.
    pub message: String,
    #[schema(value_type = String, format = DateTime)]
    pub first_seen: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub last_seen: Timestamp,
    /// When it became new, reopened or resolved.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    pub first_run: Uuid,
    pub last_run: Uuid,
    /// The run that looked for it again and did not find it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_run: Option<Uuid>,
    #[serde(skip)]
    pub access: Vec<Access>,
}

/// A change of a finding's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FindingChange {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub state: FindingState,
    pub run: Uuid,
}

/// Which findings to list. An empty list restricts nothing; of the values in one list, any will do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FindingFilter {
    pub code: Vec<String>,
    pub severity: Vec<Severity>,
    pub state: Vec<FindingState>,
    pub namespace: Vec<String>,
    pub kind: Vec<String>,
    pub name: Vec<String>,
    /// Whose state has changed then or later.
    pub since: Option<Timestamp>,
}

#[derive(sqlx::FromRow)]
struct Row {
    fingerprint: String,
    code: String,
    severity: String,
    state: String,
    kind: String,
    namespace: Option<String>,
    name: String,
    message: String,
    first_seen: i64,
    last_seen: i64,
    changed_at: i64,
    first_run: String,
    last_run: String,
    resolved_run: Option<String>,
    access: String,
}

const SELECT: &str = "select fingerprint, code, severity, state, kind, namespace, name, message, first_seen, last_seen, \
     changed_at, first_run, last_run, resolved_run, access from finding";

impl History {
    /// The findings of a cluster that pass the filter, those first whose state has changed last.
    pub async fn findings(
        &self,
        cluster: &str,
        filter: &FindingFilter,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<Vec<KnownFinding>> {
        let values = filter.code.len() + filter.severity.len() + filter.state.len();
        if values + filter.namespace.len() + filter.kind.len() + filter.name.len() > MOST_VALUES {
            return Err(Error::FilterTooLarge { most: MOST_VALUES });
        }
        let mut statement = Statement::new(SELECT);
        statement.push(" where cluster = ").bind_text(cluster);
        statement.any_of(" and code in (", filter.code.iter().cloned(), ")");
        statement.any_of(" and severity in (", filter.severity.iter().map(word), ")");
        statement.any_of(" and state in (", filter.state.iter().map(word), ")");
        statement.any_of(" and namespace in (", filter.namespace.iter().cloned(), ")");
        statement.any_of(" and kind in (", filter.kind.iter().cloned(), ")");
        statement.any_of(" and name in (", filter.name.iter().cloned(), ")");
        if let Some(since) = filter.since {
            statement.push(" and changed_at >= ").bind(Value::Number(since.as_millisecond()));
        }
        if let Some(after) = after {
            statement.push(" and (changed_at, fingerprint) < (").bind(Value::Number(after.at));
            statement.push(", ").bind_text(&after.id).push(")");
        }
        statement.push(" order by changed_at desc, fingerprint desc limit ");
        statement.bind(Value::Number(limit.min(MOST_FINDINGS).into()));
        let Statement { sql, values } = statement;
        let rows: Vec<Row> = self
            .limited(async {
                on!(&self.db, pool => bind_all!(sqlx::query_as(AssertSqlSafe(sql)), values).fetch_all(pool).await)
            })
            .await?;
        rows.into_iter().map(read).collect()
    }

    /// Forgets the findings of a cluster that nobody has seen since this time.
    pub async fn forget_findings(&self, cluster: &str, before: Timestamp) -> Result<u64> {
        const SQL: &str = "delete from finding where cluster = $1 and last_seen < $2 and changed_at < $2";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL).bind(storable(cluster)).bind(before.as_millisecond())
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
    }

    /// One finding of a cluster.
    pub async fn finding(&self, cluster: &str, fingerprint: &str) -> Result<Option<KnownFinding>> {
        let sql = AssertSqlSafe(format!("{SELECT} where cluster = $1 and fingerprint = $2"));
        let row: Option<Row> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(sql).bind(storable(cluster)).bind(storable(fingerprint))
                    .fetch_optional(pool).await)
            })
            .await?;
        row.map(read).transpose()
    }

    /// What has become of a finding, the oldest first: its last five hundred changes.
    pub async fn finding_changes(&self, cluster: &str, fingerprint: &str) -> Result<Vec<FindingChange>> {
        const SQL: &str = "select at, state, run_id from finding_event where cluster = $1 and fingerprint = $2 \
             order by at desc, run_id desc limit 500";
        let rows: Vec<(i64, String, String)> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(SQL).bind(storable(cluster)).bind(storable(fingerprint))
                    .fetch_all(pool).await)
            })
            .await?;
        let read = |(at, state, run): (i64, String, String)| {
            Ok(FindingChange {
                at: Timestamp::from_millisecond(at).map_err(|source| Error::damaged(&run, "at", source))?,
                state: of_word(&state).map_err(|source| Error::damaged(&run, "state", source))?,
                run: Uuid::parse_str(&run).map_err(|source| Error::damaged(&run, "run_id", source))?,
            })
        };
        let mut changes: Vec<FindingChange> = rows.into_iter().map(read).collect::<Result<_>>()?;
        changes.reverse();
        Ok(changes)
    }
}

fn read(row: Row) -> Result<KnownFinding> {
    let id = row.fingerprint.clone();
    let time = |ms| Timestamp::from_millisecond(ms).map_err(|source| Error::damaged(&id, "time", source));
    let run = |run: &str| Uuid::parse_str(run).map_err(|source| Error::damaged(&id, "run", source));
    Ok(KnownFinding {
        severity: of_word(&row.severity).map_err(|source| Error::damaged(&id, "severity", source))?,
        state: of_word(&row.state).map_err(|source| Error::damaged(&id, "state", source))?,
        first_seen: time(row.first_seen)?,
        last_seen: time(row.last_seen)?,
        changed_at: time(row.changed_at)?,
        first_run: run(&row.first_run)?,
        last_run: run(&row.last_run)?,
        resolved_run: row.resolved_run.as_deref().map(run).transpose()?,
        access: serde_json::from_str(&row.access).map_err(|source| Error::damaged(&id, "access", source))?,
        fingerprint: row.fingerprint,
        code: row.code,
        kind: row.kind,
        namespace: row.namespace,
        name: row.name,
        message: row.message,
    })
}
