//! Reads the objects that were asked for and, with one list per kind, what belongs to them.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream};
#[cfg(test)]
use jiff::Timestamp;
use serde_json::Value;

use super::{
    ResourceStatusInput, events,
    family::{Family, LogKey, LogTail},
    judge::{wants_log, webhook_service},
    object::{Object, OneOfMany, typed, without_managed_fields},
    table::PrintedTable,
};
use cluster::{self, Cluster, Listed, LogQuery, Resource, Scope, read};
use report::{Read, Skipped};

/// Containers whose logs are read.
const MAX_LOGS: usize = 10;
const LOG_LINES: u32 = 20;
const LOG_BYTES: u32 = 64 * 1024;
/// Objects looked at in depth.
pub(crate) const MAX_OBJECTS: usize = 500;

/// What was read.
#[derive(Debug)]
pub struct Evidence {
    pub(super) resource: Resource,
    /// Other types that go by the name that was given.
    pub(super) also: Vec<Resource>,
    pub(super) scope: Scope,
    pub(super) table: Read<PrintedTable>,
    pub(super) objects: Vec<Object>,
    pub(super) family: Family,
    pub(super) skipped: Vec<Skipped>,
}

pub(super) async fn gather(cluster: &Cluster, input: &ResourceStatusInput) -> Result<Evidence, cluster::Error> {
    let (resource, also) = cluster.resource(&input.resource).await?;
    let scope =
        if resource.namespaced { scope(cluster, &input.namespace, input.all_namespaces).await? } else { Scope::All };
    let selector = input.selector.as_deref();
    let mut skipped = Vec::new();

    let (scope, objects, table) = if let Some(name) = input.name.as_deref() {
        let (scope, object) = find(cluster, &resource, scope, name).await?;
        let objects = vec![object];
        let table = printed(cluster, &resource, &scope, Some(name), None, &objects).await?;
        (scope, objects, table)
    } else {
        let listed = list(cluster, &resource, &scope, selector).await?;
        skipped.extend(listed.skipped);
        let table = printed(cluster, &resource, &scope, None, selector, &listed.items).await?;
        (scope, listed.items, table)
    };

    let whole = input.name.is_none() && selector.is_none();
    let given = whole.then_some((&resource, objects.as_slice()));
    let (around, mut more) = around(cluster, neighbours(&resource), &scope, given).await?;
    skipped.append(&mut more);
    let family = family(cluster, around, &objects, &mut skipped).await?;
    Ok(Evidence { resource, also, scope, table, objects, family, skipped })
}

/// The namespaces to look in: those that were asked for, else those of the control plane.
pub(crate) async fn scope(cluster: &Cluster, namespaces: &[String], all: bool) -> Result<Scope, cluster::Error> {
    if all {
        return Ok(Scope::All);
    }
    if !namespaces.is_empty() {
        return Ok(Scope::Namespaces(namespaces.to_vec()));
    }
    if let Some(set) = &cluster.settings().istio_namespace {
        return Ok(Scope::Namespaces(vec![set.clone()]));
    }
    let found = cluster.control_plane(&[]).boxed().await?.namespaces();
    if found.is_empty() {
        let why =
            "no istiod was found, so there is no namespace to look in by default; name one, or set all_namespaces";
        return Err(cluster::Error::Input { field: "namespace", why: why.to_owned() });
    }
    Ok(Scope::Namespaces(found))
}

