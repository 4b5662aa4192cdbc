//! What istiod would send to a proxy against what its Envoy has: clusters, listeners and routes, resource by resource and
//! field by field, and as the unified text of `istioctl proxy-status <pod>`.
//!
//! Both sides are config dumps; istiod answers with one of the same form.
//! See <https://istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd/>.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use similar::{Algorithm, TextDiff};
use utoipa::ToSchema;

use super::Error;
use super::config_dump::{ConfigDump, Entry};
use super::proto_json::{self, Format};

/// Lines around a change, as istioctl shows them.
const CONTEXT: usize = 7;
/// Fields of one resource that are listed; the text has all.
const MAX_FIELDS: usize = 50;
/// Characters of a value that are shown.
const MAX_VALUE: usize = 200;
/// For the text of one part. Past it the text is still right, though not the shortest.
const TEXT_TIME: Duration = Duration::from_secs(3);

/// istiod's view of a proxy against Envoy's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProxyDiff {
    pub clusters: ProxyDiffPart,
    pub listeners: ProxyDiffPart,
    pub routes: ProxyDiffPart,
    /// When Envoy got the newest of its routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes_last_loaded: Option<Timestamp>,
}

/// One kind of resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProxyDiffPart {
    /// `Clusters`, `Listeners` or `Routes`.
    pub name: &'static str,
    pub matches: bool,
    /// The resources that differ.
    pub changes: Vec<ResourceChange>,
    /// Unified text, from istiod to Envoy; empty where all matches.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub diff: String,
}

/// A resource that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ResourceChange {
    pub resource: String,
    pub change: DiffChange,
    /// The fields that differ, at most 50.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// How a resource differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiffChange {
    /// istiod would send it, and Envoy does not have it.
    OnlyInIstiod,
    /// Envoy has it, and istiod would not send it.
    OnlyInEnvoy,
    Different,
}

/// A field that differs; a side that does not have it is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldChange {
    /// For example `filterChains[3].filters[0].name`.
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub istiod: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envoy: Option<String>,
}

/// A resource as it stands in a dump. Its value is read when it is its turn, so that no tree of a whole dump is held.
struct Resource<'a> {
    name: String,
    raw: &'a RawValue,
}

/// A resource of istiod and the one of Envoy of that name.
type Pair<'a> = (Option<Resource<'a>>, Option<Resource<'a>>);

/// Compares the dump of istiod with that of Envoy.
pub fn compare(istiod: &[u8], envoy: &[u8]) -> Result<ProxyDiff, Error> {
    let (istiod, envoy) = (ConfigDump::parse(istiod)?, ConfigDump::parse(envoy)?);
    let wrapped = |field: &'static str| move |value: Value| json!({ field: value });
    let listener = |value| json!({"activeState": {"listener": value}});
    Ok(ProxyDiff {
        clusters: part("Clusters", "dynamicActiveClusters", &paired(&istiod, &envoy, clusters), wrapped("cluster"))?,
        listeners: part("Listeners", "dynamicListeners", &paired(&istiod, &envoy, listeners), listener)?,
        routes: part("Routes", "dynamicRouteConfigs", &paired(&istiod, &envoy, routes), wrapped("routeConfig"))?,
        routes_last_loaded: routes_last_loaded(&envoy),
    })
}

impl ProxyDiff {
    /// The parts in istioctl's order.
    pub fn parts(&self) -> [&ProxyDiffPart; 3] {
        [&self.clusters, &self.listeners, &self.routes]
    }

    pub fn matches(&self) -> bool {
        self.parts().iter().all(|part| part.matches)
    }

    /// What istioctl prints. Its time is local; this one is UTC.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for part in self.parts() {
            let loaded = self.routes_last_loaded.filter(|_| part.name == "Routes");
            let loaded =
                loaded.map(|time| time.strftime(" (RDS last loaded at %a, %d %b %Y %H:%M:%S UTC)").to_string());
            let verdict = if part.matches { "Match" } else { "Don't Match" };
            let _ = writeln!(text, "{} {verdict}{}", part.name, loaded.unwrap_or_default());
            if !part.matches {
                text.push_str(&part.diff);
                text.push('\n');
            }
        }
        text
    }
}

fn clusters<'a>(dump: &ConfigDump<'a>) -> Vec<Resource<'a>> {
    resources(dump.clusters.iter().flat_map(|section| &section.dynamic_active_clusters))
}

