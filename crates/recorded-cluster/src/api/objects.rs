//! Lists, single objects and watches, whole, as metadata only, or as a `Table`.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt;
use http::header;
use serde_json::{Map, Value, json};

use super::super::resource::{Item, Json, Resource};
use super::super::store::{Gvr, Lookup, NOT_RECORDED, Store, text};
use super::path::Query;
use super::selector::Selector;
use super::status::Status;
use super::{json as answer, table};

/// How a client wants its objects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    Table,
    Metadata,
}

/// The first form of the `Accept` header that we have, as `kubectl` sends several.
fn form(accept: &str) -> Form {
    for choice in accept.split(',') {
        let mut wanted = choice.split(';').skip(1).filter_map(|parameter| parameter.trim().strip_prefix("as="));
        match wanted.next() {
            Some("Table") => return Form::Table,
            Some("PartialObjectMetadataList" | "PartialObjectMetadata") => return Form::Metadata,
            Some(_) => {}
            None => return Form::Whole,
        }
    }
    Form::Whole
}

fn recorded<'a>(store: &'a Store, gvr: &Gvr) -> Result<&'a Resource, Status> {
    match store.lookup(gvr) {
        Lookup::Recorded(resource) => Ok(resource),
        Lookup::NotRecorded(why) => Err(Status::not_recorded(why)),
        Lookup::Unknown => Err(Status::unknown_path()),
    }
}

/// LIST and WATCH.
pub(super) fn collection(
    store: &Arc<Store>,
    gvr: &Gvr,
    namespace: Option<&str>,
    query: &Query,
    accept: &str,
) -> Result<Response, Status> {
    let resource = recorded(store, gvr)?;
    let selector = Selector::parse(query)?;
    let mut items: Vec<&Item> = Vec::new();
    for item in resource.items.iter().filter(|item| namespace.is_none_or(|namespace| item.namespace == namespace)) {
        if selector.matches(item)? {
            items.push(item);
        }
    }
    if query.is_set("watch") {
        return watch(gvr, resource, &items, query);
    }
    let metadata = paginate(resource, &mut items, query)?;
    match form(accept) {
        Form::Table => Ok(answer(&table::of_list(store, gvr, resource, &items, &metadata, query)?)),
        Form::Metadata => {
            let items = items.iter().map(|item| Ok(only_metadata(&item.object()?)));
            let items = items.collect::<std::io::Result<Vec<_>>>()?;
            let version = "meta.k8s.io/v1";
            Ok(answer(&json!({
                "kind": "PartialObjectMetadataList", "apiVersion": version, "metadata": metadata, "items": items,
            })))
        }
        Form::Whole => Ok(whole_list(gvr, resource, &items, &metadata)),
    }
}

/// The list as a stream of blocks, of which the objects are as they were recorded.
fn whole_list(gvr: &Gvr, resource: &Resource, items: &[&Item], metadata: &Value) -> Response {
    let start = format!(
        "{{\"kind\":{},\"apiVersion\":{},\"metadata\":{metadata},\"items\":[",
        json!(format!("{}List", resource.kind)),
        json!(gvr.api_version())
    );
    let mut pieces = vec![Json::Held(start.into())];
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            pieces.push(Json::Held(Bytes::from_static(b",")));
        }
        pieces.push(item.json().clone());
    }
    pieces.push(Json::Held(Bytes::from_static(b"]}")));
    let blocks = Blocks { pieces: pieces.into_iter(), open: None };
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(futures::stream::iter(blocks))).into_response()
}

/// Joins small pieces, as each block costs a write of its own.
struct Blocks {
    pieces: std::vec::IntoIter<Json>,
    open: Option<(Arc<Path>, File)>,
}

impl Iterator for Blocks {
    type Item = std::io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        const BLOCK: usize = 64 << 10;
        let mut block = Vec::new();
        while block.len() < BLOCK
            && let Some(piece) = self.pieces.next()
        {
            match piece.read(&mut self.open) {
                Ok(json) => block.extend_from_slice(&json),
                Err(error) => return Some(Err(error)),
            }
        }
        (!block.is_empty()).then(|| Ok(block.into()))
    }
}

