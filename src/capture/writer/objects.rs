//! Discovery, lists of objects, and the tables of the usual ones.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::Error;
use super::super::store::{Gvr, text};
use super::super::types::ResourceType;
use super::archive::Part;
use super::{Notes, Recording, cut};

/// Objects of a page of a list, so that memory does not grow with the cluster.
const PAGE: u64 = 500;
const PAGE_BYTES: usize = 512 << 20;
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// A resource that is listed.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    gvr: Gvr,
    namespaced: bool,
}

/// Records what the server serves, and answers what of it can be listed.
pub(super) async fn discover(recording: &Recording) -> Result<Vec<Listed>, Error> {
    let mut documents = vec!["api/v1".to_owned()];
    for path in ["api", "apis"] {
        let content = recording.get_once("the list of APIs", &format!("/{path}")).await?;
        let groups: Value = serde_json::from_slice(&content).unwrap_or_default();
        for group in groups.get("groups").and_then(Value::as_array).into_iter().flatten() {
            let versions = group.get("versions").and_then(Value::as_array);
            for version in versions.into_iter().flatten() {
                documents.push(format!("apis/{}", text(version, &["groupVersion"])));
            }
        }
        recording.add(format!("cluster/discovery/{path}.json"), content).await;
    }
    let mut listed = Vec::new();
    for path in documents {
        match recording.get(&format!("/{path}"), "application/json", PAGE_BYTES).await {
            Ok(content) => {
                let document: Value = serde_json::from_slice(&content).unwrap_or_default();
                let entries = document.get("resources").and_then(Value::as_array);
                for (plural, found) in entries.into_iter().flatten().filter_map(ResourceType::from_discovery) {
                    if let Some(gvr) = Gvr::from_path(&format!("{path}/{plural}")).filter(|_| found.listable) {
                        listed.push(Listed { gvr, namespaced: found.namespaced });
                    }
                }
                recording.add(format!("cluster/discovery/{path}.json"), content).await;
            }
            Err(why) => recording.skip(path, why),
        }
    }
    Ok(listed)
}

/// The resources that people look at as a table.
pub(super) fn has_table(listed: &Listed) -> bool {
    matches!(
        (listed.gvr.group.as_str(), listed.gvr.plural.as_str()),
        ("", "pods" | "services" | "events" | "namespaces" | "configmaps" | "nodes")
            | ("apps", "deployments" | "replicasets" | "statefulsets" | "daemonsets")
            | ("autoscaling", "horizontalpodautoscalers")
            | ("policy", "poddisruptionbudgets")
            | ("discovery.k8s.io", "endpointslices")
            | ("events.k8s.io", "events")
            | ("apiextensions.k8s.io", "customresourcedefinitions")
            | ("networking.istio.io", "virtualservices" | "destinationrules" | "gateways" | "serviceentries")
            | ("gateway.networking.k8s.io", "gateways")
    )
}

pub(super) async fn list(recording: &Recording, listed: &Listed) {
    let path = listed.gvr.path();
    match collect(recording, listed, Shape::Objects).await {
        Ok(file) => {
            let path = format!("cluster/resources/{path}.json");
            let _ = recording.parts.send(Part::Spooled { path, file }).await;
        }
        // The reader finds the reason by this name.
        Err(why) => recording.skip(path, why),
    }
}

pub(super) async fn table(recording: &Recording, listed: &Listed) {
    let path = listed.gvr.path();
    match collect(recording, listed, Shape::Rows).await {
        Ok(file) => {
            let path = format!("cluster/tables/{path}.json");
            let _ = recording.parts.send(Part::Spooled { path, file }).await;
        }
        Err(why) => recording.skip(format!("table of {path}"), why),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Objects,
    Rows,
}

/// The whole list in a file without a name, page after page.
async fn collect(recording: &Recording, listed: &Listed, shape: Shape) -> Result<File, String> {
    let mut spool = Spool::new(&recording.folder, listed.gvr.clone(), shape, recording)?;
    for path in paths(recording, listed) {
        let mut token = String::new();
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let target = format!("{path}{separator}limit={PAGE}{token}");
            let accept = if shape == Shape::Rows { TABLE } else { "application/json" };
            let content = recording.get(&target, accept, PAGE_BYTES).await?;
            // Reading and searching a page takes a while.
            let page = tokio::task::spawn_blocking(move || spool.add(&content).map(|next| (spool, next)));
            let (filled, next) = page.await.map_err(|error| error.to_string())??;
            spool = filled;
            if next.is_empty() {
                break;
            }
            token = format!("&continue={}", url::form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>());
        }
    }
    spool.finish()
}

