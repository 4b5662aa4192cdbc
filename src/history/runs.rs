//! Lists, reads and deletes runs.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::captured::of_service;
use super::connect::{History, on};
use super::filter::{Statement, bind_all};
use super::rows::{HeaderRow, RunRow, storable};
use super::{Cursor, Result, Run, RunFilter, RunHeader};
use crate::report::State;

/// How many runs a page may hold.
const MOST_RUNS: u32 = 1000;

const SELECT_HEADERS: &str = "select run_id, cluster, step, state, verdict, completeness, requested_by, reason, \
     inputs, access, started_at, duration_ms, errors, warnings, infos, summary, error, namespaces, expires_at, labels from run";

impl History {
    /// The runs of a cluster that pass the filter, newest first: those after the cursor, at most `limit` and never
    /// more than a thousand.
    pub async fn runs(
        &self,
        cluster: &str,
        filter: &RunFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<RunHeader>> {
        let Statement { sql, values } = filter.statement(SELECT_HEADERS, cluster, after, limit.min(MOST_RUNS))?;
        let rows: Vec<HeaderRow> = self
            .limited(async {
                on!(&self.db, pool => bind_all!(sqlx::query_as(AssertSqlSafe(sql)), values).fetch_all(pool).await)
            })
            .await?;
        rows.into_iter().map(HeaderRow::read).collect()
    }

    /// One run of a cluster, or of a capture that was uploaded to its service, with its answer.
    pub async fn run(&self, cluster: &str, id: Uuid) -> Result<Option<Run>> {
        const SQL: &str = concat!(
            "select run_id, cluster, step, state, verdict, completeness, requested_by, reason, inputs, \
             access, started_at, duration_ms, errors, warnings, infos, summary, error, namespaces, expires_at, labels, \
             answer, (select a.answer from run_answer as a where a.run_id = run.run_id) as packed \
             from run where run_id = $2 and ",
            of_service!()
        );
        let row: Option<RunRow> = self
            .limited(async {
                on!(&self.db, pool => {
                    sqlx::query_as(SQL).bind(storable(cluster)).bind(id.to_string()).fetch_optional(pool).await
                })
            })
            .await?;
        row.map(RunRow::read).transpose()
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

    /// Deletes one run of a cluster, in whatever state. `false` when there is none.
    pub async fn delete(&self, cluster: &str, id: Uuid) -> Result<bool> {
        const SQL: &str = "delete from run where cluster = $1 and run_id = $2";
        self.limited(async {
            let _turn = self.turn_to_write().await;
            on!(&self.db, pool => {
                let done = sqlx::query(SQL).bind(storable(cluster)).bind(id.to_string()).execute(pool).await?;
                Ok(done.rows_affected() > 0)
            })
        })
        .await
    }
}
