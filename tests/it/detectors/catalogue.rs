//! The catalogue of detectable problems, and which of its entries have an answer.

use std::collections::{BTreeMap, BTreeSet};

use meshtriage::detectors::{self, CATALOGUE, COVERED, Certainty, Detector};
use serde_json::Value;

use crate::support::say;

/// The areas whose certain and easy entries must all have an answer.
const WHOLE_AREAS: &[&str] =
    &["ca", "cni", "cp", "dns", "egress", "gw", "inject", "k8sgw", "meshcfg", "net", "obs", "res", "sec", "upg", "val"];

/// Entries of these areas without an answer, each with the reason.
const WITHOUT_ANSWER: &[(&str, &str)] = &[
    ("upg/tag-as-revision", "a slip of the caller: every step takes a tag for the revision that it points to"),
    ("val/rejections", "only a counter of istiod tells it, which no step reads"),
];

struct Entry {
    id: String,
    certainty: String,
    effort: String,
}

fn entries() -> Vec<Entry> {
    let list: Vec<Value> = serde_saphyr::from_str(CATALOGUE).unwrap();
    let entries: Vec<_> = list
        .iter()
        .map(|entry| {
            let text = |field: &str| entry[field].as_str().unwrap().to_owned();
            Entry { id: text("id"), certainty: text("certainty"), effort: text("effort") }
        })
        .collect();
    assert_eq!(entries.len(), 377);
    entries
}

#[test]
fn entries_have_an_answer() {
    let answered: BTreeSet<&str> =
        detectors::all().map(Detector::id).chain(COVERED.iter().map(|covered| covered.id)).collect();
    let entries = entries();
    let known: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    let unknown: Vec<_> = answered.iter().filter(|id| !known.contains(*id)).collect();
    assert!(unknown.is_empty(), "not in the catalogue: {unknown:?}");

    let mut counts: BTreeMap<&str, (usize, usize, usize, usize)> = BTreeMap::new();
    let mut missing = Vec::new();
    for entry in &entries {
        let (area, _) = entry.id.split_once('/').unwrap();
        let count = counts.entry(area).or_default();
        let is_answered = answered.contains(entry.id.as_str());
        let is_plain = entry.certainty == "certain" && entry.effort == "easy";
        count.1 += 1;
        count.0 += usize::from(is_answered);
        count.3 += usize::from(is_plain);
        count.2 += usize::from(is_plain && is_answered);
        let is_excused = WITHOUT_ANSWER.iter().any(|(id, _)| *id == entry.id);
        assert!(!(is_excused && is_answered), "{} has an answer", entry.id);
        if is_plain && !is_answered && !is_excused && WHOLE_AREAS.contains(&area) {
            missing.push(entry.id.as_str());
        }
    }
    for (area, (some, all, plain, all_plain)) in counts {
        say(&format!("{area:8} {some:3}/{all:3} entries, {plain:2}/{all_plain:2} of the certain and easy ones"));
    }
    say(&format!("{} detectors, {} entries answered by analyzers and steps", detectors::all().count(), COVERED.len()));
    assert!(missing.is_empty(), "without an answer: {missing:?}");
}

#[test]
fn certainty_is_that_of_the_catalogue() {
    let by_id: BTreeMap<String, String> = entries().into_iter().map(|entry| (entry.id, entry.certainty)).collect();
    let ours = detectors::all().map(|detector| (detector.id(), detector.certainty));
    for (id, certainty) in ours.chain(COVERED.iter().map(|covered| (covered.id, covered.certainty))) {
        let word = match certainty {
            Certainty::Certain => "certain",
            Certainty::Likely => "likely",
            Certainty::Hint => "hint",
        };
        assert_eq!(by_id[id], word, "{id}");
    }
}
