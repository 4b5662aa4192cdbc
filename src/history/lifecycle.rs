//! Findings over time: when each was seen first and last, and whether it is still there. A finding is gone only when the
//! same step, asked for the same, has looked at its place again, has seen at least as much as when it was found, and has
//! not found it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Access;
use super::filter::{Statement, Value};
use super::rows::{json, storable, word};
use crate::report::{Finding, Severity, Subject};

/// Fingerprints that one statement names.
pub(super) const AT_ONCE: usize = 200;

/// What one step of a run has checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    pub run: Uuid,
    /// The cluster that was looked at.
    pub cluster: String,
    pub step: String,
    /// Of its inputs, apart from the place: two checks with the same look for the same.
    pub inputs: String,
    /// Where it looked; `None` is everywhere.
    pub namespaces: Option<Vec<String>>,
    /// What it could not see. A finding may hide there, unless it was found in spite of the same gaps.
    pub gaps: Vec<String>,
    pub at: Timestamp,
    /// What it used of the cluster: who may read what it found is who may do all of this.
    pub access: Vec<Access>,
    pub seen: Vec<Sighting>,
}

/// A finding as it is kept over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    pub fingerprint: String,
    pub code: String,
    pub severity: Severity,
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
    pub message: String,
}

/// Where a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// Seen by one run so far.
    New,
    /// Seen again.
    Persisting,
    /// It was gone, and was seen again.
    Reopened,
    /// Looked for again and not found.
    Resolved,
}

/// A finding whose state a run has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Change {
    pub state: FindingState,
    pub fingerprint: String,
    pub code: String,
    pub severity: Severity,
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub name: String,
    pub message: String,
}

impl Sighting {
    /// A pod counts as its workload, as in the fingerprint: the next run may see it in another pod of the same.
    pub fn of(finding: &Finding) -> Self {
        let Subject { kind, namespace, name, owner, .. } = finding.subject.clone();
        let (kind, name) = owner.map_or((kind, name), |owner| (owner.kind, owner.name));
        Self {
            fingerprint: finding.fingerprint.clone(),
            code: finding.code.to_string(),
            severity: finding.severity,
            kind,
            namespace,
            name,
            message: finding.message.clone(),
        }
    }
}

#[derive(sqlx::FromRow, Debug, Clone)]
pub(super) struct KnownRow {
    pub(super) fingerprint: String,
    pub(super) state: String,
    pub(super) code: String,
    pub(super) severity: String,
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) message: String,
}

pub(super) const COLUMNS: &str = "f.fingerprint, f.state, f.code, f.severity, f.kind, f.namespace, f.name, f.message";

/// A finding that is not gone, as one check has seen it.
#[derive(sqlx::FromRow, Debug, Clone)]
pub(super) struct OpenRow {
    #[sqlx(flatten)]
    known: KnownRow,
    gaps: String,
}

/// The findings of this cluster that go by one of these fingerprints.
pub(super) fn known(cluster: &str, fingerprints: &[&str]) -> Statement {
    let mut statement = Statement::new("select ");
    statement.push(COLUMNS).push(" from finding as f where f.cluster = ").bind_text(cluster);
    in_list(&mut statement, " and f.fingerprint", fingerprints);
    statement
}

/// Those that this check has seen before and that are not gone.
pub(super) fn open(check: &Check) -> Statement {
    let mut statement = Statement::new("select ");
    statement.push(COLUMNS).push(
        ", c.gaps from finding_check as c join finding as f on f.cluster = c.cluster and f.fingerprint = c.fingerprint \
         where f.state <> 'resolved' and c.cluster = ",
    );
    statement.bind_text(&check.cluster).push(" and c.step = ").bind_text(&check.step);
    statement.push(" and c.inputs = ").bind_text(&check.inputs);
    statement
}

fn in_list(statement: &mut Statement, column: &'static str, texts: &[&str]) {
    statement.push(column).push(" in (");
    for (index, text) in texts.iter().enumerate() {
        statement.push(if index == 0 { "" } else { ", " }).bind_text(text);
    }
    statement.push(")");
}

