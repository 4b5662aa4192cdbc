//! Steps answer the same three ways: from the folder of a recording, from a real API server that serves it, and from the
//! archive that we write of that server.

use meshtriage::{
    capture::{WriteOptions, write},
    cluster::Cluster,
    report::Format,
    steps::Outcome,
};
use serde_json::{Value, json};

use super::{as_recorded, difference};
use crate::support::{
    app::{open, recording},
    checklist::{call, calls},
    lab::{self, Lab},
};

/// An outcome without what is the server's own, and without ages, which the server counts from today.
fn comparable(outcome: &Outcome) -> Value {
    fn timeless(value: &mut Value, age: &regex::Regex) {
        match value {
            // Each kubelet has its own words for a port where nothing listens.
            Value::String(text) if text.contains("error forwarding port") => {
                "error forwarding port".clone_into(text);
            }
            Value::String(text) => *text = age.replace_all(text, "").split_whitespace().collect::<Vec<_>>().join(" "),
            Value::Array(items) => items.iter_mut().for_each(|item| timeless(item, age)),
            Value::Object(fields) => fields.values_mut().for_each(|field| timeless(field, age)),
            _ => {}
        }
    }
    let mut value = as_recorded(json!({
        "data": outcome.data,
        "findings": outcome.findings,
        "skipped": outcome.skipped,
        "commands": outcome.commands,
        "summary": outcome.summary,
        "printed": outcome.printed,
    }));
    let age = regex::Regex::new(r#"\b(?:[0-9]+[ydhms])+\b|\bresourceVersion: "[0-9]+""#).unwrap();
    timeless(&mut value, &age);
    value
}

/// Takes away the events in which a new API server complains that it does not know the addresses of the recorded Services.
/// It does so once, when it starts.
fn forget_own_events(lab: Lab) {
    for reason in ["ClusterIPNotAllocated", "PortNotAllocated"] {
        let selector = format!("--field-selector=reason={reason}");
        lab::kubectl(lab, &["delete", "events", "--all-namespaces", &selector]);
    }
}

async fn compare(name: &str, folder: &Cluster, other: &Cluster) {
    let mut compared = 0;
    let mut differences = Vec::new();
    for one in calls(folder).await {
        for format in [Format::Json, Format::Text] {
            let expected = comparable(&call(folder, &one, format).await);
            let found = comparable(&call(other, &one, format).await);
            compared += 1;
            differences.extend(difference(&expected, &found).map(|text| format!("{}: {text}", one.words())));
        }
    }
    let count = differences.len();
    assert!(differences.is_empty(), "{name}: {count} of {compared} answers differ:\n{}", differences.join("\n"));
    assert!(compared > 50, "{name}: only {compared} answers");
}

async fn three_ways(lab: Lab) {
    let folder = recording(lab.recording().unwrap());
    let live = lab::cluster(lab).await;
    forget_own_events(lab);
    compare("live", &folder, &live).await;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("capture.tar.gz");
    write(live.client(), &path, &WriteOptions::new(folder.now())).await.unwrap();
    compare("archive", &folder, &open(&path)).await;
}

#[tokio::test]
async fn broken_mesh_gives_the_same_answers_three_ways() {
    three_ways(Lab::Broken).await;
}

#[tokio::test]
async fn upstream_mesh_gives_the_same_answers_three_ways() {
    three_ways(Lab::Upstream).await;
}
