//! The causes of the recordings, by the tables of what is wrong in them.

use std::collections::BTreeSet;

use meshtriage::{api, report::Format, steps};
use serde::Deserialize;
use serde_json::Value;

use crate::support::{
    app::recording,
    checklist::{Call, call},
    say,
};

#[derive(Deserialize)]
struct Fault {
    fault: u32,
    title: String,
    /// `code Kind namespace/name`; a `*` at the end stands for any pod of the workload.
    cause: Vec<String>,
    effects: Vec<String>,
}

async fn diagnosed(name: &str) -> Value {
    let answered = call(&recording(name), &Call::new("mesh.diagnose", &[]), Format::Json).await;
    answered.data
}

/// `code Kind namespace/name` of a finding or an effect, and of all that are said with it.
fn told(finding: &Value, also: &Value) -> Vec<String> {
    let subjects = std::iter::once(&finding["subject"]).chain(also.as_array().into_iter().flatten());
    let place = |subject: &Value| {
        let name = subject["name"].as_str().unwrap();
        match subject["namespace"].as_str() {
            Some(namespace) => format!("{} {namespace}/{name}", subject["kind"].as_str().unwrap()),
            None => format!("{} {name}", subject["kind"].as_str().unwrap()),
        }
    };
    subjects.map(|subject| format!("{} {}", finding["code"].as_str().unwrap(), place(subject))).collect()
}

fn is(wanted: &str, told: &[String]) -> bool {
    told.iter().any(|it| wanted.strip_suffix('*').map_or(it == wanted, |start| it.starts_with(start)))
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_a_broken_mesh_are_causes_or_explained_by_them() {
    let table: Vec<Fault> = serde_json::from_str(include_str!("../../fixtures/diagnosis/broken.json")).unwrap();
    let answer = diagnosed("broken").await;
    let causes: Vec<(Vec<String>, Vec<Vec<String>>)> = answer["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| {
            let effects = cause["effects"].as_array().unwrap();
            let effects = effects.iter().map(|effect| told(effect, &effect["also"])).collect();
            (told(&cause["finding"], &cause["also"]), effects)
        })
        .collect();
    let (mut seen, mut of, mut attached) = (0, 0, 0);
    for fault in &table {
        let stands = causes.iter().find(|(own, _)| fault.cause.iter().any(|wanted| is(wanted, own)));
        seen += usize::from(stands.is_some());
        if stands.is_none() {
            say(&format!("fault {} has no cause: {}", fault.fault, fault.title));
        }
        for effect in &fault.effects {
            // What no step found on this day is nobody's.
            let found = causes.iter().any(|(own, effects)| is(effect, own) || effects.iter().any(|it| is(effect, it)));
            if !found {
                continue;
            }
            of += 1;
            let is_right = stands.is_some_and(|(_, effects)| effects.iter().any(|it| is(effect, it)));
            attached += usize::from(is_right);
            if !is_right {
                say(&format!("fault {}: {effect} is not explained by it", fault.fault));
            }
        }
    }
    say(&format!("{seen} of {} faults, {attached} of {of} effects, {} causes", table.len(), causes.len()));
    assert!(seen + 1 >= table.len(), "{seen} of {} faults are causes", table.len());
    assert!(attached * 10 >= of * 9, "{attached} of {of} effects are explained by the right cause");
    assert!(causes.len() * 10 <= table.len() * 13, "{} causes for {} faults", causes.len(), table.len());
    let headline = answer["headline"].as_str().unwrap();
    assert!(headline.chars().count() <= 200, "{headline}");
}

#[tokio::test(flavor = "multi_thread")]
async fn healthy_mesh_has_no_cause() {
    let answer = diagnosed("healthy").await;
    let titles: Vec<_> = answer["causes"].as_array().unwrap().iter().map(|cause| &cause["title"]).collect();
    assert!(titles.is_empty(), "{titles:?}");
    assert!(!answer["healthy"].as_array().unwrap().is_empty());
}

#[test]
fn codes_of_the_relations_exist() {
    let known: BTreeSet<&str> = api::codes().iter().map(|code| code.code).collect();
    let unknown: BTreeSet<&str> = diagnosis::codes().filter(|code| !known.contains(code)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(steps::find("mesh.diagnose").is_some());
}
