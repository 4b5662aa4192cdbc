//! A run as its row in the table, and back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::packed::unpack;
use super::{Error, Result, Run, RunHeader};
use crate::report::Counts;

#[derive(Clone, sqlx::FromRow)]
pub(super) struct HeaderRow {
    pub(super) run_id: String,
    pub(super) cluster: String,
    pub(super) step: String,
    pub(super) state: String,
    pub(super) verdict: Option<String>,
    pub(super) completeness: Option<String>,
    pub(super) requested_by: String,
    pub(super) reason: Option<String>,
    pub(super) inputs: String,
    pub(super) access: String,
    pub(super) started_at: i64,
    pub(super) duration_ms: Option<i64>,
    pub(super) errors: i64,
    pub(super) warnings: i64,
    pub(super) infos: i64,
    pub(super) summary: String,
    pub(super) error: Option<String>,
    pub(super) namespaces: String,
    pub(super) expires_at: Option<i64>,
    pub(super) labels: Option<String>,
}

#[derive(sqlx::FromRow)]
pub(super) struct RunRow {
    #[sqlx(flatten)]
    pub(super) header: HeaderRow,
    /// As it was kept before answers were packed.
    pub(super) answer: Option<String>,
    pub(super) packed: Option<Vec<u8>>,
}

/// Without its answer, which has a table of its own.
pub(super) const INSERT: &str = "insert into run (run_id, cluster, step, state, verdict, completeness, requested_by, \
     reason, inputs, access, started_at, duration_ms, errors, warnings, infos, summary, error, namespaces, expires_at, \
     labels) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)";

/// A new run, or the next state of one whose state is `$21` or `$22`.
pub(super) fn upsert() -> String {
    let mut sql = format!("{INSERT} on conflict (run_id) do update set ");
    for column in [
        "step",
        "state",
        "verdict",
        "completeness",
        "requested_by",
        "reason",
        "inputs",
        "access",
        "started_at",
        "duration_ms",
        "errors",
        "warnings",
        "infos",
        "summary",
        "error",
        "namespaces",
        "expires_at",
    ] {
        sql.push_str(column);
        sql.push_str(" = excluded.");
        sql.push_str(column);
        sql.push_str(", ");
    }
    sql.push_str("labels = excluded.labels where run.cluster = excluded.cluster and run.state in ($21, $22)");
    sql
}

/// Binds a row to the places of `INSERT`, for a query whose type differs between the databases.
macro_rules! bind_header {
    ($query:expr, $row:expr) => {{
        let row = $row;
        $query
            .bind(row.run_id)
            .bind(row.cluster)
            .bind(row.step)
            .bind(row.state)
            .bind(row.verdict)
            .bind(row.completeness)
            .bind(row.requested_by)
            .bind(row.reason)
            .bind(row.inputs)
            .bind(row.access)
            .bind(row.started_at)
            .bind(row.duration_ms)
            .bind(row.errors)
            .bind(row.warnings)
            .bind(row.infos)
            .bind(row.summary)
            .bind(row.error)
            .bind(row.namespaces)
            .bind(row.expires_at)
            .bind(row.labels)
    }};
}
pub(super) use bind_header;

impl From<&RunHeader> for HeaderRow {
    fn from(run: &RunHeader) -> Self {
        Self {
            run_id: run.id.to_string(),
            cluster: storable(&run.cluster),
            step: storable(&run.step),
            state: word(&run.state),
            verdict: run.verdict.as_ref().map(word),
            completeness: run.completeness.as_ref().map(word),
            requested_by: storable(&run.requested_by),
            reason: run.reason.as_deref().map(storable),
            inputs: run.inputs.to_string(),
            access: json(&run.access),
            started_at: run.started_at.as_millisecond(),
            duration_ms: run.duration_ms,
            errors: count(run.counts.error),
            warnings: count(run.counts.warning),
            infos: count(run.counts.info),
            summary: storable(&run.summary),
            error: run.error.as_deref().map(storable),
            namespaces: json(&run.namespaces),
            expires_at: run.expires_at.map(Timestamp::as_millisecond),
            labels: (!run.labels.is_empty()).then(|| storable(&json(&run.labels))),
        }
    }
}

impl HeaderRow {
    pub(super) fn read(self) -> Result<RunHeader> {
        let row = Reading { run: &self.run_id };
        Ok(RunHeader {
            id: row.field("run_id", Uuid::parse_str(&self.run_id))?,
            state: row.field("state", of_word(&self.state))?,
            verdict: row.field("verdict", self.verdict.as_deref().map(of_word).transpose())?,
            completeness: row.field("completeness", self.completeness.as_deref().map(of_word).transpose())?,
            inputs: row.field("inputs", serde_json::from_str(&self.inputs))?,
            access: row.field("access", serde_json::from_str(&self.access))?,
            started_at: row.field("started_at", Timestamp::from_millisecond(self.started_at))?,
            counts: Counts {
                error: row.field("errors", self.errors.try_into())?,
                warning: row.field("warnings", self.warnings.try_into())?,
                info: row.field("infos", self.infos.try_into())?,
            },
            namespaces: row.field("namespaces", serde_json::from_str(&self.namespaces))?,
            expires_at: row.field("expires_at", self.expires_at.map(Timestamp::from_millisecond).transpose())?,
            labels: row.field("labels", self.labels.as_deref().map_or(Ok(BTreeMap::new()), serde_json::from_str))?,
            cluster: self.cluster,
            step: self.step,
            requested_by: self.requested_by,
            reason: self.reason,
            duration_ms: self.duration_ms,
            summary: self.summary,
            error: self.error,
        })
    }
}

impl RunRow {
    pub(super) fn read(self) -> Result<Run> {
        let answer = match self.packed {
            Some(packed) => {
                let text = unpack(&packed);
                Some(Reading { run: &self.header.run_id }.field("answer", text)?)
            }
            None => self.answer,
        };
        Ok(Run { header: self.header.read()?, answer })
    }
}

/// Says of which run a field could not be read.
struct Reading<'a> {
    run: &'a str,
}

impl Reading<'_> {
    fn field<T, E>(&self, field: &'static str, value: Result<T, E>) -> Result<T>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        value.map_err(|source| Error::damaged(self.run, field, source))
    }
}

/// `PostgreSQL` keeps no NUL in a text, though logs and names from outside may hold one. Replaced on both databases,
/// so that they hold the same.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The word that stands for a value, as in JSON.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("an enum without fields is a word: {other:?}"),
    }
}

pub(super) fn of_word<'a, T: Deserialize<'a>>(word: &'a str) -> Result<T, WordError> {
    let word: StrDeserializer<'a, WordError> = word.into_deserializer();
    T::deserialize(word)
}

pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("lists of plain structs and texts are JSON")
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