/// Everything at once, or one namespace after the other.
fn paths(recording: &Recording, listed: &Listed) -> Vec<String> {
    let path = listed.gvr.path();
    let namespaces = &recording.options.namespaces;
    if namespaces.is_empty() || (!listed.namespaced && listed.gvr.plural != "namespaces") {
        return vec![format!("/{path}")];
    }
    let Some((version, plural)) = path.rsplit_once('/') else { return vec![format!("/{path}")] };
    if listed.gvr.group.is_empty() && plural == "namespaces" {
        // The cluster is known by this one, whatever is asked for.
        let kube_system = "kube-system".to_owned();
        let names = namespaces.iter().filter(|name| **name != kube_system).chain([&kube_system]);
        return names.map(|name| format!("/{path}?fieldSelector=metadata.name%3D{name}")).collect();
    }
    namespaces.iter().map(|namespace| format!("/{version}/namespaces/{namespace}/{plural}")).collect()
}

/// A list under way.
struct Spool {
    file: BufWriter<File>,
    gvr: Gvr,
    shape: Shape,
    count: u64,
    kind: String,
    resource_version: String,
    columns: Value,
    cut: bool,
    notes: Arc<Notes>,
}

impl Spool {
    fn new(folder: &Path, gvr: Gvr, shape: Shape, recording: &Recording) -> Result<Self, String> {
        let file = tempfile::tempfile_in(folder).map_err(|error| format!("no temporary file: {error}"))?;
        let mut file = BufWriter::new(file);
        let start = if shape == Shape::Rows { "{\"rows\":[" } else { "{\"items\":[" };
        file.write_all(start.as_bytes()).map_err(|error| error.to_string())?;
        let (cut, notes) = (recording.options.cut.is_some(), recording.notes.clone());
        let (kind, resource_version) = (String::new(), String::new());
        Ok(Self { file, gvr, shape, count: 0, kind, resource_version, columns: Value::Null, cut, notes })
    }

    /// Adds a page; answers the token of the next one, or the empty string.
    fn add(&mut self, content: &[u8]) -> Result<String, String> {
        let mut page: Value =
            serde_json::from_slice(content).map_err(|error| format!("the answer is no JSON: {error}"))?;
        text(&page, &["kind"]).clone_into(&mut self.kind);
        text(&page, &["metadata", "resourceVersion"]).clone_into(&mut self.resource_version);
        let next = text(&page, &["metadata", "continue"]).to_owned();
        if let Some(columns) = page.get_mut("columnDefinitions") {
            self.columns = columns.take();
        }
        let items = page.get_mut(if self.shape == Shape::Rows { "rows" } else { "items" });
        // An empty list may be written as null.
        let items = match items {
            Some(Value::Array(items)) => std::mem::take(items),
            Some(Value::Null) => Vec::new(),
            _ => return Err("the answer is no list".to_owned()),
        };
        for mut item in items {
            match self.shape {
                Shape::Objects => self.clean(&mut item),
                Shape::Rows => shorten(&mut item),
            }
            let separator: &[u8] = if self.count > 0 { b",\n" } else { b"\n" };
            self.file.write_all(separator).map_err(|error| error.to_string())?;
            serde_json::to_writer(&mut self.file, &item).map_err(|error| error.to_string())?;
            self.count += 1;
        }
        Ok(next)
    }

    fn clean(&self, object: &mut Value) {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.shift_remove("managedFields");
        }
        if self.cut {
            cut::object(object, &self.gvr.plural);
        }
        // Objects of a list do not say what they are.
        let is_secret = self.gvr.group.is_empty() && self.gvr.plural == "secrets";
        let redact = if is_secret { crate::redact::redact_secret } else { crate::redact::redact_value };
        self.notes.redacted(redact(object));
    }

    fn finish(mut self) -> Result<File, String> {
        let metadata = json!({"resourceVersion": self.resource_version});
        let end = match self.shape {
            Shape::Objects => {
                let (kind, version) = (json!(self.kind), json!(self.gvr.api_version()));
                format!("\n],\"kind\":{kind},\"apiVersion\":{version},\"metadata\":{metadata}}}\n")
            }
            Shape::Rows => format!(
                "\n],\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":{metadata},\
                 \"columnDefinitions\":{}}}\n",
                self.columns
            ),
        };
        self.file.write_all(end.as_bytes()).map_err(|error| error.to_string())?;
        self.file.into_inner().map_err(|error| error.to_string())
    }
}

/// A row needs to say only whose it is; the object itself is in the list.
fn shorten(row: &mut Value) {
    if !row.is_object() {
        return;
    }
    let metadata = row.pointer("/object/metadata").unwrap_or(&Value::Null);
    let object = json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": {"namespace": metadata.get("namespace"), "name": metadata.get("name")},
    });
    row["object"] = object;
}

/// The uid of `kube-system` stands for the cluster.
pub(super) async fn cluster_id(recording: &Recording) -> Option<String> {
    const LIMIT: usize = 1 << 20;
    let content = recording.get("/api/v1/namespaces/kube-system", "application/json", LIMIT).await.ok()?;
    let namespace: Value = serde_json::from_slice(&content).ok()?;
    Some(text(&namespace, &["metadata", "uid"]).to_owned()).filter(|uid| !uid.is_empty())
}