/// The listeners in use. Those that wait, are on their way out or were refused do not count.
fn listeners<'a>(dump: &ConfigDump<'a>) -> Vec<Resource<'a>> {
    let listeners = dump.listeners.iter().flat_map(|section| &section.dynamic_listeners);
    resources(listeners.filter_map(|listener| listener.active_state.as_ref()))
}

fn routes<'a>(dump: &ConfigDump<'a>) -> Vec<Resource<'a>> {
    resources(dump.routes.iter().flat_map(|section| &section.dynamic_route_configs))
}

/// Sorted by name.
fn resources<'d, 'a: 'd>(entries: impl Iterator<Item = &'d Entry<'a>>) -> Vec<Resource<'a>> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
    }

    let raw = entries.filter_map(|entry| entry.resource);
    let mut resources: Vec<_> = raw
        .map(|raw| {
            // What has no name is compared all the same.
            let name =
                serde_json::from_str(raw.get()).map_or_else(|_| String::new(), |Named { name }| name.into_owned());
            Resource { name, raw }
        })
        .collect();
    resources.sort_by(|a, b| a.name.cmp(&b.name));
    resources
}

impl Resource<'_> {
    fn value(&self) -> Result<Value, Error> {
        let mut value = proto_json::message(self.raw)?;
        // Virtual hosts of a route have no order of their own.
        if let Some(hosts) = value.get_mut("virtualHosts").and_then(Value::as_array_mut) {
            hosts.sort_by(|a, b| name_of(a).cmp(name_of(b)));
        }
        Ok(value)
    }
}

/// The resources of both sides by name, in order.
fn paired<'a>(
    istiod: &ConfigDump<'a>,
    envoy: &ConfigDump<'a>,
    resources: impl Fn(&ConfigDump<'a>) -> Vec<Resource<'a>>,
) -> Vec<Pair<'a>> {
    let mut istiod = resources(istiod).into_iter().peekable();
    let mut envoy = resources(envoy).into_iter().peekable();
    let mut pairs = Vec::new();
    loop {
        let order = match (istiod.peek(), envoy.peek()) {
            (None, None) => return pairs,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(ours), Some(theirs)) => ours.name.cmp(&theirs.name),
        };
        let ours = istiod.next_if(|_| order != Ordering::Greater);
        pairs.push((ours, envoy.next_if(|_| order != Ordering::Less)));
    }
}

