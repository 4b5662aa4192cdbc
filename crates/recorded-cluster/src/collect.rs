//! Objects from YAML and JSON documents, put where the API serves them. A document that cannot be read costs only
//! itself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::resource::Resource;
use super::store::{Gvr, Store, text};
use super::types::{self, ResourceType};
use report::Skipped;

/// Objects under way to a store.
#[derive(Default)]
pub(super) struct Objects {
    found: Vec<Found>,
    pub(super) skipped: Vec<Skipped>,
}

struct Found {
    object: Value,
    /// The file and the line, for messages.
    origin: String,
}

/// Lists in lists are no YAML that a cluster wrote.
const DEEPEST_LIST: usize = 4;

/// Definitions may claim any number of versions, and each holds the objects once more.
const MOST_VERSIONS: usize = 8;

impl Objects {
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Reads a file; true when all of it could be read.
    ///
    /// The YAML reader calls itself for each level, in steps that may be large, so that it gets a stack of its own
    /// that its bound on the depth fits in.
    pub(super) fn read(&mut self, file: &str, content: &[u8]) -> bool {
        const STACK: usize = 64 << 20;
        let read = std::thread::scope(|scope| {
            let reader = std::thread::Builder::new().stack_size(STACK);
            let reader =
                reader.spawn_scoped(scope, || self.read_here(file, content)).map_err(|error| error.to_string())?;
            reader.join().map_err(|_| "the YAML reader panicked".to_owned())
        });
        read.unwrap_or_else(|why| {
            self.skipped.push(Skipped::new(file, why));
            false
        })
    }

    fn read_here(&mut self, file: &str, content: &[u8]) -> bool {
        let before = self.skipped.len();
        let Ok(content) = std::str::from_utf8(content) else {
            self.skipped.push(Skipped::new(file, "it is not text in UTF-8"));
            return false;
        };
        let content = content.trim_start_matches('\u{feff}');
        if content.trim_start().starts_with(['{', '['])
            && let Ok(documents) =
                serde_json::Deserializer::from_str(content).into_iter().collect::<Result<Vec<_>, _>>()
        {
            for document in documents {
                self.add(document, file, 0);
            }
            return self.skipped.len() == before;
        }
        for (line, document) in split(content) {
            let origin = format!("{file}:{line}");
            match parse(document) {
                Ok(Value::Null) => {}
                Ok(value) => self.add(value, &origin, 0),
                Err(why) => self.skipped.push(Skipped::new(origin, format!("no valid YAML: {why}"))),
            }
        }
        self.skipped.len() == before
    }

    /// An object, or the objects of a list.
    fn add(&mut self, mut value: Value, origin: &str, depth: usize) {
        let (kind, api_version) = (text(&value, &["kind"]).to_owned(), text(&value, &["apiVersion"]).to_owned());
        if let (Some(item_kind), Some(Value::Array(items))) = (kind.strip_suffix("List"), value.get_mut("items")) {
            if depth >= DEEPEST_LIST {
                return self.skipped.push(Skipped::new(origin, "lists are nested too deeply"));
            }
            for mut item in std::mem::take(items) {
                // Objects of a typed list have the kind of the list.
                if let Value::Object(fields) = &mut item
                    && !item_kind.is_empty()
                {
                    fields.entry("kind").or_insert_with(|| item_kind.into());
                    fields.entry("apiVersion").or_insert_with(|| api_version.as_str().into());
                }
                self.add(item, origin, depth + 1);
            }
            return;
        }
        if kind.is_empty() || api_version.is_empty() || text(&value, &["metadata", "name"]).is_empty() {
            let why = "no Kubernetes object: apiVersion, kind or metadata.name is missing";
            return self.skipped.push(Skipped::new(origin, why));
        }
        self.found.push(Found { object: value, origin: origin.to_owned() });
    }