/// Reads what is known, and writes what the check shows.
macro_rules! follow {
    ($transaction:expr, $record:expr, $check:expr, $changes:expr) => {{
        let seen = $crate::history::lifecycle::distinct($check);
        let fingerprints: Vec<&str> = seen.keys().copied().collect();
        let mut known: Vec<$crate::history::lifecycle::KnownRow> = Vec::new();
        for some in fingerprints.chunks($crate::history::lifecycle::AT_ONCE) {
            let Statement { sql, values } = $crate::history::lifecycle::known(&$check.cluster, some);
            let query = sqlx::query_as(AssertSqlSafe(sql)).persistent(false);
            known.extend(bind_all!(query, values).fetch_all(&mut *$transaction).await?);
        }
        let open: Vec<$crate::history::lifecycle::OpenRow> = {
            let Statement { sql, values } = $crate::history::lifecycle::open($check);
            bind_all!(sqlx::query_as(AssertSqlSafe(sql)), values).fetch_all(&mut *$transaction).await?
        };
        for Statement { sql, values } in $crate::history::lifecycle::decide($check, known, open, &mut $changes) {
            let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
            bind_all!(query, values).execute(&mut *$transaction).await?;
        }
    }};
}
pub(super) use follow;

pub(super) fn distinct(check: &Check) -> BTreeMap<&str, &Sighting> {
    check.seen.iter().map(|sighting| (sighting.fingerprint.as_str(), sighting)).collect()
}

/// What is to be written, and which findings change their state.
pub(super) fn decide(
    check: &Check,
    known: Vec<KnownRow>,
    open: Vec<OpenRow>,
    changes: &mut Vec<Change>,
) -> Vec<Statement> {
    let mut statements = Vec::new();
    let seen = distinct(check);
    let known: BTreeMap<String, KnownRow> = known.into_iter().map(|row| (row.fingerprint.clone(), row)).collect();
    let (mut new, mut reopened, mut persisting) = (Vec::new(), Vec::new(), Vec::new());
    for (fingerprint, sighting) in &seen {
        match known.get(*fingerprint) {
            None => new.push(*sighting),
            Some(row) if row.state == word(&FindingState::Resolved) => reopened.push(*sighting),
            Some(_) => persisting.push(*fingerprint),
        }
    }
    let in_place = |namespace: &Option<String>| match &check.namespaces {
        None => true,
        Some(namespaces) => namespace.as_ref().is_some_and(|namespace| namespaces.contains(namespace)),
    };
    let seen_enough = |gaps: &str| {
        let gaps: BTreeSet<String> = serde_json::from_str(gaps).unwrap_or_default();
        check.gaps.iter().all(|gap| gaps.contains(gap))
    };
    let gone = |row: &&OpenRow| {
        !seen.contains_key(row.known.fingerprint.as_str()) && in_place(&row.known.namespace) && seen_enough(&row.gaps)
    };
    let gone: Vec<&KnownRow> = open.iter().filter(gone).map(|row| &row.known).collect();
    for some in new.chunks(AT_ONCE / 10) {
        statements.push(insert(check, some));
    }
    let fingerprints: Vec<&str> = reopened.iter().map(|sighting| sighting.fingerprint.as_str()).collect();
    update(check, FindingState::Reopened, &fingerprints, &mut statements);
    update(check, FindingState::Persisting, &persisting, &mut statements);
    note_checks(check, &seen.keys().copied().collect::<Vec<_>>(), &mut statements);
    let fingerprints: Vec<&str> = gone.iter().map(|row| row.fingerprint.as_str()).collect();
    update(check, FindingState::Resolved, &fingerprints, &mut statements);
    let changed = |state, sighting: &Sighting| Change {
        state,
        fingerprint: sighting.fingerprint.clone(),
        code: sighting.code.clone(),
        severity: sighting.severity,
        kind: sighting.kind.clone(),
        namespace: sighting.namespace.clone(),
        name: sighting.name.clone(),
        message: sighting.message.clone(),
    };
    let first = changes.len();
    changes.extend(new.iter().map(|sighting| changed(FindingState::New, sighting)));
    changes.extend(reopened.iter().map(|sighting| changed(FindingState::Reopened, sighting)));
    changes.extend(gone.iter().map(|row| changed(FindingState::Resolved, &row.sighting())));
    events(check, &changes[first..], &mut statements);
    statements
}

impl KnownRow {
    fn sighting(&self) -> Sighting {
        Sighting {
            fingerprint: self.fingerprint.clone(),
            code: self.code.clone(),
            severity: serde_json::from_value(self.severity.clone().into()).unwrap_or(Severity::Info),
            kind: self.kind.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            message: self.message.clone(),
        }
    }
}

