//! Writes, lists, reads and deletes runs.

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::captured::of_service;
use super::connect::{History, on};
use super::filter::{Statement, Value, bind_all};
use super::rows::{HeaderRow, RunRow, storable, word};
use super::{Cursor, Error, Result, Run, RunFilter, RunHeader};
use crate::report::{Finding, State, fingerprint};

/// How many runs a page may hold.
const MOST_RUNS: u32 = 1000;

/// How many rows one statement inserts: few round trips for a large report, and far from the limit on places.
const ROWS_AT_ONCE: usize = 100;

const SELECT_HEADERS: &str = "select run_id, cluster, step, state, verdict, completeness, requested_by, reason, \
     inputs, access, started_at, duration_ms, errors, warnings, infos, summary, error, namespaces, expires_at from run";

impl History {
    /// Writes a run and its findings: a new one, or the next state of one that is queued or running. `false` when
    /// the run is already finished, which is final: it stays as it is.
    pub async fn record(&self, run: &Run, findings: &[Finding]) -> Result<bool> {
        const UPSERT: &str = "insert into run (run_id, cluster, step, state, verdict, completeness, requested_by, \
             reason, inputs, access, started_at, duration_ms, errors, warnings, infos, summary, error, namespaces, \
             expires_at, answer) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
             on conflict (run_id) do update set step = excluded.step, state = excluded.state, \
             verdict = excluded.verdict, completeness = excluded.completeness, \
             requested_by = excluded.requested_by, reason = excluded.reason, inputs = excluded.inputs, \
             access = excluded.access, started_at = excluded.started_at, duration_ms = excluded.duration_ms, \
             errors = excluded.errors, warnings = excluded.warnings, infos = excluded.infos, \
             summary = excluded.summary, error = excluded.error, namespaces = excluded.namespaces, \
             expires_at = excluded.expires_at, answer = excluded.answer \
             where run.cluster = excluded.cluster and run.state in ($21, $22)";
        const OWNER: &str = "select cluster from run where run_id = $1";
        const FORGET_NAMESPACES: &str = "delete from run_namespace where run_id = $1";
        const FORGET_FINDINGS: &str = "delete from run_finding where run_id = $1";
        const RELEASE: &str = "delete from run_lease where run_id = $1";

        let row = HeaderRow::from(&run.header);
        let (id, cluster) = (row.run_id.clone(), row.cluster.clone());
        let answer = run.answer.as_deref().map(storable);
        let children: Vec<Statement> =
            namespace_rows(&run.header).into_iter().chain(finding_rows(&run.header, findings)).collect();
        let begin = self.db.begin_writing();
        let finished = !matches!(run.header.state, State::Queued | State::Running);

        let owner: Option<String> = self
            .limited(async {
                let _turn = self.turn_to_write().await;
                on!(&self.db, pool => {
                    let mut transaction = pool.begin_with(begin).await?;
                    let written = sqlx::query(UPSERT)
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
                        .bind(answer)
                        .bind(word(&State::Queued))
                        .bind(word(&State::Running))
                        .execute(&mut *transaction)
                        .await?
                        .rows_affected();
                    if written == 0 {
                        return sqlx::query_scalar(OWNER).bind(id).fetch_optional(&mut *transaction).await;
                    }
                    sqlx::query(FORGET_NAMESPACES).bind(&id).execute(&mut *transaction).await?;
                    sqlx::query(FORGET_FINDINGS).bind(&id).execute(&mut *transaction).await?;
                    if finished {
                        sqlx::query(RELEASE).bind(&id).execute(&mut *transaction).await?;
                    }
                    for Statement { sql, values } in children {
                        // The last statement of a run is of any length: not worth keeping prepared.
                        let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
                        bind_all!(query, values).execute(&mut *transaction).await?;
                    }
                    transaction.commit().await?;
                    Ok(None)
                })
            })
            .await?;
        match owner {
            None => Ok(true),
            Some(owner) if owner == cluster => Ok(false),
            Some(_) => Err(Error::OtherCluster { run: run.header.id }),
        }
    }

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
             access, started_at, duration_ms, errors, warnings, infos, summary, error, namespaces, expires_at, answer \
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

fn namespace_rows(run: &RunHeader) -> Vec<Statement> {
    let mut namespaces: Vec<&String> = run.namespaces.iter().collect();
    namespaces.sort();
    namespaces.dedup();
    inserts("insert into run_namespace (run_id, namespace) values ", &namespaces, |namespace| {
        vec![Value::Text(run.id.to_string()), Value::Text(storable(namespace))]
    })
}

fn finding_rows(run: &RunHeader, findings: &[Finding]) -> Vec<Statement> {
    let findings: Vec<(i64, &Finding)> = (0..).zip(findings).collect();
    inserts(
        "insert into run_finding (run_id, place, cluster, code, severity, fingerprint, kind, namespace, name, \
         message) values ",
        &findings,
        |(place, finding)| {
            let fingerprint = match finding.fingerprint.as_str() {
                "" => fingerprint(&run.cluster, finding),
                known => storable(known),
            };
            vec![
                Value::Text(run.id.to_string()),
                Value::Number(*place),
                Value::Text(storable(&run.cluster)),
                Value::Text(storable(&finding.code)),
                Value::Text(word(&finding.severity)),
                Value::Text(fingerprint),
                Value::Text(storable(&finding.subject.kind)),
                finding.subject.namespace.as_deref().map_or(Value::NoText, |name| Value::Text(storable(name))),
                Value::Text(storable(&finding.subject.name)),
                Value::Text(storable(&finding.message)),
            ]
        },
    )
}

/// `insert … values ($1, $2), ($3, $4)`, as often as needed for all items.
fn inserts<T>(insert: &'static str, items: &[T], row: impl Fn(&T) -> Vec<Value>) -> Vec<Statement> {
    let statement = |items: &[T]| {
        let mut statement = Statement::new(insert);
        for (index, item) in items.iter().enumerate() {
            statement.push(if index == 0 { "(" } else { ", (" });
            for (column, value) in row(item).into_iter().enumerate() {
                statement.push(if column == 0 { "" } else { ", " }).bind(value);
            }
            statement.push(")");
        }
        statement
    };
    items.chunks(ROWS_AT_ONCE).map(statement).collect()
}