fn name_of(value: &Value) -> &str {
    value.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn routes_last_loaded(envoy: &ConfigDump<'_>) -> Option<Timestamp> {
    let routes = envoy.routes.iter().flat_map(|section| &section.dynamic_route_configs);
    routes.filter_map(|entry| entry.last_updated.parse().ok()).max()
}

fn part(
    name: &'static str,
    field: &str,
    pairs: &[Pair<'_>],
    wrapped: impl Fn(Value) -> Value,
) -> Result<ProxyDiffPart, Error> {
    let mut changes = Vec::new();
    for (ours, theirs) in pairs {
        changes.extend(change(ours.as_ref(), theirs.as_ref())?);
    }
    let matches = changes.is_empty();
    let diff = if matches { String::new() } else { text(name, field, pairs, wrapped)? };
    Ok(ProxyDiffPart { name, matches, changes, diff })
}

fn change(ours: Option<&Resource<'_>>, theirs: Option<&Resource<'_>>) -> Result<Option<ResourceChange>, Error> {
    let (resource, change, fields) = match (ours, theirs) {
        (Some(ours), Some(theirs)) => {
            let mut fields = Vec::new();
            let (before, after) = (ours.value()?, theirs.value()?);
            if before == after {
                return Ok(None);
            }
            changed_fields(&before, &after, &mut String::new(), &mut fields);
            (&ours.name, DiffChange::Different, fields)
        }
        (Some(ours), None) => (&ours.name, DiffChange::OnlyInIstiod, Vec::new()),
        (None, Some(theirs)) => (&theirs.name, DiffChange::OnlyInEnvoy, Vec::new()),
        (None, None) => return Ok(None),
    };
    Ok(Some(ResourceChange { resource: resource.clone(), change, fields }))
}

/// The unified text of a part, for which both sides are written one resource after the other.
fn text(name: &str, field: &str, pairs: &[Pair<'_>], wrapped: impl Fn(Value) -> Value) -> Result<String, Error> {
    let (mut before, mut after) = (Section::new(field), Section::new(field));
    for (ours, theirs) in pairs {
        let ours = ours.as_ref().map(Resource::value).transpose()?;
        let theirs = theirs.as_ref().map(Resource::value).transpose()?;
        // One text for both, whatever order the fields came in.
        let theirs = match (&ours, theirs) {
            (Some(ours), Some(theirs)) => Some(in_order_of(theirs, ours)),
            (_, theirs) => theirs,
        };
        if let Some(ours) = ours {
            before.push(wrapped(ours));
        }
        if let Some(theirs) = theirs {
            after.push(wrapped(theirs));
        }
    }
    Ok(unified(name, &before.finish(), &after.finish()))
}

/// The text of a section with the resources that were pushed.
struct Section<'f> {
    field: &'f str,
    text: String,
}

impl<'f> Section<'f> {
    fn new(field: &'f str) -> Self {
        Self { field, text: String::new() }
    }

    fn push(&mut self, resource: Value) {
        let section = Map::from_iter([(self.field.to_owned(), Value::Array(vec![resource]))]);
        let section = proto_json::written(&Value::Object(section), Format::Json);
        let lines: Vec<_> = section.lines().collect();
        // The section and its list open and close with a line each.
        let [_, _, resource @ .., _, _] = lines.as_slice() else { return };
        if !self.text.is_empty() {
            self.text.insert(self.text.len() - 1, ',');
        }
        for line in resource {
            self.push_line(line);
        }
    }

    fn push_line(&mut self, line: &str) {
        // Go's printer of messages opens an empty one too. No text ends so: the last character would be its quote.
        let (start, comma) = line.strip_suffix(',').map_or((line, ""), |start| (start, ","));
        let indent = &line[..line.len() - line.trim_start().len()];
        let _ = match start.strip_suffix("{}") {
            Some(start) => writeln!(self.text, "{start}{{\n\n{indent}}}{comma}"),
            None => writeln!(self.text, "{line}"),
        };
    }

    fn finish(self) -> String {
        match self.text.as_str() {
            "" => "{\n\n}\n".to_owned(),
            resources => format!("{{\n    {:?}: [\n{resources}    ]\n}}\n", self.field),
        }
    }
}

fn unified(name: &str, istiod: &str, envoy: &str) -> String {
    let mut config = TextDiff::configure();
    let diff = config.algorithm(Algorithm::Myers).timeout(TEXT_TIME).diff_lines(istiod, envoy);
    let (from, to) = (format!("Istiod {name}"), format!("Envoy {name}"));
    diff.unified_diff().context_radius(CONTEXT).header(&from, &to).to_string()
}

/// A value with its fields in the order of another's, so that the order makes no difference in the text.
fn in_order_of(value: Value, other: &Value) -> Value {
    match (value, other) {
        (Value::Object(mut fields), Value::Object(order)) => {
            let mut sorted = Map::with_capacity(fields.len());
            for (name, other) in order {
                if let Some(value) = fields.shift_remove(name) {
                    sorted.insert(name.clone(), in_order_of(value, other));
                }
            }
            sorted.extend(fields);
            Value::Object(sorted)
        }
        (Value::Array(items), Value::Array(order)) => {
            let mut others = order.iter();
            items.into_iter().map(|item| in_order_of(item, others.next().unwrap_or(&Value::Null))).collect()
        }
        (value, _) => value,
    }
}

/// The innermost fields that differ. Items of a list that have names of their own are compared by name.
fn changed_fields(istiod: &Value, envoy: &Value, path: &mut String, found: &mut Vec<FieldChange>) {
    if istiod == envoy || found.len() >= MAX_FIELDS {
        return;
    }
    let length = path.len();
    match (istiod, envoy) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let only_theirs = theirs.keys().filter(|name| !ours.contains_key(*name));
            for name in ours.keys().chain(only_theirs) {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                changed(ours.get(name), theirs.get(name), path, found);
                path.truncate(length);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            for (label, ours, theirs) in pairs(ours, theirs) {
                let _ = write!(path, "[{label}]");
                changed(ours, theirs, path, found);
                path.truncate(length);
            }
        }
        _ => found.push(FieldChange { path: path.clone(), istiod: Some(shown(istiod)), envoy: Some(shown(envoy)) }),
    }
}

fn changed(istiod: Option<&Value>, envoy: Option<&Value>, path: &mut String, found: &mut Vec<FieldChange>) {
    match (istiod, envoy) {
        (Some(ours), Some(theirs)) => changed_fields(ours, theirs, path, found),
        _ if found.len() >= MAX_FIELDS => {}
        (ours, theirs) => {
            found.push(FieldChange { path: path.clone(), istiod: ours.map(shown), envoy: theirs.map(shown) });
        }
    }
}

/// The items of two lists that belong together, with a label.
fn pairs<'v>(ours: &'v [Value], theirs: &'v [Value]) -> Vec<(String, Option<&'v Value>, Option<&'v Value>)> {
    let (Some(by_name), Some(others)) = (names(ours), names(theirs)) else {
        let longest = ours.len().max(theirs.len());
        return (0..longest).map(|index| (index.to_string(), ours.get(index), theirs.get(index))).collect();
    };
    let mut pairs: Vec<_> =
        by_name.iter().map(|(name, value)| (format!("{name:?}"), Some(*value), others.get(name).copied())).collect();
    let added = others.iter().filter(|(name, _)| !by_name.contains_key(*name));
    pairs.extend(added.map(|(name, value)| (format!("{name:?}"), None, Some(*value))));
    pairs
}

