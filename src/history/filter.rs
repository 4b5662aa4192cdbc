//! Which runs to list, as SQL. The text is put together from pieces of this program; values are bound.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::rows::{storable, word};
use super::{Cursor, Error, Result};
use crate::report::{State, Verdict};

/// How many values a filter may hold in all. The databases take some 30 000.
const MOST_VALUES: usize = 1000;

/// Which runs to list. An empty list restricts nothing; of the values in one list, any will do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFilter {
    pub step: Vec<String>,
    pub state: Vec<State>,
    pub verdict: Vec<Verdict>,
    /// Runs that looked at one of these namespaces.
    pub namespace: Vec<String>,
    pub requested_by: Option<String>,
    /// Runs with a finding of one of these codes.
    pub code: Vec<String>,
    /// Runs with all of these labels.
    pub labels: Vec<(String, String)>,
    /// Started then or later.
    pub since: Option<Timestamp>,
    /// Started before.
    pub until: Option<Timestamp>,
}

/// A statement, and the values for its places.
#[derive(Default)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

#[derive(Clone)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    /// No text: `null` in a column of text.
    NoText,
}

/// Binds each of `$values` to `$query`, whose type differs between the databases.
macro_rules! bind_all {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                $crate::history::filter::Value::Text(text) => query.bind(text),
                $crate::history::filter::Value::Number(number) => query.bind(number),
                $crate::history::filter::Value::NoText => query.bind(None::<String>),
            };
        }
        query
    }};
}
pub(super) use bind_all;

impl Statement {
    pub(super) fn new(sql: &'static str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new() }
    }

    /// Only what stands in this program becomes SQL.
    pub(super) fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    pub(super) fn bind(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        self.sql.push('$');
        self.sql.push_str(&self.values.len().to_string());
        self
    }

    pub(super) fn bind_text(&mut self, text: &str) -> &mut Self {
        self.bind(Value::Text(storable(text)))
    }

    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let value = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Number(_) | Value::NoText => 8,
        };
        self.sql.len() + self.values.iter().map(value).sum::<usize>()
    }

    /// `before ($1, $2, …) after`, or nothing for no values.
    pub(super) fn any_of(&mut self, before: &'static str, texts: impl Iterator<Item = String>, after: &'static str) {
        let mut open = before;
        for text in texts.collect::<BTreeSet<_>>() {
            self.push(open).bind_text(&text);
            open = ", ";
        }
        if open == ", " {
            self.push(after);
        }
    }
}

impl RunFilter {
    /// The headers of the runs of one cluster, newest first.
    pub(super) fn statement(
        &self,
        select: &'static str,
        cluster: &str,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Statement> {
        let values = self.step.len()
            + self.state.len()
            + self.verdict.len()
            + self.namespace.len()
            + self.code.len()
            + 2 * self.labels.len();
        if values > MOST_VALUES {
            return Err(Error::FilterTooLarge { most: MOST_VALUES });
        }
        let mut statement = Statement::new(select);
        statement.push(" where cluster = ").bind_text(cluster);
        statement.any_of(" and step in (", self.step.iter().cloned(), ")");
        statement.any_of(" and state in (", self.state.iter().map(word), ")");
        statement.any_of(" and verdict in (", self.verdict.iter().map(word), ")");
        statement.any_of(
            " and exists (select 1 from run_namespace as n where n.run_id = run.run_id and n.namespace in (",
            self.namespace.iter().cloned(),
            "))",
        );
        statement.any_of(
            " and exists (select 1 from run_finding as f where f.run_id = run.run_id and f.code in (",
            self.code.iter().cloned(),
            "))",
        );
        for (name, value) in &self.labels {
            statement.push(" and exists (select 1 from run_label as l where l.run_id = run.run_id and l.name = ");
            statement.bind_text(name).push(" and l.value = ").bind_text(value).push(")");
        }
        if let Some(user) = &self.requested_by {
            statement.push(" and requested_by = ").bind_text(user);
        }
        if let Some(since) = self.since {
            statement.push(" and started_at >= ").bind(Value::Number(since.as_millisecond()));
        }
        if let Some(until) = self.until {
            statement.push(" and started_at < ").bind(Value::Number(until.as_millisecond()));
        }
        if let Some(after) = after {
            statement.push(" and (started_at, run_id) < (").bind(Value::Number(after.started_at));
            statement.push(", ").bind(Value::Text(after.run.to_string())).push(")");
        }
        statement.push(" order by started_at desc, run_id desc limit ").bind(Value::Number(limit.into()));
        Ok(statement)
    }
}
