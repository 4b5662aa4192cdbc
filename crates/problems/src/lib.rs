//! The catalogue of detectable problems of Istio meshes, on the AKS add-on and elsewhere: also of those that nothing
//! detects yet, and of those that cannot be detected, so that this can be said.
//!
//! Whoever refers to an entry does it by [`named`] in a constant: a name that does not exist is refused by the compiler.

mod table;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// One kind of trouble.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// Area and name, such as `net/subset-missing`.
    pub id: &'static str,
    pub title: &'static str,
    pub gravity: Gravity,
    /// How far the data can prove it; `None` where it cannot be detected.
    pub certainty: Option<Certainty>,
    pub effort: Effort,
    /// What a user sees, or what tools print.
    pub symptom: &'static str,
}

/// What it means for the mesh, where it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gravity {
    Info,
    Warning,
    Error,
    /// Much of the mesh is down, or about to be.
    Critical,
}

/// How far the data prove what is said. It speaks of the condition, not of whether that condition is the cause of the
/// trouble that a person came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The data prove it.
    Certain,
    /// Strong evidence, with exceptions.
    Likely,
    /// Worth showing; needs a person.
    Hint,
}

/// What it takes to detect it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// Objects, log texts, or one metric.
    Easy,
    /// Debug pages of proxies or istiod, certificates.
    Medium,
    /// History, probes, or the evaluation of policies.
    Hard,
    /// The data lie outside the cluster.
    Impossible,
}

const fn problem(
    id: &'static str,
    title: &'static str,
    gravity: Gravity,
    certainty: Option<Certainty>,
    effort: Effort,
    symptom: &'static str,
) -> Problem {
    Problem { id, title, gravity, certainty, effort, symptom }
}

/// In API answers a problem is its id.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}

/// Every problem, area by area.
pub fn all() -> impl Iterator<Item = &'static Problem> {
    table::AREAS.iter().copied().flatten()
}

/// The problem of that id, for what is only known at run time.
pub fn find(id: &str) -> Option<&'static Problem> {
    all().find(|problem| problem.id == id)
}

/// The problem of that id. Called in constants: then a name that does not exist does not compile.
///
/// # Panics
///
/// If there is no such problem.
pub const fn named(id: &str) -> &'static Problem {
    let mut area = 0;
    while area < table::AREAS.len() {
        let problems = table::AREAS[area];
        // All names of an area begin alike: one comparison passes over those of the others.
        if !problems.is_empty() && same_area(problems[0].id, id) {
            let mut index = 0;
            while index < problems.len() {
                if same(problems[index].id, id) {
                    return &problems[index];
                }
                index += 1;
            }
        }
        area += 1;
    }
    panic!("the catalogue has no problem of that name")
}

/// The problems of these ids, as [`named`] finds them.
///
/// # Panics
///
/// If one of them does not exist.
pub const fn all_named<const N: usize>(ids: [&str; N]) -> [&'static Problem; N] {
    let mut found = [&table::AREAS[0][0]; N];
    let mut index = 0;
    while index < N {
        found[index] = named(ids[index]);
        index += 1;
    }
    found
}

const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    // From the end: names of one area begin alike.
    let mut index = one.len();
    while index > 0 {
        index -= 1;
        if one[index] != other[index] {
            return false;
        }
    }
    true
}

const fn same_area(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        if one[index] == b'/' {
            return true;
        }
        index += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_problem_is_there_once_and_found_by_its_name() {
        let mut seen = BTreeSet::new();
        for problem in all() {
            assert!(seen.insert(problem.id), "{} stands there twice", problem.id);
            assert!(std::ptr::eq(named(problem.id), problem));
            assert!(!problem.title.is_empty() && !problem.symptom.is_empty(), "{} says nothing", problem.id);
        }
    }

    #[test]
    fn name_of_nothing_is_found_nowhere() {
        assert_eq!(find("net/none-of-ours"), None);
        assert!(std::panic::catch_unwind(|| named("net/none-of-ours")).is_err());
    }
}
