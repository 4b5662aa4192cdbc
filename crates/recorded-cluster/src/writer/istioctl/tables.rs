//! What kubectl prints as a table: the names of Secrets, and events in the order in which they were made.

use serde_json::Value;

use super::super::super::store::text;
use super::super::objects::{Listed, Page, TABLE, part, paths};
use super::super::recording::Recording;
use super::super::spool::Cleaner;
use report::columns::{aligned, cell};

pub(super) async fn secrets(recording: &Recording, secrets: &Listed) {
    record(recording, "cluster/secrets", secrets, false).await;
}

pub(super) async fn events(recording: &Recording, events: &Listed) {
    record(recording, "cluster/events", events, true).await;
}

async fn record(recording: &Recording, file: &str, listed: &Listed, wide: bool) {
    match table(recording, listed, wide).await {
        Ok(text) => recording.add(file, redact::redact_text(&text).as_bytes()).await,
        Err(why) => recording.fail(file, file, &why).await,
    }
}

async fn table(recording: &Recording, listed: &Listed, wide: bool) -> Result<String, String> {
    let cleaner = Cleaner::new(recording, listed.gvr.clone());
    let (mut header, mut rows) = (vec!["NAMESPACE".to_owned()], Vec::new());
    let mut shown: Vec<usize> = Vec::new();
    for path in paths(recording, listed) {
        let mut token = String::new();
        loop {
            let page = Page::parse(&part(recording, &path, TABLE, &token).await?)?;
            if let Some(Value::Array(columns)) = page.column_definitions.filter(|_| shown.is_empty()) {
                for (index, column) in columns.iter().enumerate() {
                    if wide || column.get("priority").and_then(Value::as_i64).unwrap_or_default() == 0 {
                        shown.push(index);
                        header.push(text(column, &["name"]).to_uppercase());
                    }
                }
            }
            for row in page.rows.into_iter().flatten() {
                let row: Value = serde_json::from_str(row.get()).map_err(|error| error.to_string())?;
                let metadata = |name: &str| text(&row, &["object", "metadata", name]).to_owned();
                let namespace = metadata("namespace");
                if !cleaner.covers(&namespace) {
                    continue;
                }
                let cells = |index: &usize| row.get("cells").and_then(|cells| cells.get(*index)).map(cell);
                let cells = shown.iter().map(|index| cells(index).unwrap_or_default());
                rows.push((metadata("creationTimestamp"), [namespace].into_iter().chain(cells).collect::<Vec<_>>()));
            }
            token = page.metadata.next;
            if token.is_empty() {
                break;
            }
        }
    }
    if wide {
        rows.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let lines: Vec<_> = [header].into_iter().chain(rows.into_iter().map(|(_, row)| row)).collect();
    Ok(aligned(&lines))
}