    /// Puts each object into every version that serves it. `silent` says that the same object may come twice.
    pub(super) fn place(self, store: &mut Store, silent: bool) {
        for found in &self.found {
            for (gvr, found) in ResourceType::from_definition(&found.object) {
                if found.kind != "CustomResourceDefinition" {
                    store.types.insert(gvr, found);
                }
            }
        }
        for (gvr, found) in types::usual_types(true) {
            store.types.entry(gvr).or_insert(found);
        }
        store.skipped.extend(self.skipped);
        for Found { mut object, origin } in self.found {
            let kind = text(&object, &["kind"]).to_owned();
            let (versions, namespaced) = served_in(store, &object, &kind);
            default_namespace(&mut object, namespaced);
            for gvr in versions {
                let mut object = object.clone();
                object["apiVersion"] = gvr.api_version().into();
                let resource = store.resources.entry(gvr).or_insert_with(|| Resource::new(&kind));
                if !resource.push(&object) {
                    if !silent {
                        store.skipped.push(Skipped::new(origin, "an object of this kind and name was there before"));
                    }
                    break;
                }
            }
        }
    }
}

/// The resources that an object is one of. Custom resources without conversion have the same fields in each version.
fn served_in(store: &mut Store, object: &Value, kind: &str) -> (BTreeSet<Gvr>, bool) {
    let (group, version) =
        text(object, &["apiVersion"]).rsplit_once('/').unwrap_or(("", text(object, &["apiVersion"])));
    let of_kind = store.types.iter().filter(|(gvr, found)| gvr.group == group && found.kind == kind);
    let known = of_kind.map(|(gvr, found)| (gvr.clone(), found.namespaced)).collect::<Vec<_>>();
    let plural = known.first().map_or_else(|| types::guess_plural(kind), |(gvr, _)| gvr.plural.clone());
    let namespaced = known.first().map_or_else(|| object.pointer("/metadata/namespace").is_some(), |(_, is)| *is);
    let own = Gvr::new(group, version, &plural);
    store.types.entry(own.clone()).or_insert_with(|| ResourceType::guess(kind, namespaced));
    let mut versions = BTreeSet::from([own]);
    if group.contains('.') && !group.ends_with(".k8s.io") || group == "gateway.networking.k8s.io" {
        versions.extend(known.into_iter().map(|(gvr, _)| gvr).take(MOST_VERSIONS));
    }
    (versions, namespaced)
}

/// An object without a namespace would be created in `default`.
fn default_namespace(object: &mut Value, namespaced: bool) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        if namespaced {
            metadata.entry("namespace").or_insert_with(|| "default".into());
        } else {
            metadata.shift_remove("namespace");
        }
    }
}

/// The documents of a file, with the line that each begins at. A line that begins with `---` always ends a document,
/// because text in block scalars is indented.
fn split(content: &str) -> Vec<(usize, &str)> {
    let (mut documents, mut start, mut start_line, mut position) = (Vec::new(), 0, 1, 0);
    for (index, line) in content.split_inclusive('\n').enumerate() {
        let ends =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if ends {
            documents.push((start_line, &content[start..position]));
            // What follows the dashes on the same line belongs to the next document.
            (start, start_line) = (position + 3, index + 1);
        }
        position += line.len();
    }
    documents.push((start_line, &content[start..]));
    documents
        .retain(|(_, text)| text.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')));
    documents
}

/// Larger than the reader's own bounds, on purpose: a whole cluster may stand in one document. Without aliases it holds no
/// more than it is long; a few of them may repeat things, but never make gigabytes of it.
fn parse(document: &str) -> Result<Value, String> {
    let length = document.len().max(64 << 10);
    let mut budget = serde_saphyr::Budget::default();
    budget.max_events = length.saturating_mul(8).min(100_000_000);
    budget.max_nodes = length.saturating_mul(4).min(50_000_000);
    budget.max_total_scalar_bytes = length.saturating_mul(4).min(1 << 30);
    budget.max_depth = 100;
    let mut options = serde_saphyr::Options::default();
    options.budget = Some(budget);
    // Kubernetes reads `0755` as YAML 1.1 does.
    options.legacy_octal_numbers = true;
    serde_saphyr::from_str_with_options(document, options)
        .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
}
