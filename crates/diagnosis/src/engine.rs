//! Reads the table of relations over the facts: for each fact the facts that explain it, and the nearest of them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use report::Severity;

use crate::{
    fact::Fact,
    place::Place,
    problems::Problems,
    relations::{self, Of, Relation},
    tie::{Strength, Tie},
};

/// Why a fact may follow from another.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) cause: usize,
    pub(crate) strength: Strength,
    pub(crate) because: &'static str,
}

/// What explains each fact.
#[derive(Debug)]
pub(crate) struct Explained {
    /// For each fact the ways in which it may follow from others, the nearest first.
    edges: Vec<Vec<Edge>>,
    /// For each fact the one at the beginning: itself, where nothing explains it.
    pub(crate) roots: Vec<usize>,
}

impl Explained {
    /// By what a fact is tied to what explains it; `None` for a cause.
    pub(crate) fn edge(&self, fact: usize) -> Option<&Edge> {
        if self.roots[fact] == fact { None } else { self.edges[fact].first() }
    }

    /// Other causes that fit as well as the one that was taken.
    pub(crate) fn others(&self, fact: usize) -> BTreeSet<usize> {
        let Some(best) = self.edge(fact) else { return BTreeSet::new() };
        let alike = |edge: &&Edge| {
            (edge.strength.tie, edge.strength.is_known) == (best.strength.tie, best.strength.is_known)
                && edge.strength.row == best.strength.row
        };
        let others = self.edges[fact].iter().skip(1).filter(alike).map(|edge| self.roots[edge.cause]);
        others.filter(|root| *root != self.roots[fact]).collect()
    }
}

pub(crate) fn explain(facts: &[Fact], places: &[Place], problems: &Problems) -> Explained {
    let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); facts.len()];
    let by_code = by_code(facts);
    let taken = |of: Of| -> Vec<usize> {
        match of {
            Of::Codes(codes) | Of::Kind(_, codes) => {
                let indices = codes.iter().filter_map(|code| by_code.get(code)).flatten().copied();
                indices.filter(|index| of.takes(&facts[*index])).collect()
            }
            Of::Client(_) | Of::Server(_) => (0..facts.len()).filter(|index| of.takes(&facts[*index])).collect(),
        }
    };
    for (number, row) in relations::all().enumerate() {
        let causes: Vec<usize> = taken(row.cause).into_iter().filter(|it| may_explain(&facts[*it])).collect();
        if causes.is_empty() {
            continue;
        }
        for effect in taken(row.effect) {
            for cause in &causes {
                add(&mut edges, facts, places, (*cause, effect), number, row);
            }
        }
    }
    add_candidates(&mut edges, facts, places, problems);
    add_same_object(&mut edges, facts, places);
    for ways in &mut edges {
        ways.sort_by(|a, b| b.strength.cmp(&a.strength).then_with(|| a.cause.cmp(&b.cause)));
    }
    let roots = roots(&mut edges);
    Explained { edges, roots }
}

fn by_code(facts: &[Fact]) -> BTreeMap<&str, Vec<usize>> {
    let mut by_code: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, fact) in facts.iter().enumerate() {
        by_code.entry(fact.code()).or_default().push(index);
    }
    by_code
}

/// Notes explain nothing.
fn may_explain(fact: &Fact) -> bool {
    let code = fact.code();
    !relations::is_note(code) && (fact.finding.severity >= Severity::Warning || relations::is_defect(code))
}

fn add(
    edges: &mut [Vec<Edge>],
    facts: &[Fact],
    places: &[Place],
    (cause, effect): (usize, usize),
    number: usize,
    row: &Relation,
) {
    if cause == effect || !row.tie.holds(&places[cause], &places[effect]) {
        return;
    }
    edges[effect].push(Edge {
        cause,
        strength: strength(facts, places, cause, row.tie, true, number),
        because: row.because,
    });
}

fn strength(facts: &[Fact], places: &[Place], cause: usize, tie: Tie, is_known: bool, row: usize) -> Strength {
    Strength {
        tie,
        is_known,
        severity: facts[cause].finding.severity,
        narrow: Reverse(places[cause].pods.len()),
        row: Reverse(row),
    }
}

/// A failed request has problems that it may come from, by its flags and details; a finding that stands for one of them,
/// about a host or a pod of the request, explains it.
fn add_candidates(edges: &mut [Vec<Edge>], facts: &[Fact], places: &[Place], problems: &Problems) {
    let stands_for: Vec<BTreeSet<&str>> =
        facts
            .iter()
            .map(|fact| {
                if may_explain(fact) && fact.failure.is_none() { problems.ids(&fact.finding) } else { BTreeSet::new() }
            })
            .collect();
    for (effect, fact) in facts.iter().enumerate() {
        let Some(failure) = &fact.failure else { continue };
        let candidates: BTreeSet<&str> = failure.explanation.candidates.iter().map(String::as_str).collect();
        for cause in 0..facts.len() {
            if stands_for[cause].is_disjoint(&candidates) {
                continue;
            }
            let ties = [Tie::Selects, Tie::EndpointOf, Tie::RoutesTo];
            // Where an object decides over hosts, the host has to fit: pods serve many.
            let ties = if places[cause].hosts.is_empty() { &ties[..2] } else { &ties[2..] };
            if let Some(tie) = ties.iter().find(|tie| tie.holds(&places[cause], &places[effect])) {
                let strength = strength(facts, places, cause, *tie, true, usize::MAX / 2);
                edges[effect].push(Edge { cause, strength, because: "a known cause of such failures" });
            }
        }
    }
}

/// What is graver explains what is less grave about the same object, where the table says nothing nearer.
fn add_same_object(edges: &mut [Vec<Edge>], facts: &[Fact], places: &[Place]) {
    let mut by_object: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, place) in places.iter().enumerate() {
        if facts[index].failure.is_none() {
            for object in &place.objects {
                by_object.entry(object).or_default().push(index);
            }
        }
    }
    for together in by_object.values() {
        for effect in together.iter().copied().filter(|it| facts[*it].finding.severity == Severity::Warning) {
            for cause in together.iter().copied().filter(|it| facts[*it].finding.severity == Severity::Error) {
                let because = "the same object, of which something graver is known";
                let strength = strength(facts, places, cause, Tie::SameObject, false, usize::MAX);
                edges[effect].push(Edge { cause, strength: Strength { tie: Tie::Mesh, ..strength }, because });
            }
        }
    }
}

/// Follows the nearest explanations to the beginning. Two facts that explain each other end at the first of the circle
/// that has another explanation, else at the one that stands first.
fn roots(edges: &mut [Vec<Edge>]) -> Vec<usize> {
    let mut roots: Vec<Option<usize>> = vec![None; edges.len()];
    for start in 0..edges.len() {
        let mut way = vec![start];
        let root = loop {
            let at = way[way.len() - 1];
            if let Some(root) = roots[at] {
                break root;
            }
            let next = edges[at].iter().position(|edge| !way.contains(&edge.cause));
            match next {
                None => {
                    edges[at].clear();
                    break at;
                }
                Some(place) => {
                    edges[at].drain(..place);
                    way.push(edges[at][0].cause);
                }
            }
        };
        for fact in way {
            roots[fact].get_or_insert(root);
        }
    }
    roots.into_iter().map(|root| root.expect("every fact was gone through")).collect()
}
