//! Lists, objects and tables of any resource.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Cluster, Error, Resource, check_name};
use crate::budget::Page;
use report::Skipped;

/// To read more JSON than that takes a while.
const LARGE: usize = 64 << 10;
/// Objects per request of a list, as kubectl asks.
const PAGE: usize = 500;
/// Namespaces that are asked one by one for a caller who may not list all of them at once.
const MAX_NAMESPACES: usize = 200;
const TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    All,
    Namespaces(Vec<String>),
}

impl Scope {
    /// The namespaces that were asked for; none means all.
    pub fn of(namespaces: &[String]) -> Self {
        if namespaces.is_empty() { Self::All } else { Self::Namespaces(namespaces.to_vec()) }
    }
}

/// What a list gave, and which part of it could not be read.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    pub items: Vec<T>,
    pub skipped: Vec<Skipped>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { items: Vec::new(), skipped: Vec::new() }
    }
}

/// A list as the API server prints it (<https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables>).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Table {
    #[serde(rename = "columnDefinitions", default)]
    pub columns: Vec<TableColumn>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub rows: Vec<TableRow>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TableColumn {
    pub name: String,
    /// Columns above 0 are shown in wide output only.
    #[serde(default)]
    pub priority: i32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TableRow {
    /// Texts and numbers, as the server gives them.
    pub cells: Vec<Value>,
    /// Which object this row is of.
    #[serde(default, deserialize_with = "null_as_default")]
    pub object: TableObject,
}

/// Of a row's metadata, no more than the name is kept: annotations may be most of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TableObject {
    pub metadata: TableMetadata,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct TableMetadata {
    pub namespace: Option<String>,
    pub name: Option<String>,
}

impl TableRow {
    pub fn namespace(&self) -> Option<&str> {
        self.object.metadata.namespace.as_deref()
    }

    pub fn name(&self) -> Option<&str> {
        self.object.metadata.name.as_deref()
    }
}

fn null_as_default<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct ListPage<T> {
    #[serde(default = "Vec::new", deserialize_with = "null_as_default")]
    items: Vec<T>,
    #[serde(default)]
    metadata: PageMeta,
}

#[derive(Default, Deserialize)]
struct PageMeta {
    #[serde(rename = "continue", default)]
    next: Option<String>,
}

impl Cluster {
    /// All objects of a resource in a scope. A caller who may not list all namespaces at once gets those that he
    /// may; the rest is skipped.
    pub async fn list<T: DeserializeOwned + Send>(
        &self,
        resource: &Resource,
        scope: &Scope,
        selector: Option<&str>,
    ) -> Result<Listed<T>, Error> {
        match scope {
            _ if !resource.namespaced => self.list_in(resource, None, selector).await.map(complete),
            Scope::All => match self.list_in(resource, None, selector).await {
                Err(Error::Forbidden { what, why }) => self.list_where_allowed(resource, selector, &what, &why).await,
                result => result.map(complete),
            },
            Scope::Namespaces(namespaces) => self.list_each(resource, namespaces, selector).await,
        }
    }

    async fn list_each<T: DeserializeOwned + Send>(
        &self,
        resource: &Resource,
        namespaces: &[String],
        selector: Option<&str>,
    ) -> Result<Listed<T>, Error> {
        let lists: Vec<_> = stream::iter(namespaces.to_vec())
            .map(|namespace| async move { self.list_in(resource, Some(&namespace), selector).await })
            .buffered(8)
            .collect()
            .await;
        let mut listed = Listed::default();
        let only = lists.len() == 1;
        for list in lists {
            match list {
                Ok(items) => listed.items.extend(items),
                // The only place that was asked for is the answer; one of several is a part.
                Err(error) if only || error.is_fatal() => return Err(error),
                Err(error) => listed.skipped.push(error.skipped()),
            }
        }
        Ok(listed)
    }

    async fn list_where_allowed<T: DeserializeOwned + Send>(
        &self,
        resource: &Resource,
        selector: Option<&str>,
        what: &str,
        why: &str,
    ) -> Result<Listed<T>, Error> {
        let forbidden = || Error::Forbidden { what: what.to_owned(), why: why.to_owned() };
        let own = self.through(self.own_client().clone());
        let names: Vec<Value> = match own.list_in(&Resource::namespaces(), None, None).await {
            Ok(names) => names,
            Err(error) if error.is_fatal() => return Err(error),
            Err(_) => return Err(forbidden()),
        };
        let mut namespaces = Vec::new();
        for namespace in names.iter().take(MAX_NAMESPACES) {
            namespaces.extend(namespace.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned));
        }
        let results: Vec<_> = stream::iter(namespaces)
            .map(|namespace| async move { self.list_in(resource, Some(&namespace), selector).await })
            .buffered(8)
            .collect()
            .await;
        let mut items = Vec::new();
        let mut allowed = 0_usize;
        for result in results {
            match result {
                Ok(list) => {
                    allowed += 1;
                    items.extend(list);
                }
                Err(error) if error.is_fatal() => return Err(error),
                Err(_) => {}
            }
        }
        // Which namespaces there are besides is not the caller's to know.
        let rest = format!("{} outside the {allowed} namespaces that you may read", resource.plural);
        if allowed == 0 {
            return Err(forbidden());
        }
        Ok(Listed { items, skipped: vec![Skipped::new(rest, format!("forbidden: {why}"))] })
    }

    /// One namespace, or all at once, page by page.
    async fn list_in<T: DeserializeOwned + Send>(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Vec<T>, Error> {
        let what = described(resource, namespace);
        let mut items = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut query = vec![("limit", PAGE.to_string())];
            if let Some(selector) = selector {
                query.push(("labelSelector", selector.to_owned()));
            }
            if let Some(token) = &next {
                query.push(("continue", token.clone()));
            }
            let path = resource.path(namespace, None)?;
            let page: ListPage<T> = match self.get_json(&what, &path, &query, "application/json").await {
                // The pages' snapshot has expired: begin anew.
                Err(Error::Api { status: 410, .. }) if next.is_some() => {
                    items.clear();
                    next = None;
                    continue;
                }
                page => page?,
            };
            items.extend(page.items);
            match page.metadata.next.filter(|token| !token.is_empty()) {
                Some(token) => next = Some(token),
                None => return Ok(items),
            }
        }
    }

    /// One object.
    pub async fn get<T: DeserializeOwned>(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<T, Error> {
        let namespace = namespace.filter(|_| resource.namespaced);
        let what = match namespace {
            Some(namespace) => format!("{} {namespace}/{name}", resource.kind),
            None => format!("{} {name}", resource.kind),
        };
        let path = resource.path(namespace, Some(name))?;
        self.get_json(&what, &path, &[], "application/json").await
    }

    /// What `kubectl get` prints for this list.
    pub async fn table(
        &self,
        resource: &Resource,
        scope: &Scope,
        name: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Table, Error> {
        let mut query = Vec::new();
        if let Some(selector) = selector {
            query.push(("labelSelector", selector.to_owned()));
        }
        let namespaces: Vec<Option<String>> = match scope {
            Scope::Namespaces(names) if resource.namespaced => names.iter().cloned().map(Some).collect(),
            _ => vec![None],
        };
        let tables: Vec<Table> = stream::iter(namespaces)
            .map(|namespace| {
                let query = &query;
                async move {
                    let path = resource.path(namespace.as_deref(), name)?;
                    self.get_json(&described(resource, namespace.as_deref()), &path, query, TABLE).await
                }
            })
            .buffered(8)
            .try_collect()
            .await?;
        Ok(tables.into_iter().reduce(joined).unwrap_or_default())
    }

    /// Deletes one object, if it still is the one with this uid. `dry_run` lets the API server check everything and
    /// change nothing.
    pub async fn delete(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        uid: &str,
        grace_period_s: Option<u32>,
        dry_run: bool,
    ) -> Result<(), Error> {
        let what = format!("{} {}/{name}", resource.kind, namespace.unwrap_or_default());
        let mut options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": { "uid": uid }, "propagationPolicy": "Background",
        });
        if let Some(seconds) = grace_period_s {
            options["gracePeriodSeconds"] = json!(seconds);
        }
        if dry_run {
            options["dryRun"] = json!(["All"]);
        }
        let path = resource.path(namespace, Some(name))?;
        self.write(&what, http::Method::DELETE, &path, "application/json", &options).await
    }

    /// Merges a patch into one object, as kubectl does.
    pub async fn patch(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
        dry_run: bool,
    ) -> Result<(), Error> {
        let what = format!("{} {}/{name}", resource.kind, namespace.unwrap_or_default());
        let mut query = vec![("fieldManager", "meshtriage".to_owned())];
        if dry_run {
            query.push(("dryRun", "All".to_owned()));
        }
        let path = with_query(&resource.path(namespace, Some(name))?, &query);
        self.write(&what, http::Method::PATCH, &path, "application/strategic-merge-patch+json", patch).await
    }

    async fn write(
        &self,
        what: &str,
        method: http::Method,
        path: &str,
        content_type: &str,
        body: &Value,
    ) -> Result<(), Error> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, content_type)
            .body(Body::from(serde_json::to_vec(body).expect("a Value is JSON")))
            .map_err(|error| Error::of(what, kube::Error::HttpError(error)))?;
        self.send(what, request).await.map(|_| ())
    }

    /// A JSON answer of the API server.
    pub(super) async fn get_json<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        query: &[(&str, String)],
        accept: &str,
    ) -> Result<T, Error> {
        let bytes = self.get_bytes(what, path, query, accept).await?;
        // Secrets go before anything is made of the objects, whatever form that has.
        let read = || match str::from_utf8(&bytes).ok().and_then(redact::redact_json) {
            Some(redacted) => serde_json::from_str(&redacted),
            None => serde_json::from_slice(&bytes),
        };
        let read = if bytes.len() < LARGE { read() } else { crate::aside(read) };
        read.map_err(|source| Error::Malformed { what: what.to_owned(), source })
    }

    pub(super) async fn get_bytes(
        &self,
        what: &str,
        path: &str,
        query: &[(&str, String)],
        accept: &str,
    ) -> Result<Bytes, Error> {
        let request = http::Request::get(with_query(path, query))
            .header(http::header::ACCEPT, accept)
            .body(Body::empty())
            .map_err(|error| Error::of(what, kube::Error::HttpError(error)))?;
        self.send(what, request).await
    }

    /// Sends a request under the call's deadline and reads the answer up to the size cap.
    pub(crate) async fn send(&self, what: &str, request: http::Request<Body>) -> Result<Bytes, Error> {
        let settings = self.settings();
        let (after, limit_bytes) = (settings.call_timeout, settings.max_answer_bytes);
        let exchange = async {
            let response = self.client().send(request).await.map_err(|error| Error::of(what, error))?;
            let status = response.status();
            let mut body = response.into_body();
            let mut page = Page::new(self.claim());
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| Error::of(what, error))?;
                if let Some(data) = frame.data_ref() {
                    if page.len() + data.len() > limit_bytes {
                        return Err(Error::TooLarge { what: what.to_owned(), limit_bytes });
                    }
                    page.push(data).await?;
                }
            }
            let bytes = page.finish();
            if status.is_success() { Ok(bytes) } else { Err(failed(what, status, &bytes)) }
        };
        tokio::time::timeout(after, exchange)
            .await
            .unwrap_or_else(|_| Err(Error::TimedOut { what: what.to_owned(), after }))
    }
}