fn insert(check: &Check, sightings: &[&Sighting]) -> Statement {
    let mut statement = Statement::new(
        "insert into finding (cluster, fingerprint, code, severity, kind, namespace, name, message, first_seen, \
         last_seen, first_run, last_run, state, changed_at, access) values ",
    );
    let (at, run) = (check.at.as_millisecond(), check.run.to_string());
    for (index, sighting) in sightings.iter().enumerate() {
        let values = [
            Value::Text(storable(&check.cluster)),
            Value::Text(storable(&sighting.fingerprint)),
            Value::Text(storable(&sighting.code)),
            Value::Text(word(&sighting.severity)),
            Value::Text(storable(&sighting.kind)),
            sighting.namespace.as_deref().map_or(Value::NoText, |name| Value::Text(storable(name))),
            Value::Text(storable(&sighting.name)),
            Value::Text(storable(&sighting.message)),
            Value::Number(at),
            Value::Number(at),
            Value::Text(run.clone()),
            Value::Text(run.clone()),
            Value::Text(word(&FindingState::New)),
            Value::Number(at),
            Value::Text(json(&check.access)),
        ];
        row(&mut statement, index, values);
    }
    // Another replica may have seen it at the same moment.
    statement.push(" on conflict (cluster, fingerprint) do update set last_seen = excluded.last_seen");
    statement
}

fn update(check: &Check, state: FindingState, fingerprints: &[&str], statements: &mut Vec<Statement>) {
    for some in fingerprints.chunks(AT_ONCE) {
        let at = check.at.as_millisecond();
        let mut statement = Statement::new("update finding set state = ");
        statement.bind(Value::Text(word(&state)));
        match state {
            FindingState::Resolved => {
                statement.push(", resolved_run = ").bind(Value::Text(check.run.to_string()));
                statement.push(", changed_at = ").bind(Value::Number(at));
            }
            FindingState::New | FindingState::Persisting | FindingState::Reopened => {
                statement.push(", last_seen = ").bind(Value::Number(at));
                statement.push(", last_run = ").bind(Value::Text(check.run.to_string()));
                statement.push(", access = ").bind(Value::Text(json(&check.access)));
                statement.push(", resolved_run = null");
            }
        }
        if state == FindingState::Reopened {
            statement.push(", changed_at = ").bind(Value::Number(at));
        }
        statement.push(" where cluster = ").bind_text(&check.cluster);
        if state == FindingState::Persisting {
            // What several steps of one run see has been seen once.
            statement.push(" and last_run <> ").bind(Value::Text(check.run.to_string()));
        }
        in_list(&mut statement, " and fingerprint", some);
        statements.push(statement);
    }
}

/// Which check has seen which finding: only this one can tell later that it is gone.
fn note_checks(check: &Check, fingerprints: &[&str], statements: &mut Vec<Statement>) {
    let gaps = json(&check.gaps);
    for some in fingerprints.chunks(AT_ONCE) {
        let mut statement =
            Statement::new("insert into finding_check (cluster, step, inputs, fingerprint, gaps) values ");
        for (index, fingerprint) in some.iter().enumerate() {
            let texts = [check.cluster.as_str(), &check.step, &check.inputs, fingerprint, &gaps];
            row(&mut statement, index, texts.map(|text| Value::Text(storable(text))));
        }
        statement.push(" on conflict (cluster, step, inputs, fingerprint) do update set gaps = excluded.gaps");
        statements.push(statement);
    }
}

fn events(check: &Check, changes: &[Change], statements: &mut Vec<Statement>) {
    // One check notes each finding once.
    let mut noted = BTreeSet::new();
    let changes: Vec<_> = changes.iter().filter(|change| noted.insert(&change.fingerprint)).collect();
    for some in changes.chunks(AT_ONCE) {
        let mut statement =
            Statement::new("insert into finding_event (cluster, fingerprint, at, run_id, state) values ");
        for (index, change) in some.iter().enumerate() {
            let values = [
                Value::Text(storable(&check.cluster)),
                Value::Text(storable(&change.fingerprint)),
                Value::Number(check.at.as_millisecond()),
                Value::Text(check.run.to_string()),
                Value::Text(word(&change.state)),
            ];
            row(&mut statement, index, values);
        }
        statement.push(" on conflict do nothing");
        statements.push(statement);
    }
}

fn row<const N: usize>(statement: &mut Statement, index: usize, values: [Value; N]) {
    statement.push(if index == 0 { "(" } else { ", (" });
    for (column, value) in values.into_iter().enumerate() {
        statement.push(if column == 0 { "" } else { ", " }).bind(value);
    }
    statement.push(")");
}
