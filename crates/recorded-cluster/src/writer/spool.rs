//! A list under way: page after page, each object cleaned and without secrets, into a file that has no name.

use std::io::Write;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::SpooledTempFile;

use super::super::store::{Gvr, text};
use super::WriteOptions;
use super::cut;
use super::notes::Notes;
use super::objects::Page;
use super::recording::Recording;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Objects,
    Rows,
}

pub(super) struct Spool {
    content: SpooledTempFile,
    cleaner: Cleaner,
    shape: Shape,
    count: u64,
    kind: String,
    resource_version: String,
    columns: Value,
}

impl Spool {
    pub(super) fn new(recording: &Recording, gvr: Gvr, shape: Shape) -> Result<Self, String> {
        let mut content = recording.spool();
        let start = if shape == Shape::Rows { "{\"rows\":[" } else { "{\"items\":[" };
        content.write_all(start.as_bytes()).map_err(|error| error.to_string())?;
        let cleaner = Cleaner::new(recording, gvr);
        let (kind, resource_version) = (String::new(), String::new());
        Ok(Self { content, cleaner, shape, count: 0, kind, resource_version, columns: Value::Null })
    }

    /// Adds a page; answers the token of the next one, or the empty string.
    pub(super) fn add(&mut self, content: &[u8]) -> Result<String, String> {
        let page = Page::parse(content)?;
        self.kind = page.kind;
        self.resource_version = page.metadata.resource_version;
        if let Some(columns) = page.column_definitions {
            self.columns = columns;
        }
        let items = if self.shape == Shape::Rows { page.rows } else { page.items };
        let mut buffer = Vec::new();
        // One at a time: as values they take many times their length.
        for item in items.into_iter().flatten() {
            let mut item: Value = serde_json::from_str(item.get()).map_err(|error| error.to_string())?;
            let is_wanted = match self.shape {
                Shape::Objects => self.cleaner.clean(&mut item),
                Shape::Rows => self.cleaner.shorten(&mut item),
            };
            if !is_wanted {
                continue;
            }
            buffer.clear();
            buffer.extend_from_slice(if self.count > 0 { b",\n" } else { b"\n" });
            serde_json::to_writer(&mut buffer, &item).map_err(|error| error.to_string())?;
            self.content.write_all(&buffer).map_err(|error| error.to_string())?;
            self.count += 1;
        }
        Ok(page.metadata.next)
    }

    pub(super) fn finish(mut self) -> Result<SpooledTempFile, String> {
        let metadata = json!({"resourceVersion": self.resource_version});
        let end = match self.shape {
            Shape::Objects => {
                let (kind, version) = (json!(self.kind), json!(self.cleaner.api_version()));
                format!("\n],\"kind\":{kind},\"apiVersion\":{version},\"metadata\":{metadata}}}\n")
            }
            Shape::Rows => format!(
                "\n],\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{metadata},\
                 \"columnDefinitions\":{}}}\n",
                self.columns
            ),
        };
        self.content.write_all(end.as_bytes()).map_err(|error| error.to_string())?;
        Ok(self.content)
    }
}

/// Makes an object of a list fit to be kept.
pub(super) struct Cleaner {
    gvr: Gvr,
    options: Arc<WriteOptions>,
    notes: Arc<Notes>,
}

impl Cleaner {
    pub(super) fn new(recording: &Recording, gvr: Gvr) -> Self {
        Self { gvr, options: recording.options.clone(), notes: recording.notes.clone() }
    }

    /// False when it is not to be kept.
    pub(super) fn clean(&self, object: &mut Value) -> bool {
        if !self.covers(text(object, &["metadata", "namespace"])) {
            return false;
        }
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("managedFields");
        }
        if self.options.cut.is_some() {
            cut::object(object, &self.gvr.plural);
        }
        // Objects of a list do not say what they are.
        let is_secret = self.gvr.group.is_empty() && self.gvr.plural == "secrets";
        let redact = if is_secret { redact::redact_secret } else { redact::redact_value };
        self.notes.redacted(redact(object));
        true
    }

    /// A row needs to say only whose it is; the object itself is in the list.
    fn shorten(&self, row: &mut Value) -> bool {
        if !row.is_object() {
            return true;
        }
        let metadata = row.pointer("/object/metadata").unwrap_or(&Value::Null);
        if !self.covers(text(metadata, &["namespace"])) {
            return false;
        }
        let object = json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
            "metadata": {"namespace": metadata.get("namespace"), "name": metadata.get("name")},
        });
        row["object"] = object;
        self.notes.redacted(redact::redact_value(row));
        true
    }

    pub(super) fn api_version(&self) -> String {
        self.gvr.api_version()
    }

    /// What has no namespace is always kept.
    pub(super) fn covers(&self, namespace: &str) -> bool {
        namespace.is_empty() || !self.options.selection.excludes_namespace(namespace)
    }
}
