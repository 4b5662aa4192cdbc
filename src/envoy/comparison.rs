//! What istiod would send to a proxy against what its Envoy has: clusters, listeners and routes, resource by resource and
//! field by field, and as the unified text of `istioctl proxy-status <pod>`.
//!
//! Both sides are config dumps; istiod answers with one of the same form.
//! See <https://istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd/>.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
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

/// A resource with its name.
type Named = (String, Value);

/// Compares the dump of istiod with that of Envoy.
pub fn compare(istiod: &[u8], envoy: &[u8]) -> Result<ProxyDiff, Error> {
    let (istiod, envoy) = (ConfigDump::parse(istiod)?, ConfigDump::parse(envoy)?);
    let wrapped = |field: &'static str| move |value: Value| json!({ field: value });
    Ok(ProxyDiff {
        clusters: part("Clusters", "dynamicActiveClusters", clusters(&istiod)?, clusters(&envoy)?, wrapped("cluster")),
        listeners: part(
            "Listeners",
            "dynamicListeners",
            listeners(&istiod)?,
            listeners(&envoy)?,
            |value| json!({"activeState": {"listener": value}}),
        ),
        routes: part("Routes", "dynamicRouteConfigs", routes(&istiod)?, routes(&envoy)?, wrapped("routeConfig")),
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

fn clusters(dump: &ConfigDump<'_>) -> Result<Vec<Named>, Error> {
    let entries = dump.clusters.iter().flat_map(|section| &section.dynamic_active_clusters);
    resources(entries)
}

/// The listeners in use. Those that wait, are on their way out or were refused do not count.
fn listeners(dump: &ConfigDump<'_>) -> Result<Vec<Named>, Error> {
    let listeners = dump.listeners.iter().flat_map(|section| &section.dynamic_listeners);
    resources(listeners.filter_map(|listener| listener.active_state.as_ref()))
}

/// Routes, whose virtual hosts have no order of their own.
fn routes(dump: &ConfigDump<'_>) -> Result<Vec<Named>, Error> {
    let mut routes = resources(dump.routes.iter().flat_map(|section| &section.dynamic_route_configs))?;
    for (_, route) in &mut routes {
        if let Some(hosts) = route.get_mut("virtualHosts").and_then(Value::as_array_mut) {
            hosts.sort_by(|a, b| name_of(a).cmp(name_of(b)));
        }
    }
    Ok(routes)
}

fn resources<'d, 'a: 'd>(entries: impl Iterator<Item = &'d Entry<'a>>) -> Result<Vec<Named>, Error> {
    let raw: Vec<&RawValue> = entries.filter_map(|entry| entry.resource).collect();
    let mut named = Vec::with_capacity(raw.len());
    for raw in raw {
        let value = proto_json::message(raw)?;
        named.push((name_of(&value).to_owned(), value));
    }
    named.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(named)
}

fn name_of(value: &Value) -> &str {
    value.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn routes_last_loaded(envoy: &ConfigDump<'_>) -> Option<Timestamp> {
    let routes = envoy.routes.iter().flat_map(|section| &section.dynamic_route_configs);
    routes.filter_map(|entry| entry.last_updated.parse().ok()).max()
}

/// Both lists are sorted by name.
fn part(
    name: &'static str,
    field: &str,
    istiod: Vec<Named>,
    envoy: Vec<Named>,
    wrapped: impl Fn(Value) -> Value,
) -> ProxyDiffPart {
    let (mut before, mut after, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut istiod, mut envoy) = (istiod.into_iter().peekable(), envoy.into_iter().peekable());
    loop {
        let order = match (istiod.peek(), envoy.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((ours, _)), Some((theirs, _))) => ours.cmp(theirs),
        };
        let ours = istiod.next_if(|_| order != Ordering::Greater);
        let theirs = envoy.next_if(|_| order != Ordering::Less);
        let (resource, change, fields) = match (&ours, &theirs) {
            (Some((_, ours)), Some((_, theirs))) if ours == theirs => {
                // One text for both, whatever order the fields came in.
                after.push(wrapped(ours.clone()));
                before.push(wrapped(ours.clone()));
                continue;
            }
            (Some((name, ours)), Some((_, theirs))) => {
                let mut fields = Vec::new();
                changed_fields(ours, theirs, &mut String::new(), &mut fields);
                (name.clone(), DiffChange::Different, fields)
            }
            (Some((name, _)), None) => (name.clone(), DiffChange::OnlyInIstiod, Vec::new()),
            (None, Some((name, _))) => (name.clone(), DiffChange::OnlyInEnvoy, Vec::new()),
            (None, None) => break,
        };
        changes.push(ResourceChange { resource, change, fields });
        let theirs = theirs.map(|(_, theirs)| match &ours {
            Some((_, ours)) => in_order_of(theirs, ours),
            None => theirs,
        });
        before.extend(ours.map(|(_, ours)| wrapped(ours)));
        after.extend(theirs.map(&wrapped));
    }
    let matches = changes.is_empty();
    let diff = if matches { String::new() } else { unified(name, &written(field, &before), &written(field, &after)) };
    ProxyDiffPart { name, matches, changes, diff }
}

fn written(field: &str, resources: &[Value]) -> String {
    let section = if resources.is_empty() { json!({}) } else { json!({ field: resources }) };
    let mut text = String::new();
    for line in proto_json::written(&section, Format::Json).lines() {
        // Go's printer of messages opens an empty one too. No text ends so: the last character would be its quote.
        let (start, comma) = line.strip_suffix(',').map_or((line, ""), |start| (start, ","));
        let indent = &line[..line.len() - line.trim_start().len()];
        let _ = match start.strip_suffix("{}") {
            Some(start) => writeln!(text, "{start}{{\n\n{indent}}}{comma}"),
            None => writeln!(text, "{line}"),
        };
    }
    text
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
