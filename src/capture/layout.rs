//! Reads our own layout: the folders of an archive, or the same unpacked.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Error;
use super::manifest::{FORMAT, Manifest, PATH};
use super::store::{Gvr, Kind, LogFile, LogPart, Resource, Store, text};
use super::tree::FileTree;
use super::types::{self, ResourceType};
use crate::report::Skipped;

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
    store.version = read_json(&store, "cluster/version.json").ok();
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

fn read_json(store: &Store, path: &str) -> Result<Value, String> {
    let content = store.tree.document(path)?;
    serde_json::from_slice(&content).map_err(|error| format!("damaged: no valid JSON: {error}"))
}

/// A document's path without its folder and ending, and its content.
type Document = (String, Result<Value, String>);

/// The JSON files below a folder, in order.
fn documents(store: &mut Store, folder: &str) -> Vec<Document> {
    let paths =
        store.tree.below(folder).filter_map(|path| path.strip_suffix(".json")).map(str::to_owned).collect::<Vec<_>>();
    let contents = read_all(store, &paths);
    let mut documents = Vec::new();
    for (path, content) in std::iter::zip(paths, contents) {
        if let Err(why) = &content {
            store.skipped.push(Skipped::new(format!("{path}.json"), why.clone()));
        }
        documents.push((path[folder.len()..].to_owned(), content));
    }
    documents
}

/// Reads documents, sharing them out among threads: the list of pods alone may be most of a recording.
fn read_all(store: &Store, paths: &[String]) -> Vec<Result<Value, String>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(index) else { return done };
            done.push((index, read_json(store, &format!("{path}.json"))));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8).min(paths.len());
    let mut done = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for worker in workers {
            done.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, content)| content).collect()
}

fn read_discovery(store: &mut Store) {
    for (path, content) in documents(store, DISCOVERY) {
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
    for (path, content) in documents(store, RESOURCES) {
        let Some(gvr) = Gvr::from_path(&path) else {
            store.skipped.push(Skipped::new(format!("{RESOURCES}{path}.json"), "its place is that of no resource"));
            continue;
        };
        match content.and_then(|list| read_list(&gvr, list, store)) {
            Ok(resource) => drop(store.resources.insert(gvr, resource)),
            Err(why) => drop(store.why_not.insert(gvr, why)),
        }
    }
}

fn read_list(gvr: &Gvr, mut list: Value, store: &mut Store) -> Result<Resource, String> {
    let kind = text(&list, &["kind"]).strip_suffix("List").unwrap_or_default().to_owned();
    let known = store.types.get(gvr).map(|found| found.kind.clone());
    let mut resource = Resource::new(&known.unwrap_or(kind));
    text(&list, &["metadata", "resourceVersion"]).clone_into(&mut resource.version_of_list);
    let Some(items) = list.get_mut("items").and_then(Value::as_array_mut) else {
        let why = "damaged: the list has no items";
        store.skipped.push(Skipped::new(format!("{RESOURCES}{}.json", gvr.path()), why));
        return Err(why.to_owned());
    };
    for item in std::mem::take(items) {
        if resource.kind.is_empty() {
            text(&item, &["kind"]).clone_into(&mut resource.kind);
        }
        let name = format!("{} {}", gvr.path(), text(&item, &["metadata", "name"]));
        if !resource.push(item) {
            store.skipped.push(Skipped::new(name, "damaged: it has no name, or is there twice"));
        }
    }
    Ok(resource)
}

fn read_tables(store: &mut Store) {
    for (path, content) in documents(store, TABLES) {
        let (Some(gvr), Ok(table)) = (Gvr::from_path(&path), content) else { continue };
        if let Some(resource) = store.resources.get_mut(&gvr) {
            resource.table = Some(table.into());
        }
    }
}

/// Recorded resources and recorded definitions are served even where discovery was not recorded.
fn add_types(store: &mut Store) {
    if let Some(definitions) = store.resources.get(&Gvr::new("apiextensions.k8s.io", "v1", "customresourcedefinitions"))
    {
        for (gvr, found) in definitions.items.iter().flat_map(|item| ResourceType::from_definition(item)) {
            store.types.entry(gvr).or_insert(found);
        }
    }
    if store.discovery.is_empty() {
        for (gvr, found) in types::usual_types(false) {
            store.types.entry(gvr).or_insert(found);
        }
    }
    for (gvr, resource) in &store.resources {
        let namespaced = resource.items.iter().any(|item| item.pointer("/metadata/namespace").is_some());
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