/// One object, in the first of the namespaces that has it.
async fn find(
    cluster: &Cluster,
    resource: &Resource,
    scope: Scope,
    name: &str,
) -> Result<(Scope, Object), cluster::Error> {
    let namespaces = match &scope {
        Scope::Namespaces(namespaces) if resource.namespaced => namespaces.clone(),
        _ => Vec::new(),
    };
    if namespaces.is_empty() {
        return match cluster.get(resource, None, name).await {
            Ok(value) => Ok((scope, object(resource, value))),
            Err(cluster::Error::NotFound { .. }) => Err(no_such(cluster, resource, &scope, name).await),
            Err(error) => Err(error),
        };
    }
    for namespace in namespaces {
        match cluster.get(resource, Some(&namespace), name).await {
            Ok(value) => return Ok((Scope::Namespaces(vec![namespace]), object(resource, value))),
            Err(cluster::Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(no_such(cluster, resource, &scope, name).await)
}

/// That there is no object of that name, with those that may have been meant, as far as they may be listed.
async fn no_such(cluster: &Cluster, resource: &Resource, scope: &Scope, name: &str) -> cluster::Error {
    let listed = list(cluster, resource, scope, None).await.map(|listed| listed.items).unwrap_or_default();
    let what = format!("{} {name:?}{}", resource.kind, super::place(scope, resource.namespaced));
    cluster::Error::no_such("name", what, name, listed.iter().map(Object::name))
}

/// The objects of a type, with the kind that their list does not repeat; of pods, what is judged of many. Boxed, since the
/// compiler cannot see that the plain future may move between threads once it is part of a stream.
pub(crate) fn list<'a>(
    cluster: &'a Cluster,
    resource: &'a Resource,
    scope: &'a Scope,
    selector: Option<&'a str>,
) -> BoxFuture<'a, Result<Listed<Object>, cluster::Error>> {
    if !resource.group.is_empty() || resource.kind != "Pod" {
        return list_whole(cluster, resource, scope, selector);
    }
    async move {
        let listed: Listed<OneOfMany> = cluster.list(resource, scope, selector).await?;
        Ok(Listed { items: listed.items.into_iter().map(Object::of_pod).collect(), skipped: listed.skipped })
    }
    .boxed()
}

/// The same with every field of pods, for lists of a few.
pub(crate) fn list_whole<'a>(
    cluster: &'a Cluster,
    resource: &'a Resource,
    scope: &'a Scope,
    selector: Option<&'a str>,
) -> BoxFuture<'a, Result<Listed<Object>, cluster::Error>> {
    async move {
        let listed: Listed<Value> = cluster.list(resource, scope, selector).await?;
        let items = listed.items.into_iter().map(|value| object(resource, value)).collect();
        Ok(Listed { items, skipped: listed.skipped })
    }
    .boxed()
}

/// What kubectl would print. A caller who may not list all namespaces gets the rows of those whose objects he has.
pub(crate) async fn printed(
    cluster: &Cluster,
    resource: &Resource,
    scope: &Scope,
    name: Option<&str>,
    selector: Option<&str>,
    objects: &[Object],
) -> Result<Read<PrintedTable>, cluster::Error> {
    let table = match cluster.table(resource, scope, name, selector).boxed().await {
        Err(cluster::Error::Forbidden { .. }) if *scope == Scope::All && !objects.is_empty() => {
            let namespaces: BTreeSet<String> =
                objects.iter().filter_map(Object::namespace).map(str::to_owned).collect();
            let some = Scope::Namespaces(namespaces.into_iter().collect());
            cluster.table(resource, &some, name, selector).boxed().await
        }
        table => table,
    };
    Ok(read(table)?.map(PrintedTable::of))
}

/// The data of a Secret are dropped as soon as they arrive.
fn object(resource: &Resource, mut value: Value) -> Object {
    if resource.group.is_empty()
        && resource.plural == "secrets"
        && let Some(secret) = value.as_object_mut()
    {
        secret.retain(|field, _| matches!(field.as_str(), "metadata" | "type" | "kind" | "apiVersion"));
        if let Some(annotations) = secret.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations")) {
            // What was applied holds the data too.
            *annotations = Value::Null;
        }
    }
    without_managed_fields(&mut value);
    typed(&mut value, &resource.kind, &resource.api_version());
    Object::new(&resource.kind, value)
}

