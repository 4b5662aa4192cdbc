//! The catalogue of detectable problems, and which of its entries have an answer.

use std::collections::{BTreeMap, BTreeSet};

use meshtriage::{
    detectors::{self, COVERED, Certainty, Detector},
    problems::{self, Effort},
};

use crate::support::say;

/// Problems that are certain and easy to detect and have no answer, each with the reason.
const WITHOUT_ANSWER: &[(&str, &str)] = &[
    ("upg/tag-as-revision", "a slip of the caller: every step takes a tag for the revision that it points to"),
    ("val/rejections", "only a counter of istiod tells it, which no step reads"),
];

#[test]
fn problems_have_an_answer() {
    let answered: BTreeSet<&str> =
        detectors::all().map(Detector::id).chain(COVERED.iter().map(|covered| covered.problem.id)).collect();
    let mut counts: BTreeMap<&str, (usize, usize, usize, usize)> = BTreeMap::new();
    let mut missing = Vec::new();
    for problem in problems::all() {
        let (area, _) = problem.id.split_once('/').unwrap();
        let count = counts.entry(area).or_default();
        let is_answered = answered.contains(problem.id);
        let is_plain = problem.certainty == Some(Certainty::Certain) && problem.effort == Effort::Easy;
        count.1 += 1;
        count.0 += usize::from(is_answered);
        count.3 += usize::from(is_plain);
        count.2 += usize::from(is_plain && is_answered);
        let is_excused = WITHOUT_ANSWER.iter().any(|(id, _)| *id == problem.id);
        assert!(!(is_excused && is_answered), "{} has an answer", problem.id);
        if is_plain && !is_answered && !is_excused {
            missing.push(problem.id);
        }
    }
    for (area, (some, all, plain, all_plain)) in counts {
        say(&format!("{area:8} {some:3}/{all:3} problems, {plain:2}/{all_plain:2} of the certain and easy ones"));
    }
    say(&format!("{} detectors, {} problems answered by analyzers and steps", detectors::all().count(), COVERED.len()));
    assert!(missing.is_empty(), "without an answer: {missing:?}");
}

/// That of detectors is checked by the compiler.
#[test]
fn certainty_is_that_of_the_catalogue() {
    for covered in COVERED {
        assert_eq!(covered.problem.certainty, Some(covered.certainty), "{}", covered.problem.id);
    }
}
