//! `/version`, `/api`, `/apis` and the group versions: as recorded, else from the types that are known.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::{Value, json};

use super::super::store::{NOT_RECORDED, Store, text};
use super::json as answer;
use super::status::Status;

pub(super) fn version(store: &Store) -> Result<Response, Status> {
    store.version.as_ref().map(answer).ok_or_else(|| Status::not_recorded(NOT_RECORDED))
}

/// A discovery document by its path: `api`, `apis`, `api/v1`, `apis/apps`, `apis/apps/v1`.
pub(super) fn document(store: &Store, path: &str) -> Result<Response, Status> {
    if let Some(recorded) = store.discovery.get(path) {
        return Ok(answer(recorded));
    }
    match *path.split('/').collect::<Vec<_>>() {
        ["api"] => Ok(answer(&json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}))),
        ["apis"] => {
            let groups: Vec<Value> =
                groups(store).iter().map(|(group, versions)| group_entry(group, versions)).collect();
            Ok(answer(&json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})))
        }
        ["apis", group] => {
            let groups = groups(store);
            let versions = groups.get(group).ok_or_else(Status::unknown_path)?;
            let mut entry = group_entry(group, versions);
            entry["kind"] = json!("APIGroup");
            entry["apiVersion"] = json!("v1");
            Ok(answer(&entry))
        }
        ["api", version] => resources(store, "", version),
        ["apis", group, version] => resources(store, group, version),
        _ => Err(Status::unknown_path()),
    }
}

/// The versions of each group, newest first as the API server prefers them.
fn groups(store: &Store) -> BTreeMap<&str, Vec<&str>> {
    let mut groups = BTreeMap::<&str, Vec<&str>>::new();
    for gvr in store.types.keys().filter(|gvr| !gvr.group.is_empty()) {
        let versions = groups.entry(&gvr.group).or_default();
        if !versions.contains(&gvr.version.as_str()) {
            versions.push(&gvr.version);
        }
    }
    for versions in groups.values_mut() {
        versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
    }
    groups
}

/// Stable before beta before alpha, then the higher number.
/// <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#version-priority>
fn priority(version: &str) -> (u8, u32, u32) {
    let Some(rest) = version.strip_prefix('v') else { return (0, 0, 0) };
    let (stage, major, minor) = if let Some((major, minor)) = rest.split_once("beta") {
        (2, major, minor)
    } else if let Some((major, minor)) = rest.split_once("alpha") {
        (1, major, minor)
    } else {
        (3, rest, "0")
    };
    match (major.parse(), minor.parse()) {
        (Ok(major), Ok(minor)) => (stage, major, minor),
        _ => (0, 0, 0),
    }
}

fn group_entry(group: &str, versions: &[&str]) -> Value {
    let entry = |version: &&str| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    json!({
        "name": group,
        "versions": versions.iter().map(entry).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(entry),
    })
}

fn resources(store: &Store, group: &str, version: &str) -> Result<Response, Status> {
    let of_version = store.types.iter().filter(|(gvr, _)| gvr.group == group && gvr.version == version);
    let mut entries = Vec::new();
    let mut group_version = None;
    for (gvr, found) in of_version {
        group_version = Some(gvr.api_version());
        entries.push(found.to_discovery(&gvr.plural));
        if gvr.group.is_empty() && gvr.plural == "pods" {
            for (name, kind) in [("pods/log", "Pod"), ("pods/portforward", "PodPortForwardOptions")] {
                entries.push(
                    json!({"name": name, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["get"]}),
                );
            }
        }
    }
    // A version that is announced and whose document was not recorded has nothing that was recorded.
    let group_version = group_version.or_else(|| announced(store, group, version)).ok_or_else(Status::unknown_path)?;
    Ok(answer(&json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": entries,
    })))
}

fn announced(store: &Store, group: &str, version: &str) -> Option<String> {
    let group_version = format!("{group}/{version}");
    let groups = store.discovery.get("apis")?.get("groups")?.as_array()?.iter();
    let mut versions = groups.filter_map(|group| group.get("versions")?.as_array()).flatten();
    versions.any(|version| text(version, &["groupVersion"]) == group_version).then_some(group_version)
}

#[cfg(test)]
mod tests {
    use super::priority;

    #[test]
    fn stable_versions_come_first() {
        let mut versions = ["v1alpha3", "v1", "v1beta1", "v2", "v1alpha1", "odd"];
        versions.sort_by_key(|version| std::cmp::Reverse(priority(version)));
        assert_eq!(versions, ["v2", "v1", "v1beta1", "v1alpha3", "v1alpha1", "odd"]);
    }
}