/// Cuts `items` to the page that is asked for. The token is the number of objects before it, because nothing changes.
fn paginate(resource: &Resource, items: &mut Vec<&Item>, query: &Query) -> Result<Value, Status> {
    let mut metadata = json!({"resourceVersion": resource_version(resource)});
    let from = usize::try_from(query.number("continue")?.unwrap_or_default()).unwrap_or(usize::MAX);
    items.drain(..from.min(items.len()));
    let limit = query.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    if let Some(limit) = limit.filter(|limit| *limit < items.len()) {
        metadata["continue"] = json!((from + limit).to_string());
        metadata["remainingItemCount"] = json!(items.len() - limit);
        items.truncate(limit);
    }
    Ok(metadata)
}

fn resource_version(resource: &Resource) -> &str {
    if resource.version_of_list.is_empty() { "1" } else { &resource.version_of_list }
}

/// GET.
pub(super) fn object(
    store: &Arc<Store>,
    gvr: &Gvr,
    namespace: Option<&str>,
    name: &str,
    query: &Query,
    accept: &str,
) -> Result<Response, Status> {
    let resource = recorded(store, gvr)?;
    let item = resource.find(namespace.unwrap_or_default(), name).ok_or_else(|| {
        // What was cut or damaged is not the same as what was not there.
        let what = format!("{} {name}", gvr.path());
        match store.skipped.iter().find(|skipped| skipped.what == what) {
            Some(skipped) => Status::not_recorded(format!("{NOT_RECORDED}: {}", skipped.why)),
            None => Status::not_found(gvr, name),
        }
    })?;
    match form(accept) {
        Form::Table => {
            let metadata = json!({"resourceVersion": text(&item.object()?, &["metadata", "resourceVersion"])});
            Ok(answer(&table::of_list(store, gvr, resource, &[item], &metadata, query)?))
        }
        Form::Metadata => Ok(answer(&only_metadata(&item.object()?))),
        Form::Whole => Ok(answer(&typed(gvr, &resource.kind, &item.object()?))),
    }
}

/// Objects of a list do not always carry their kind; a single one does.
fn typed(gvr: &Gvr, kind: &str, item: &Value) -> Value {
    let mut object = Map::new();
    object.insert("kind".into(), json!(kind));
    object.insert("apiVersion".into(), json!(gvr.api_version()));
    for (name, value) in item.as_object().into_iter().flatten() {
        object.insert(name.clone(), value.clone());
    }
    Value::Object(object)
}

pub(super) fn only_metadata(item: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item.get("metadata")})
}

/// Tells what is there, then nothing: a recording does not change. It stays open until the client leaves or its time
/// is over, as a quiet cluster would.
fn watch(gvr: &Gvr, resource: &Resource, items: &[&Item], query: &Query) -> Result<Response, Status> {
    let initial = query.is_set("sendInitialEvents");
    let from_start = matches!(query.get("resourceVersion"), None | Some("0"));
    let mut events = Vec::new();
    if initial || from_start {
        for item in items {
            events.push(event("ADDED", &typed(gvr, &resource.kind, &item.object()?)));
        }
    }
    if initial {
        let bookmark = json!({
            "kind": resource.kind, "apiVersion": gvr.api_version(),
            "metadata": {
                "resourceVersion": resource_version(resource), "annotations": {"k8s.io/initial-events-end": "true"},
            },
        });
        events.push(event("BOOKMARK", &bookmark));
    }
    let seconds = query.number("timeoutSeconds")?;
    let quiet = async move {
        match seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
        Ok::<_, std::convert::Infallible>(Bytes::new())
    };
    let stream = futures::stream::iter(events.into_iter().map(Ok)).chain(futures::stream::once(quiet));
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(stream)).into_response())
}

fn event(kind: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{}\n", json!({"type": kind, "object": object})))
}
