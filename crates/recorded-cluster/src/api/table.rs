//! Lists as `kubectl get` shows them: the recorded `Table`, narrowed, or one that is built from the objects.
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables>

use std::collections::BTreeMap;
use std::io;

use serde_json::{Value, json};

use super::super::resource::{Item, Resource};
use super::super::store::{Gvr, Store, text};
use super::columns;
use super::objects::only_metadata;
use super::path::Query;

/// The table of these objects, in their order.
pub(super) fn of_list(
    store: &Store,
    gvr: &Gvr,
    resource: &Resource,
    items: &[&Item],
    metadata: &Value,
    query: &Query,
) -> io::Result<Value> {
    let include = query.get("includeObject").unwrap_or("Metadata");
    let table: Option<Value> = match &resource.table {
        Some(table) => serde_json::from_slice(&table.read(&mut None)?)?,
        None => None,
    };
    let (definitions, mut cells) = match table.as_ref().and_then(|table| recorded(table, items)) {
        Some((definitions, cells)) => (definitions, Cells::Recorded(cells.into_iter())),
        None => built(store, gvr),
    };
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        let object = item.object()?;
        let mut row = json!({"cells": cells.next(store, &object)});
        match include {
            "None" => {}
            "Object" => row["object"] = object,
            _ => row["object"] = only_metadata(&object),
        }
        rows.push(row);
    }
    Ok(json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": definitions, "rows": rows,
    }))
}

/// Where the cells of rows come from.
enum Cells {
    Recorded(std::vec::IntoIter<Value>),
    Usual(columns::Usual),
    /// Name, what the definition adds, and age where it adds none.
    Defined(Vec<Column>),
}

impl Cells {
    fn next(&mut self, store: &Store, object: &Value) -> Value {
        match self {
            Self::Recorded(cells) => cells.next().unwrap_or_default(),
            Self::Usual(usual) => Value::Array((usual.cells)(store, object)),
            Self::Defined(extra) => {
                let mut cells = vec![json!(text(object, &["metadata", "name"]))];
                cells.extend(extra.iter().map(|column| column.cell(store, object)));
                if !has_age(extra) {
                    cells.push(age(store, text(object, &["metadata", "creationTimestamp"])));
                }
                Value::Array(cells)
            }
        }
    }
}

/// The recorded cells of each object; `None` when one has none, so that no row is missing.
fn recorded(table: &Value, items: &[&Item]) -> Option<(Value, Vec<Value>)> {
    let mut cells = BTreeMap::new();
    for row in table.get("rows")?.as_array()? {
        let metadata = row.pointer("/object/metadata")?;
        cells.insert((text(metadata, &["namespace"]), text(metadata, &["name"])), row.get("cells")?);
    }
    let of_item =
        |item: &&Item| cells.get(&(item.namespace.as_str(), item.name.as_str())).map(|cells| Value::clone(cells));
    let rows = items.iter().map(of_item).collect::<Option<Vec<_>>>()?;
    Some((table.get("columnDefinitions")?.clone(), rows))
}

fn built(store: &Store, gvr: &Gvr) -> (Value, Cells) {
    let definition = |name: &str, kind: &str, priority: i64| {
        let format = if name == "Name" { "name" } else { "" };
        json!({"name": name, "type": kind, "format": format, "priority": priority, "description": ""})
    };
    if let Some(usual) = columns::usual(gvr) {
        let definitions = usual.columns.iter().map(|(name, priority)| definition(name, "string", *priority));
        return (definitions.collect(), Cells::Usual(usual));
    }
    let extra = printer_columns(store, gvr);
    let mut definitions = vec![definition("Name", "string", 0)];
    definitions.extend(extra.iter().map(|column| definition(&column.name, &column.kind, column.priority)));
    if !has_age(&extra) {
        definitions.push(definition("Age", "string", 0));
    }
    (Value::Array(definitions), Cells::Defined(extra))
}

