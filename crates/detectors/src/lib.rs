//! The detectors: rules of our own beyond those of `istioctl analyze`, as pure functions from a mesh to messages.
//!
//! A detector is an analyzer of the [whole](mesh::Extent::Whole) mesh with two things more: the entry of the
//! catalogue of detectable problems that it stands for, and how certain its answer is. Each is a file of its own, with
//! a page for its code, in the folder of its area; [`all`] lists them. [`COVERED`] names the entries for which
//! analyzers and steps have an answer already, so that no rule is written twice.

mod ambient;
mod area;
mod certificate_authority;
mod client_tls;
mod cni;
mod control_plane;
mod covered;
mod dns;
pub mod egress;
mod gateway;
mod gateway_api;
mod injection;
mod layers;
mod mesh_config;
mod network;
mod observability;
pub mod reference;
mod resources;
mod security;
mod upgrade;
mod validation;
mod wording;

pub use area::Area;
pub use covered::{COVERED, Covered};
pub use problems::Certainty;

use analyzers::{Analysis, Analyzer, Options, analyze_by};
use mesh::{KindSet, Mesh};
use problems::Problem;

/// One rule.
#[derive(Debug)]
pub struct Detector {
    pub certainty: Certainty,
    /// Its name is the id of the catalogue's entry, such as `net/subset-missing`.
    pub rule: Analyzer,
}

impl Detector {
    pub fn id(&self) -> &'static str {
        self.rule.name
    }

    pub fn area(&self) -> Area {
        Area::of(self.id())
    }
}

static AREAS: &[&[Detector]] = &[
    control_plane::DETECTORS,
    injection::DETECTORS,
    mesh_config::DETECTORS,
    resources::DETECTORS,
    network::DETECTORS,
    gateway::DETECTORS,
    gateway_api::DETECTORS,
    security::DETECTORS,
    certificate_authority::DETECTORS,
    dns::DETECTORS,
    egress::DETECTORS,
    cni::DETECTORS,
    ambient::DETECTORS,
    upgrade::DETECTORS,
    validation::DETECTORS,
    observability::DETECTORS,
];

/// A detector of a problem that the catalogue does not have, or of another certainty, does not compile.
const _: () = {
    let mut area = 0;
    while area < AREAS.len() {
        let mut index = 0;
        while index < AREAS[area].len() {
            let detector = &AREAS[area][index];
            match problems::named(detector.rule.name).certainty {
                Some(certainty) => assert!(certainty as u8 == detector.certainty as u8, "another certainty"),
                None => panic!("what cannot be detected has no detector"),
            }
            index += 1;
        }
        area += 1;
    }
};

/// Every detector, area by area.
pub fn all() -> impl Iterator<Item = &'static Detector> {
    AREAS.iter().copied().flatten()
}

/// The detectors of some areas.
pub fn of_areas(areas: &[Area]) -> Vec<&'static Detector> {
    all().filter(|detector| areas.contains(&detector.area())).collect()
}

/// The detectors of these problems. Those that analyzers or steps answer have none.
pub fn that_detect(problems: &[&Problem]) -> Vec<&'static Detector> {
    all().filter(|detector| problems.iter().any(|problem| problem.id == detector.id())).collect()
}

/// Every kind that some of them read.
pub fn kinds(detectors: &[&Detector]) -> KindSet {
    detectors.iter().flat_map(|detector| detector.rule.reads).copied().collect()
}

/// Runs detectors over a whole mesh.
pub fn detect<'m>(mesh: &'m Mesh, detectors: &[&'static Detector], options: &Options) -> Analysis<'m> {
    let rules: Vec<&'static Analyzer> = detectors.iter().map(|detector| &detector.rule).collect();
    analyze_by(mesh, &rules, options)
}