pub(super) fn failed(what: &str, status: http::StatusCode, body: &[u8]) -> Error {
    let mut parsed: kube::core::Status = serde_json::from_slice(body).unwrap_or_default();
    if parsed.code == 0 {
        parsed.code = status.as_u16();
    }
    if parsed.message.is_empty() {
        parsed.message = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
    }
    Error::of_status(what.to_owned(), parsed)
}

fn complete<T>(items: Vec<T>) -> Listed<T> {
    Listed { items, skipped: Vec::new() }
}

fn joined(mut all: Table, next: Table) -> Table {
    if all.columns.is_empty() {
        all.columns = next.columns;
    }
    all.rows.extend(next.rows);
    all
}

fn described(resource: &Resource, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("{} in namespace {namespace}", resource.plural),
        None if resource.namespaced => format!("{} in all namespaces", resource.plural),
        None => resource.plural.clone(),
    }
}

pub(super) fn with_query(path: &str, query: &[(&str, String)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in query {
        pairs.append_pair(name, value);
    }
    format!("{path}?{}", pairs.finish())
}

impl Resource {
    /// The path of the list, or of one object, below the API server's address.
    pub fn path(&self, namespace: Option<&str>, name: Option<&str>) -> Result<String, Error> {
        use std::fmt::Write as _;
        let mut path = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        if let Some(namespace) = namespace.filter(|_| self.namespaced) {
            check_name("namespace", namespace)?;
            let _ = write!(path, "/namespaces/{namespace}");
        }
        let _ = write!(path, "/{}", self.plural);
        if let Some(name) = name {
            check_name("name", name)?;
            let _ = write!(path, "/{name}");
        }
        Ok(path)
    }
}
