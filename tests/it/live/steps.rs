//! Steps answer the same three ways: from the folder of a recording, from a real API server that serves it, and from the
//! archive that we write of that server.

use meshtriage::{
    capture::{WriteOptions, write},
    cluster::Cluster,
    report::Format,
    runs::bug_report,
    steps::BugReportInput,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{as_recorded, difference};
use crate::support::{
    Outcome,
    app::{open, recording},
    checklist::{call, calls},
    forget,
    lab::{self, Lab},
    needs,
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
/// It does so once, soon after it starts.
async fn forget_own_events(lab: Lab) {
    for reason in ["ClusterIPNotAllocated", "PortNotAllocated"] {
        let selector = format!("--field-selector=reason={reason}");
        let about = ["events", "--all-namespaces", &selector];
        for _ in 0..20 {
            if !lab::kubectl(lab, &[&["get", "--output=name"], &about[..]].concat()).is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        lab::kubectl(lab, &[&["delete"], &about[..]].concat());
    }
}

/// `differing` are fields that may differ; texts may show them, and are not compared then.
async fn compare(name: &str, folder: &Cluster, other: &Cluster, differing: &[&str]) {
    let mut compared = 0;
    let mut differences = Vec::new();
    for one in calls(folder).await {
        let formats = if differing.is_empty() { &[Format::Json, Format::Text][..] } else { &[Format::Json] };
        for format in formats {
            let [mut expected, mut found] =
                [&call(folder, &one, *format).await, &call(other, &one, *format).await].map(comparable);
            forget(&mut expected, differing);
            forget(&mut found, differing);
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
    forget_own_events(lab).await;
    compare("live", &folder, &live, &[]).await;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("capture.tar.gz");
    write(live.client(), &path, &WriteOptions::new(folder.now())).await.unwrap();
    compare("archive", &folder, &open(&path), &[]).await;
    let path = place.path().join("bug-report.tar.gz");
    bug_report::make(&live, &BugReportInput::default(), &path, &watch::Sender::default()).await.unwrap();
    // It keeps one dump of each proxy, the one with endpoints, which is the larger.
    compare("bug report", &folder, &open(&path), &["dump_bytes"]).await;
}

#[tokio::test]
async fn broken_mesh_gives_the_same_answers_three_ways() {
    needs!(Servers);
    three_ways(Lab::Broken).await;
}

#[tokio::test]
async fn upstream_mesh_gives_the_same_answers_three_ways() {
    needs!(Servers);
    three_ways(Lab::Upstream).await;
}