/// The types whose objects belong to those of this type.
fn neighbours(resource: &Resource) -> Vec<Resource> {
    let scalers = || {
        [
            Resource::known("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true),
            Resource::known("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", true),
        ]
    };
    let mut types = vec![Resource::events()];
    match (resource.group.as_str(), resource.kind.as_str()) {
        ("apps", "Deployment") => {
            types.extend([Resource::pods(), Resource::replica_sets()]);
            types.extend(scalers());
        }
        ("apps", "StatefulSet" | "DaemonSet") | ("", "ReplicationController") => {
            types.push(Resource::pods());
            types.extend(scalers());
        }
        ("", "Pod") | ("apps", "ReplicaSet") => types.extend([Resource::pods(), Resource::replica_sets()]),
        ("batch", "Job" | "CronJob") => {
            types.extend([Resource::pods(), Resource::known("batch", "v1", "jobs", "Job", true)]);
        }
        ("", "Service") => types.extend([
            Resource::pods(),
            Resource::known("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true),
        ]),
        // Events stand for themselves.
        ("" | "events.k8s.io", "Event") => types.clear(),
        _ => {}
    }
    types
}

/// Lists each type once. What could not be listed is skipped and stays unknown.
pub(crate) async fn around(
    cluster: &Cluster,
    types: Vec<Resource>,
    scope: &Scope,
    given: Option<(&Resource, &[Object])>,
) -> Result<(BTreeMap<String, Vec<Object>>, Vec<Skipped>), cluster::Error> {
    let mut objects = BTreeMap::new();
    let mut skipped = Vec::new();
    if let Some((resource, listed)) = given {
        objects.insert(resource.kind.clone(), listed.to_vec());
    }
    let missing: Vec<Resource> = types.into_iter().filter(|resource| !objects.contains_key(&resource.kind)).collect();
    let lists: Vec<_> = stream::iter(missing)
        .map(|resource| async move {
            let listed = list(cluster, &resource, scope, None).await;
            (resource, listed)
        })
        .buffered(8)
        .collect()
        .await;
    for (resource, listed) in lists {
        match read(listed)? {
            Ok(listed) => {
                skipped.extend(listed.skipped);
                let mut items = listed.items;
                if resource.kind == "Event" {
                    items.retain(|event| events::is_event(&event.value));
                }
                objects.insert(resource.kind, items);
            }
            Err(part) => skipped.push(part),
        }
    }
    Ok((objects, skipped))
}

/// The family, with what only its faults make worth reading: logs, webhook configurations, the metrics API.
pub(crate) async fn family(
    cluster: &Cluster,
    mut around: BTreeMap<String, Vec<Object>>,
    objects: &[Object],
    skipped: &mut Vec<Skipped>,
) -> Result<Family, cluster::Error> {
    let pods: Vec<&Object> = match objects.first() {
        Some(first) if first.kind == "Pod" => objects.iter().collect(),
        Some(_) => around.get("Pod").into_iter().flatten().collect(),
        None => Vec::new(),
    };
    let wanted: Vec<LogKey> = pods.into_iter().flat_map(wants_log).collect();
    let logs = logs(cluster, wanted, skipped).await?;

    if any_says(&around, "failed calling webhook") {
        let group = "admissionregistration.k8s.io";
        let types = vec![
            Resource::mutating_webhook_configurations(),
            Resource::known(group, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", false),
        ];
        let (configurations, mut more) = self::around(cluster, types, &Scope::All, None).await?;
        skipped.append(&mut more);
        around.extend(configurations);
    }
    let blind = |autoscaler: &Object| autoscaler.condition("ScalingActive").is_some_and(|active| active.is("False"));
    let scalers = objects.iter().filter(|object| object.kind == "HorizontalPodAutoscaler");
    let any_blind = scalers.chain(around.get("HorizontalPodAutoscaler").into_iter().flatten()).any(blind);
    let metrics_api = if any_blind { metrics_api(cluster).await? } else { None };

    let mut family = Family::new(around, cluster.now());
    family.logs = logs;
    family.metrics_api = metrics_api;
    Ok(family)
}

fn any_says(around: &BTreeMap<String, Vec<Object>>, words: &str) -> bool {
    let events = around.get("Event").into_iter().flatten();
    let sets = around.get("ReplicaSet").into_iter().flatten();
    let about_webhooks = |text: &str| text.contains(words) && webhook_service(text).is_some();
    events.into_iter().any(|event| about_webhooks(event.text("/message")))
        || sets
            .into_iter()
            .any(|set| set.condition("ReplicaFailure").is_some_and(|failure| about_webhooks(&failure.message)))
}

/// The log of the run that failed: the previous one, or the present one where there is no other.
async fn logs(
    cluster: &Cluster,
    mut wanted: Vec<LogKey>,
    skipped: &mut Vec<Skipped>,
) -> Result<BTreeMap<LogKey, LogTail>, cluster::Error> {
    if wanted.len() > MAX_LOGS {
        let rest = wanted.len() - MAX_LOGS;
        let what = format!("logs of {}", crate::counted(rest, "more failing container"));
        skipped.push(Skipped::new(what, format!("only {MAX_LOGS} are read")));
        wanted.truncate(MAX_LOGS);
    }
    let tails: Vec<_> = stream::iter(wanted)
        .map(|key| async move {
            let tail = last_lines(cluster, &key).await;
            (key, tail)
        })
        .buffered(4)
        .collect()
        .await;
    let mut logs = BTreeMap::new();
    for (key, tail) in tails {
        match read(tail)? {
            Ok(tail) => {
                logs.insert(key, tail);
            }
            Err(part) => skipped.push(part),
        }
    }
    Ok(logs)
}

async fn last_lines(cluster: &Cluster, (namespace, pod, container): &LogKey) -> Result<LogTail, cluster::Error> {
    let query =
        |previous| LogQuery { tail: Some(LOG_LINES), previous, limit_bytes: Some(LOG_BYTES), ..LogQuery::default() };
    let (log, previous) = match cluster.log(namespace, pod, container, &query(true)).await {
        Ok(log) if !log.text.trim().is_empty() => (log, true),
        Err(error) if error.is_fatal() => return Err(error),
        _ => (cluster.log(namespace, pod, container, &query(false)).await?, false),
    };
    Ok(LogTail { previous, lines: log.lines().map(str::to_owned).collect() })
}

/// What the API server says of the metrics API. Who may not ask learns nothing, which is no loss to the rest.
async fn metrics_api(cluster: &Cluster) -> Result<Option<String>, cluster::Error> {
    let resource = Resource::known("apiregistration.k8s.io", "v1", "apiservices", "APIService", false);
    match cluster.get::<Value>(&resource, None, "v1beta1.metrics.k8s.io").await {
        Ok(value) => {
            let available = Object::new("APIService", value).condition("Available");
            Ok(available.map(|available| available.evidence().text))
        }
        Err(cluster::Error::NotFound { .. }) => Ok(Some("does not exist".to_owned())),
        Err(error) if error.is_fatal() => Err(error),
        Err(_) => Ok(None),
    }
}

impl Evidence {
    /// Evidence from lists that were read elsewhere.
    #[cfg(test)]
    pub(super) fn of(
        resource: Resource,
        scope: Scope,
        objects: Vec<Value>,
        around: Vec<(Resource, Vec<Value>)>,
        now: Timestamp,
    ) -> Self {
        let objects: Vec<Object> = objects.into_iter().map(|value| object(&resource, value)).collect();
        let mut lists: BTreeMap<String, Vec<Object>> = around
            .into_iter()
            .map(|(of, values)| (of.kind.clone(), values.into_iter().map(|value| object(&of, value)).collect()))
            .collect();
        lists.entry(resource.kind.clone()).or_insert_with(|| objects.clone());
        let table = Err(Skipped::new("table", "not read"));
        let family = Family::new(lists, now);
        Self { resource, also: Vec::new(), scope, table, objects, family, skipped: Vec::new() }
    }
}
