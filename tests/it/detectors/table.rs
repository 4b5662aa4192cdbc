//! Names, codes and pages of the table.

use std::collections::{BTreeMap, BTreeSet};

use meshtriage::{
    analyzers::Messages,
    api,
    detectors::{self, Area, COVERED},
    mesh::{Kind, KindSet},
    report::Code,
};

use super::{detect, mesh_of};
use crate::analyze::pages::{example, page_has_its_parts};

fn codes() -> BTreeMap<&'static str, &'static Code> {
    detectors::all().flat_map(|detector| detector.rule.reports).map(|code| (code.id, *code)).collect()
}

#[test]
fn ids_and_codes_are_there_once() {
    let mut ids = BTreeSet::new();
    for detector in detectors::all() {
        assert!(ids.insert(detector.id()), "{} is there twice", detector.id());
        let (area, _) = detector.id().split_once('/').unwrap();
        assert!(Area::ALL.iter().any(|(_, name)| *name == area), "{}", detector.id());
        assert!(!detector.rule.reports.is_empty());
        for code in detector.rule.reports {
            assert!(std::ptr::eq(codes()[code.id], *code), "{} is defined twice", code.id);
        }
    }
}

#[test]
fn entries_that_others_answer_name_known_codes() {
    let known: BTreeSet<_> = api::codes().into_iter().map(|code| code.code).collect();
    let mut ids = BTreeSet::new();
    for covered in COVERED {
        assert!(ids.insert(covered.problem.id), "{} is there twice", covered.problem.id);
        assert!(
            detectors::all().all(|detector| detector.id() != covered.problem.id),
            "{} has a detector",
            covered.problem.id
        );
        for code in covered.codes {
            assert!(known.contains(code), "{}: there is no code {code}", covered.problem.id);
        }
    }
}

#[test]
fn pages_have_their_parts() {
    for code in codes().values() {
        page_has_its_parts(code);
    }
}

#[test]
fn examples_of_pages_are_true() {
    let mut failures = Vec::new();
    for (id, code) in codes() {
        let found = |heading: &str| {
            let example = example(code.page, heading).unwrap_or_else(|| panic!("{id}: no {heading} example"));
            detect(&mesh_of(example), id).messages.iter().any(|message| message.code.id == id)
        };
        if !found("Bad") {
            failures.push(format!("{id}: not found in its Bad example"));
        }
        if found("Good") {
            failures.push(format!("{id}: found in its Good example"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A kind that is read without being promised would be taken for empty where it cannot be read.
#[test]
fn detectors_read_what_they_promise() {
    let examples = codes().into_values().flat_map(|code| ["Bad", "Good"].map(|heading| example(code.page, heading)));
    let meshes: Vec<_> = examples.flatten().map(mesh_of).collect();
    let recorded: Vec<_> = super::recordings::NAMES.iter().map(|name| super::recordings::mesh(name)).collect();
    for mesh in meshes.iter().chain(&recorded) {
        mesh.hosts();
        for detector in detectors::all() {
            mesh.forget_asked();
            let mut messages = Messages::new(false);
            (detector.rule.run)(mesh, &mut messages);
            let promised: KindSet = detector.rule.reads.iter().copied().collect();
            let surplus: Vec<Kind> = mesh.asked().iter().filter(|kind| !promised.contains(*kind)).collect();
            assert!(surplus.is_empty(), "{} reads {surplus:?} without saying so", detector.id());
            for message in messages.into_list() {
                let id = message.code.id;
                assert!(super::reports(detector, id), "{} reports {id} without saying so", detector.id());
            }
        }
    }
}
