//! Reads our own layout: the folders of an archive, or the same unpacked.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::Error;
use super::manifest::{FORMAT, Manifest, PATH};
use super::resource::{Json, Resource};
use super::store::{Gvr, Kind, LogFile, LogPart, Store, text};
use super::tree::FileTree;
use super::types::{self, ResourceType};
use report::Skipped;
use threads::share_out;

const RESOURCES: &str = "cluster/resources/";
const TABLES: &str = "cluster/tables/";
const DISCOVERY: &str = "cluster/discovery/";

pub(super) fn is_own(tree: &FileTree) -> bool {
    tree.contains(PATH) || tree.below(RESOURCES).next().is_some()
}

pub(super) fn load(mut tree: FileTree, path: &Path) -> Result<Store, Error> {
    let manifest = read_manifest(&tree, path)?;
    let mut damaged = Vec::new();
    if let Some(manifest) = &manifest {
        damaged = remove_damaged(&mut tree, manifest);
    }
    let mut store = Store::new(Kind::Own, tree);
    store.skipped.extend(damaged);
    read_discovery(&mut store);
    read_resources(&mut store);
    read_tables(&mut store);
    let complete = manifest.is_some();
    if let Some(manifest) = manifest {
        store.recorded_at = Some(manifest.recorded_at);
        store.cluster_id = manifest.cluster_id;
        store.skipped.extend(manifest.skipped);
    }
    store.version = store.tree.document("cluster/version.json").and_then(|content| parse(&content)).ok();
    add_types(&mut store);
    add_absent(&mut store, complete);
    find_logs(&mut store);
    Ok(store)
}

fn read_manifest(tree: &FileTree, path: &Path) -> Result<Option<Manifest>, Error> {
    if !tree.contains(PATH) {
        return Ok(None);
    }
    let damaged = |why: &dyn std::fmt::Display| Error::Damaged {
        path: path.into(),
        why: format!("its manifest cannot be read: {why}"),
    };
    let content = tree.document(PATH).map_err(|why| damaged(&why))?;
    let manifest: Manifest = serde_json::from_slice(&content).map_err(|error| damaged(&error))?;
    if manifest.format > FORMAT {
        let why = format!("its format {} is newer than this program ({FORMAT}): use a newer one", manifest.format);
        return Err(Error::NotACapture { path: path.into(), why });
    }
    Ok(Some(manifest))
}

/// A file that is not what the manifest says is not served, so that nobody judges from it.
fn remove_damaged(tree: &mut FileTree, manifest: &Manifest) -> Vec<Skipped> {
    let mut skipped = Vec::new();
    for (path, expected) in &manifest.files {
        let why = match checksum(tree, path) {
            Ok((size, sha256)) if size == expected.size && sha256 == expected.sha256 => continue,
            Ok(_) => "damaged: its checksum does not match the manifest".to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "damaged: the file is missing".to_owned(),
            Err(error) => format!("damaged: it cannot be read: {error}"),
        };
        tree.forget(path);
        skipped.push(Skipped::new(path.clone(), why));
    }
    skipped
}

fn checksum(tree: &FileTree, path: &str) -> std::io::Result<(u64, String)> {
    let mut reader = tree.reader(path)?;
    let (mut digest, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok((size, hexadecimal(&digest.finalize()))),
            length => {
                digest.update(&buffer[..length]);
                size += length as u64;
            }
        }
    }
}

/// Bytes as hexadecimal digits, as checksums are written.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("a half byte is one digit"));
        }
        text
    })
}

/// A document's path without its folder and ending, and what was read from it.
type Document<T> = (String, Result<T, String>);

/// Reads the JSON files below a folder, in order.
fn documents<T: Send>(
    store: &mut Store,
    folder: &str,
    read: impl Fn(&str, &Arc<Path>, &[u8]) -> Result<T, String> + Sync,
) -> Vec<Document<T>> {
    let paths =
        store.tree.below(folder).filter_map(|path| path.strip_suffix(".json")).map(|path| &path[folder.len()..]);
    let paths = paths.map(str::to_owned).collect::<Vec<_>>();
    // The list of pods alone may be most of a recording.
    let contents = share_out(&paths, |path| {
        let file = format!("{folder}{path}.json");
        let content = store.tree.document(&file)?;
        read(path, &store.tree.place(&file).into(), &content)
    });
    let documents = std::iter::zip(paths, contents).collect::<Vec<_>>();
    for (path, content) in &documents {
        if let Err(why) = content {
            store.skipped.push(Skipped::new(format!("{folder}{path}.json"), why.clone()));
        }
    }
    documents
}

fn parse<'a, T: Deserialize<'a>>(content: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(content).map_err(|error| format!("damaged: no valid JSON: {error}"))
}

fn read_discovery(store: &mut Store) {
    for (path, content) in documents(store, DISCOVERY, |_, _, content| parse::<Value>(content)) {
        let Ok(document) = content else { continue };
        if let Some(entries) = document.get("resources").and_then(Value::as_array) {
            for (plural, found) in entries.iter().filter_map(ResourceType::from_discovery) {
                if let Some(gvr) = Gvr::from_path(&format!("{path}/{plural}")) {
                    store.types.insert(gvr, found);
                }
            }
        }
        store.discovery.insert(path, document);
    }
}

