//! Finds shared `ConfigMaps` of two revisions that do not say the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::maps::{self, UserMap};
use crate::wording::some_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/shared-differs",
        reads: &[Kind::ConfigMap, Kind::Deployment],
        reports: &[&CFG0004],
        by_default: true,
        run,
    },
};

static CFG0004: Code = Code {
    id: "CFG0004",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-meshconfig#mesh-configuration-and-upgrades",
    page: include_str!("pages/CFG0004.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    let maps: Vec<UserMap<'m>> = maps::of_users(mesh).into_iter().filter(|map| map.config(mesh).is_set()).collect();
    for pair in maps.windows(2) {
        let [older, newer] = pair else { continue };
        let differences = differences(older.config(mesh), newer.config(mesh));
        if !differences.is_empty() {
            messages.report(settings_differ(older, newer, &differences));
        }
    }
}

/// The settings of which the two say something else, each with both values.
fn differences(older: View<'_>, newer: View<'_>) -> Vec<String> {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    flatten(&older.to_json(), String::new(), &mut before);
    flatten(&newer.to_json(), String::new(), &mut after);
    let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let different = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    let told = |value: Option<&String>| value.map_or("not set", String::as_str).to_owned();
    different.map(|path| format!("{path} ({}, {})", told(before.get(path)), told(after.get(path)))).collect()
}

/// Every value by the way to it. Lists are values: their order may matter.
fn flatten(value: &Value, path: String, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(member, path, found);
            }
        }
        Value::Null => {}
        other => {
            found.insert(path, other.to_string());
        }
    }
}

fn settings_differ<'m>(older: &UserMap<'m>, newer: &UserMap<'m>, differences: &[String]) -> Message<'m> {
    let text = format!(
        "Revisions {} and {} are configured differently: {}. A workload behaves differently once it has moved.",
        older.revision,
        newer.revision,
        some_of(differences)
    );
    let remedy = format!(
        "Make ConfigMap {} say what {} says, unless the difference is meant: kubectl edit configmap {} -n {}",
        newer.map.name(),
        older.map.name(),
        newer.map.name(),
        newer.map.namespace(),
    );
    Message::new(&CFG0004, newer.map, text).at(Path::data("mesh")).remedy(remedy)
}