/// The items by their names, where each has one of its own.
fn names(items: &[Value]) -> Option<BTreeMap<&str, &Value>> {
    let mut names = BTreeMap::new();
    for item in items {
        let name = item.get("name")?.as_str()?;
        if names.insert(name, item).is_some() {
            return None;
        }
    }
    Some(names)
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(sections: &[(&str, Value)]) -> Vec<u8> {
        let sections: Vec<Value> = sections
            .iter()
            .map(|(kind, fields)| {
                let mut section = fields.clone();
                section["@type"] = format!("type.googleapis.com/envoy.admin.v3.{kind}ConfigDump").into();
                section
            })
            .collect();
        json!({ "configs": sections }).to_string().into_bytes()
    }

    #[test]
    fn order_and_spelling_of_fields_make_no_difference() {
        let istiod = dump(&[(
            "Clusters",
            json!({"versionInfo": "1", "dynamicActiveClusters": [
                {"versionInfo": "1", "cluster": {"name": "b", "altStatName": "x", "connectTimeout": "1s"}},
                {"cluster": {"name": "a"}}]}),
        )]);
        let envoy = dump(&[(
            "Clusters",
            json!({"static_clusters": [{"cluster": {"name": "s"}}], "dynamic_active_clusters": [
                {"cluster": {"name": "a"}},
                {"last_updated": "2026-01-01T00:00:00Z", "cluster": {"name": "b", "connect_timeout": "1s", "alt_stat_name": "x"}}]}),
        )]);
        let diff = compare(&istiod, &envoy).expect("dumps");
        assert!(diff.matches(), "{diff:?}");
        assert_eq!(diff.text(), "Clusters Match\nListeners Match\nRoutes Match\n");
    }

    #[test]
    fn differences_are_named_by_field() {
        let section = |hosts: Value| {
            dump(&[(
                "Routes",
                json!({"dynamicRouteConfigs": [{"lastUpdated": "2026-11-25T10:49:37Z", "routeConfig": {"name": "80", "virtualHosts": hosts}}]}),
            )])
        };
        let istiod = section(json!([{"name": "b", "domains": ["b"]}, {"name": "a", "domains": ["a"]}]));
        let envoy = section(json!([{"name": "a", "domains": ["a", "c"]}]));
        let diff = compare(&istiod, &envoy).expect("dumps");
        let change = |path: &str, istiod: Option<&str>, envoy: Option<&str>| FieldChange {
            path: path.to_owned(),
            istiod: istiod.map(str::to_owned),
            envoy: envoy.map(str::to_owned),
        };
        assert_eq!(
            diff.routes.changes,
            [ResourceChange {
                resource: "80".to_owned(),
                change: DiffChange::Different,
                fields: vec![
                    change("virtualHosts[\"a\"].domains[1]", None, Some("\"c\"")),
                    change("virtualHosts[\"b\"]", Some("{\"name\":\"b\",\"domains\":[\"b\"]}"), None),
                ],
            }]
        );
        assert!(diff.text().starts_with(
            "Clusters Match\nListeners Match\nRoutes Don't Match (RDS last loaded at Wed, 25 Nov 2026 10:49:37 UTC)\n\
             --- Istiod Routes\n+++ Envoy Routes\n@@ "
        ));
    }

    #[test]
    fn hostile_dumps_are_errors_or_empty() {
        for page in ["", "[]", "null", "{\"configs\":7}", "{\"configs\":[7]}"] {
            assert!(compare(page.as_bytes(), b"{}").is_err(), "{page}");
        }
        let odd =
            dump(&[("Clusters", json!({"dynamicActiveClusters": [{"cluster": 7}, {"cluster": {"name": []}}, {}]}))]);
        let diff = compare(&odd, b"{}").expect("what has no name is compared all the same");
        assert_eq!(diff.clusters.changes.len(), 2);
    }
}