fn has_age(columns: &[Column]) -> bool {
    columns.iter().any(|column| column.name == "Age")
}

/// A column that a `CustomResourceDefinition` adds.
struct Column {
    name: String,
    kind: String,
    priority: i64,
    path: Vec<String>,
}

impl Column {
    fn cell(&self, store: &Store, item: &Value) -> Value {
        let value = self.path.iter().try_fold(item, |value, name| match name.parse::<usize>() {
            Ok(index) => value.get(index),
            Err(_) => value.get(name),
        });
        match value {
            Some(Value::String(time)) if self.kind == "date" => age(store, time),
            Some(Value::Array(list)) => json!(Value::Array(list.clone()).to_string()),
            Some(value) => value.clone(),
            None => Value::Null,
        }
    }
}

/// Those whose JSON path is a plain chain of names and indexes.
fn printer_columns(store: &Store, gvr: &Gvr) -> Vec<Column> {
    let definitions = store.resources.get(&Gvr::new("apiextensions.k8s.io", "v1", "customresourcedefinitions"));
    let name = format!("{}.{}", gvr.plural, gvr.group);
    let definition = definitions.and_then(|definitions| definitions.find("", &name)?.object().ok());
    let versions = definition.as_ref().and_then(|definition| definition.pointer("/spec/versions"));
    let mut versions = versions.and_then(Value::as_array).into_iter().flatten();
    let version = versions.find(|version| text(version, &["name"]) == gvr.version);
    let columns = version.and_then(|version| version.get("additionalPrinterColumns")).and_then(Value::as_array);
    let column = |column: &Value| {
        let path = text(column, &["jsonPath"]).strip_prefix('.')?;
        if path.contains(['?', '*', '@', '\'', '\\']) {
            return None;
        }
        Some(Column {
            name: text(column, &["name"]).to_owned(),
            kind: text(column, &["type"]).to_owned(),
            priority: column.get("priority").and_then(Value::as_i64).unwrap_or_default(),
            path: path.split(['.', '[', ']']).filter(|part| !part.is_empty()).map(str::to_owned).collect(),
        })
    };
    columns.into_iter().flatten().filter_map(column).collect()
}

/// The age at the time of the recording, as `kubectl` writes it: `<unknown>` without a time.
pub(super) fn age(store: &Store, time: &str) -> Value {
    let (Ok(time), Some(now)) = (time.parse::<jiff::Timestamp>(), store.recorded_at) else {
        return json!("<unknown>");
    };
    json!(short(now.duration_since(time).as_secs()))
}

/// <https://pkg.go.dev/k8s.io/apimachinery/pkg/util/duration#HumanDuration>
fn short(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |large: i64, large_unit: char, small: i64, small_unit: char| match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit}{small}{small_unit}"),
    };
    let (minutes, hours, days, years) = (seconds / MINUTE, seconds / HOUR, seconds / DAY, seconds / YEAR);
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        _ if seconds < 2 * MINUTE => format!("{seconds}s"),
        _ if minutes < 10 => two(minutes, 'm', seconds % MINUTE, 's'),
        _ if minutes < 3 * 60 => format!("{minutes}m"),
        _ if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => two(days, 'd', hours % 24, 'h'),
        _ if days < 2 * 365 => format!("{days}d"),
        _ if days < 8 * 365 => two(years, 'y', days % 365, 'd'),
        _ => format!("{years}y"),
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn ages_are_short() {
        let check = |seconds, expected: &str| assert_eq!(short(seconds), expected);
        check(-5, "<invalid>");
        check(0, "0s");
        check(119, "119s");
        check(120, "2m");
        check(132, "2m12s");
        check(600, "10m");
        check(3 * 3600, "3h");
        check(3 * 3600 + 60, "3h1m");
        check(9 * 3600, "9h");
        check(49 * 3600, "2d1h");
        check(10 * 86400, "10d");
        check(800 * 86400, "2y70d");
    }
}