fn read_resources(store: &mut Store) {
    for (path, list) in documents(store, RESOURCES, read_list) {
        let Some(gvr) = Gvr::from_path(&path) else {
            store.skipped.push(Skipped::new(format!("{RESOURCES}{path}.json"), "its place is that of no resource"));
            continue;
        };
        match list {
            Ok(List { mut resource, skipped }) => {
                if let Some(known) = store.types.get(&gvr) {
                    resource.kind.clone_from(&known.kind);
                }
                store.skipped.extend(skipped);
                store.resources.insert(gvr, resource);
            }
            Err(why) => drop(store.why_not.insert(gvr, why)),
        }
    }
}

/// What a list of objects holds, and which of them could not be read.
struct List {
    resource: Resource,
    skipped: Vec<Skipped>,
}

fn read_list(path: &str, file: &Arc<Path>, content: &[u8]) -> Result<List, String> {
    #[derive(Deserialize)]
    struct Written<'a> {
        kind: Option<String>,
        #[serde(default)]
        metadata: Value,
        #[serde(borrow)]
        items: Option<Vec<&'a RawValue>>,
    }
    let written: Written<'_> = parse(content)?;
    let items = written.items.ok_or("damaged: the list has no items")?;
    let kind = written.kind.unwrap_or_default();
    let mut resource = Resource::new(kind.strip_suffix("List").unwrap_or_default());
    text(&written.metadata, &["resourceVersion"]).clone_into(&mut resource.version_of_list);
    let mut skipped = Vec::new();
    for item in items {
        let object: Value = match serde_json::from_str(item.get()) {
            Ok(object) => object,
            Err(error) => {
                skipped.push(Skipped::new(path, format!("damaged: an object in it cannot be read: {error}")));
                continue;
            }
        };
        if resource.kind.is_empty() {
            text(&object, &["kind"]).clone_into(&mut resource.kind);
        }
        let json = || Json::InFile {
            file: Arc::clone(file),
            start: (item.get().as_ptr().addr() - content.as_ptr().addr()) as u64,
            length: item.get().len(),
        };
        if !resource.push_recorded(&object, json) {
            let name = format!("{path} {}", text(&object, &["metadata", "name"]));
            skipped.push(Skipped::new(name, "damaged: it has no name, or is there twice"));
        }
    }
    Ok(List { resource, skipped })
}

fn read_tables(store: &mut Store) {
    let whole = |_: &str, file: &Arc<Path>, content: &[u8]| {
        parse::<&RawValue>(content).map(|_| Json::InFile { file: Arc::clone(file), start: 0, length: content.len() })
    };
    for (path, content) in documents(store, TABLES, whole) {
        let (Some(gvr), Ok(table)) = (Gvr::from_path(&path), content) else { continue };
        if let Some(resource) = store.resources.get_mut(&gvr) {
            resource.table = Some(table);
        }
    }
}

/// Recorded resources and recorded definitions are served even where discovery was not recorded.
fn add_types(store: &mut Store) {
    if let Some(definitions) = store.resources.get(&Gvr::new("apiextensions.k8s.io", "v1", "customresourcedefinitions"))
    {
        for (gvr, found) in definitions.objects().flat_map(|item| ResourceType::from_definition(&item)) {
            store.types.entry(gvr).or_insert(found);
        }
    }
    if store.discovery.is_empty() {
        for (gvr, found) in types::usual_types(false) {
            store.types.entry(gvr).or_insert(found);
        }
    }
    for (gvr, resource) in &store.resources {
        let namespaced = resource.items.iter().any(|item| !item.namespace.is_empty());
        store.types.entry(gvr.clone()).or_insert_with(|| ResourceType::guess(&resource.kind, namespaced));
    }
}

/// Lists that are not there. An archive with a manifest has every list it could record, the empty ones too. A folder
/// without one may leave empty lists out: then an absent list is empty, unless it never is in a cluster.
fn add_absent(store: &mut Store, complete: bool) {
    for (gvr, found) in &store.types {
        if !found.listable || store.resources.contains_key(gvr) || store.why_not.contains_key(gvr) {
            continue;
        }
        if !complete && !types::is_never_empty(gvr) {
            store.resources.insert(gvr.clone(), Resource::new(&found.kind));
        } else if !store.skipped.iter().any(|skipped| skipped.what == gvr.path()) {
            store.skipped.push(Skipped::new(gvr.path(), "not recorded"));
        }
    }
    for skipped in &store.skipped {
        if let Some(gvr) = Gvr::from_path(&skipped.what).filter(|gvr| !store.resources.contains_key(gvr)) {
            store.why_not.insert(gvr, skipped.why.clone());
        }
    }
}

fn find_logs(store: &mut Store) {
    for path in store.tree.below("logs/") {
        let [_, namespace, pod, file] = path.split('/').collect::<Vec<_>>()[..] else { continue };
        let Some(name) = file.strip_suffix(".log") else { continue };
        let (container, previous) = name.strip_suffix(".previous").map_or((name, false), |container| (container, true));
        let key = (namespace.to_owned(), pod.to_owned(), container.to_owned(), previous);
        store.logs.insert(key, LogFile { path: path.to_owned(), part: LogPart::Whole });
    }
}
