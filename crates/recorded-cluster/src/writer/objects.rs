//! Discovery, lists of objects, and the tables of the usual ones.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::Error;
use super::super::store::{Gvr, text};
use super::super::types::ResourceType;
use super::budget::Section;
use super::recording::Recording;
use super::spool::{Shape, Spool};

/// Objects of a page of a list, so that memory does not grow with the cluster.
const PAGE: u64 = 100;
const PAGE_BYTES: usize = 256 << 20;
pub(super) const JSON: &str = "application/json";
pub(super) const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";

/// A resource that is listed.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) gvr: Gvr,
    pub(super) namespaced: bool,
    /// Of its own documents and categories: `all`.
    pub(super) categories: Vec<String>,
}

/// A part of a list, as it came.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Page {
    pub(super) kind: String,
    pub(super) metadata: PageMetadata,
    pub(super) column_definitions: Option<Value>,
    /// An empty list may be written as null.
    pub(super) items: Option<Vec<Box<RawValue>>>,
    pub(super) rows: Option<Vec<Box<RawValue>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PageMetadata {
    #[serde(rename = "continue")]
    pub(super) next: String,
    pub(super) resource_version: String,
}

impl Page {
    pub(crate) fn parse(content: &[u8]) -> Result<Self, String> {
        let page: Self = serde_json::from_slice(content).map_err(|error| format!("the answer is no list: {error}"))?;
        let is_list =
            page.kind.ends_with("List") || page.kind == "Table" || page.items.is_some() || page.rows.is_some();
        if is_list { Ok(page) } else { Err("the answer is no list".to_owned()) }
    }
}

/// Records what the server serves, and answers what of it can be listed.
pub(super) async fn discover(recording: &Recording, keep: bool) -> Result<Vec<Listed>, Error> {
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
        if keep {
            recording.add(format!("cluster/discovery/{path}.json"), &content).await;
        }
    }
    let mut listed = Vec::new();
    for path in documents {
        match recording.get(&format!("/{path}"), JSON, PAGE_BYTES).await {
            Ok(content) => {
                let document: Value = serde_json::from_slice(&content).unwrap_or_default();
                let entries = document.get("resources").and_then(Value::as_array);
                for (plural, found) in entries.into_iter().flatten().filter_map(ResourceType::from_discovery) {
                    if let Some(gvr) = Gvr::from_path(&format!("{path}/{plural}")).filter(|_| found.listable) {
                        listed.push(Listed { gvr, namespaced: found.namespaced, categories: found.categories });
                    }
                }
                if keep {
                    recording.add(format!("cluster/discovery/{path}.json"), &content).await;
                }
            }
            Err(why) => recording.fail(&format!("cluster/discovery/{path}.json"), &path, &why).await,
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
    let file = format!("cluster/resources/{path}.json");
    match collect(recording, listed, Shape::Objects).await {
        Ok(content) => recording.put(Section::Objects, file, content).await,
        // The reader finds the reason by this name.
        Err(why) => recording.fail(&file, &path, &why).await,
    }
}

pub(super) async fn table(recording: &Recording, listed: &Listed) {
    let path = listed.gvr.path();
    let file = format!("cluster/tables/{path}.json");
    match collect(recording, listed, Shape::Rows).await {
        Ok(content) => recording.put(Section::Objects, file, content).await,
        Err(why) => recording.fail(&file, &format!("table of {path}"), &why).await,
    }
}

/// The whole list, page after page.
async fn collect(recording: &Recording, listed: &Listed, shape: Shape) -> Result<tempfile::SpooledTempFile, String> {
    recording.spent.allows(Section::Objects)?;
    let mut spool = Spool::new(recording, listed.gvr.clone(), shape)?;
    let accept = if shape == Shape::Rows { TABLE } else { JSON };
    for path in paths(recording, listed) {
        let mut token = String::new();
        loop {
            let content = part(recording, &path, accept, &token).await?;
            // Reading and searching a page takes a while.
            let page = tokio::task::spawn_blocking(move || spool.add(&content).map(|next| (spool, next)));
            let (filled, next) = page.await.map_err(|error| error.to_string())??;
            (spool, token) = (filled, next);
            if token.is_empty() {
                break;
            }
        }
    }
    spool.finish()
}

/// One page of a list.
pub(super) async fn part(recording: &Recording, path: &str, accept: &str, token: &str) -> Result<Vec<u8>, String> {
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut target = format!("{path}{separator}limit={PAGE}");
    if !token.is_empty() {
        let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        target = format!("{target}&continue={token}");
    }
    recording.get(&target, accept, PAGE_BYTES).await
}

/// Every object below these paths, one at a time.
pub(super) async fn for_each(
    recording: &Recording,
    paths: &[String],
    mut each: impl FnMut(Box<RawValue>),
) -> Result<(), String> {
    for path in paths {
        let mut token = String::new();
        loop {
            let page = Page::parse(&part(recording, path, JSON, &token).await?)?;
            page.items.into_iter().flatten().for_each(&mut each);
            token = page.metadata.next;
            if token.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

/// Where the objects of a resource are that has namespaces.
pub(super) fn paths_of(recording: &Recording, gvr: &Gvr) -> Vec<String> {
    paths(recording, &Listed { gvr: gvr.clone(), namespaced: true, categories: Vec::new() })
}

/// Everything at once, or one namespace after the other.
pub(super) fn paths(recording: &Recording, listed: &Listed) -> Vec<String> {
    let path = listed.gvr.path();
    let namespaces = &recording.options.namespaces;
    let is_namespaces = listed.gvr.group.is_empty() && listed.gvr.plural == "namespaces";
    if namespaces.is_empty() || !(listed.namespaced || is_namespaces) {
        return vec![format!("/{path}")];
    }
    if is_namespaces {
        // The cluster is known by this one, whatever is asked for.
        let kube_system = "kube-system".to_owned();
        let names = namespaces.iter().filter(|name| **name != kube_system).chain([&kube_system]);
        return names.map(|name| format!("/{path}?fieldSelector=metadata.name%3D{name}")).collect();
    }
    paths_in(namespaces, &listed.gvr)
}

/// The objects of a resource in these namespaces.
pub(super) fn paths_in(namespaces: &[String], gvr: &Gvr) -> Vec<String> {
    let path = gvr.path();
    let Some((version, plural)) = path.rsplit_once('/') else { return Vec::new() };
    namespaces.iter().map(|namespace| format!("/{version}/namespaces/{namespace}/{plural}")).collect()
}

/// The uid of `kube-system` stands for the cluster.
pub(super) async fn cluster_id(recording: &Recording) -> Option<String> {
    const LIMIT: usize = 1 << 20;
    let content = recording.get("/api/v1/namespaces/kube-system", JSON, LIMIT).await.ok()?;
    let namespace: Value = serde_json::from_slice(&content).ok()?;
    Some(text(&namespace, &["metadata", "uid"]).to_owned()).filter(|uid| !uid.is_empty())
}
