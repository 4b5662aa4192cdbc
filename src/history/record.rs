//! What is written of a run: its row, its answer, and rows to search by.

use std::time::Duration;

use super::connect::History;
use super::filter::{Statement, Value};
use super::lifecycle::{Change, Check};
use super::packed::pack;
use super::rows::{HeaderRow, storable, word};
use super::{Error, Result, Run, RunHeader};
use crate::report::{Finding, State, fingerprint};

/// How many rows one statement inserts: few round trips for a large report, and far from the limit on places.
const ROWS_AT_ONCE: usize = 100;

/// A run in the form in which it is written.
pub(super) struct Record {
    pub(super) row: HeaderRow,
    pub(super) finished: bool,
    /// Packed.
    pub(super) answer: Option<Vec<u8>>,
    pub(super) children: Vec<Statement>,
    pub(super) checks: Vec<Check>,
}

/// What became of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    pub(super) written: bool,
    pub(super) of_other_cluster: bool,
    pub(super) changes: Vec<Change>,
}

/// What recording a run has shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recorded {
    /// `false` when the run was finished before, which is final: it stays as it is.
    pub written: bool,
    /// Findings that are new, have come back or are gone.
    pub changes: Vec<Change>,
}

impl Record {
    fn of(run: &Run, findings: &[Finding], checks: &[Check]) -> Self {
        Self {
            row: HeaderRow::from(&run.header),
            finished: !matches!(run.header.state, State::Queued | State::Running),
            answer: run.answer.as_deref().map(pack),
            children: namespace_rows(&run.header).into_iter().chain(finding_rows(&run.header, findings)).collect(),
            checks: checks.to_vec(),
        }
    }

    pub(super) fn run(&self) -> &str {
        &self.row.run_id
    }

    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let children: usize = self.children.iter().map(Statement::bytes).sum();
        self.answer.as_ref().map_or(0, Vec::len) + children + self.row.inputs.len() + self.row.access.len()
    }
}

impl History {
    /// Writes a run and its findings: a new one, or the next state of one that is queued or running. `false` when
    /// the run is already finished, which is final: it stays as it is.
    pub async fn record(&self, run: &Run, findings: &[Finding]) -> Result<bool> {
        self.record_checked(run, findings, &[]).await.map(|recorded| recorded.written)
    }

    /// The same, and what the run has checked: it tells which findings are new, which are still there, and which are gone.
    pub async fn record_checked(&self, run: &Run, findings: &[Finding], checks: &[Check]) -> Result<Recorded> {
        // Packing a large answer takes as long as many small ones.
        let outcome = if run.answer.as_ref().is_some_and(|answer| answer.len() > 256 << 10) {
            let (run, findings, checks) = (run.clone(), findings.to_vec(), checks.to_vec());
            let record = tokio::task::spawn_blocking(move || Record::of(&run, &findings, &checks)).await;
            self.writer().write(record.map_err(|_| Error::Closed)?).await?
        } else {
            self.writer().write(Record::of(run, findings, checks)).await?
        };
        if outcome.of_other_cluster {
            return Err(Error::OtherCluster { run: run.header.id });
        }
        Ok(Recorded { written: outcome.written, changes: outcome.changes })
    }

    /// The same for somebody who cannot wait. After `patience` it is `None`: the run is in memory, and will be written as
    /// soon as the database takes it.
    pub async fn record_within(
        &self,
        run: Run,
        findings: Vec<Finding>,
        checks: Vec<Check>,
        patience: Duration,
    ) -> Result<Option<Recorded>> {
        let history = self.clone();
        let mut writing = tokio::spawn(async move { history.record_checked(&run, &findings, &checks).await });
        match tokio::time::timeout(patience, &mut writing).await {
            Ok(written) => written.unwrap_or(Err(Error::Closed)).map(Some),
            Err(_) => Ok(None),
        }
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
