//! Prints the API server's table as `kubectl get` does: upper-case headers, three spaces between the columns.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::object::{Object, ago};
use cluster::{Table, TableRow};
use report::columns::{aligned, cell};

/// What `kubectl get` shows of some objects.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct PrintedTable {
    pub columns: Vec<PrintedColumn>,
    pub rows: Vec<PrintedRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PrintedColumn {
    pub name: String,
    /// Shown with `output=wide` only.
    pub wide: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PrintedRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Texts and numbers, as the server gives them.
    pub cells: Vec<Value>,
}

impl PrintedTable {
    pub(crate) fn of(table: Table) -> Self {
        let columns = table.columns.into_iter().map(|c| PrintedColumn { name: c.name, wide: c.priority > 0 }).collect();
        let row = |row: TableRow| PrintedRow {
            namespace: row.namespace().filter(|namespace| !namespace.is_empty()).map(str::to_owned),
            cells: row.cells,
        };
        Self { columns, rows: table.rows.into_iter().map(row).collect() }
    }

    /// Name and age, for a server that prints no tables.
    pub(crate) fn of_objects(objects: &[Object], now: jiff::Timestamp) -> Self {
        let column = |name: &str| PrintedColumn { name: name.to_owned(), wide: false };
        let row = |object: &Object| PrintedRow {
            namespace: object.namespace().map(str::to_owned),
            cells: vec![
                Value::from(object.name()),
                Value::from(object.created().map_or_else(|| "<unknown>".to_owned(), |created| ago(created, now))),
            ],
        };
        Self { columns: vec![column("Name"), column("Age")], rows: objects.iter().map(row).collect() }
    }

    /// The text of `kubectl get`, without a line for an empty table.
    pub fn text(&self, wide: bool, with_namespace: bool) -> String {
        let shown: Vec<usize> = (0..self.columns.len()).filter(|index| wide || !self.columns[*index].wide).collect();
        let mut lines: Vec<Vec<String>> = Vec::with_capacity(self.rows.len() + 1);
        let namespace = |text: &str| with_namespace.then(|| text.to_owned());
        let headers = shown.iter().map(|index| self.columns[*index].name.to_uppercase());
        lines.push(namespace("NAMESPACE").into_iter().chain(headers).collect());
        for row in &self.rows {
            let cells = shown.iter().map(|index| row.cells.get(*index).map(cell).unwrap_or_default());
            lines.push(namespace(row.namespace.as_deref().unwrap_or_default()).into_iter().chain(cells).collect());
        }
        aligned(&lines)
    }
}

/// `No resources found in shop namespace.`, as kubectl says.
pub(crate) fn nothing_found(namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("No resources found in {namespace} namespace.\n"),
        None => "No resources found\n".to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    fn table(value: Value) -> PrintedTable {
        PrintedTable::of(serde_json::from_value(value).unwrap())
    }

    fn sample() -> PrintedTable {
        table(json!({
            "columnDefinitions": [
                {"name": "Name", "priority": 0}, {"name": "Up-to-date", "priority": 0}, {"name": "Ip", "priority": 1},
                {"name": "Age", "priority": 0}],
            "rows": [
                {"cells": ["cart", 1, "10.0.0.1", "5m"], "object": {"metadata": {"namespace": "shop"}}},
                {"cells": ["a-long-name", null, "", "line\nmore"], "object": {"metadata": {"namespace": "b"}}}]}))
    }

    #[test]
    fn columns_are_padded_by_three_spaces() {
        assert_eq!(
            sample().text(false, false),
            "NAME          UP-TO-DATE   AGE\ncart          1            5m\na-long-name                line...\n"
        );
    }

    #[test]
    fn wide_output_with_namespaces() {
        let first: Vec<_> = sample().text(true, true).lines().map(str::to_owned).take(2).collect();
        assert_eq!(
            first,
            [
                "NAMESPACE   NAME          UP-TO-DATE   IP         AGE",
                "shop        cart          1            10.0.0.1   5m"
            ]
        );
    }

    #[test]
    fn a_row_with_too_few_cells_is_no_panic() {
        let odd = table(json!({"columnDefinitions": [{"name": "Name"}, {"name": "Age"}], "rows": [{"cells": []}]}));
        assert_eq!(odd.text(false, false), "NAME   AGE\n       \n");
    }
}
