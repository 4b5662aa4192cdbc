//! The detectors: rules of our own beyond those of `istioctl analyze`, as pure functions from a mesh to messages.
//!
//! A detector is an analyzer of the [whole](mesh::Extent::Whole) mesh with two things more: the entry of the
//! catalogue of detectable problems that it stands for, and how certain its answer is. Each is a file of its own, with
//! a page for its code, in the folder of its area; [`all`] lists them. [`COVERED`] names the entries for which
//! analyzers and steps have an answer already, so that no rule is written twice.

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

use serde::Serialize;
use utoipa::ToSchema;

pub use area::Area;
pub use covered::{COVERED, Covered};

use analyzers::{Analysis, Analyzer, Options, analyze_by};
use mesh::{KindSet, Mesh};

/// The catalogue of detectable problems, as YAML: also of those that nothing here detects yet.
pub const CATALOGUE: &str = include_str!("catalogue.yaml");

/// How far the data prove what a detector says. It speaks of the condition, not of whether that condition is the cause
/// of the trouble that a person came with.
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

/// Every detector, area by area.
pub fn all() -> impl Iterator<Item = &'static Detector> {
    let areas = [
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
        upgrade::DETECTORS,
        validation::DETECTORS,
        observability::DETECTORS,
    ];
    areas.into_iter().flatten()
}

/// The detectors of some areas.
pub fn of_areas(areas: &[Area]) -> Vec<&'static Detector> {
    all().filter(|detector| areas.contains(&detector.area())).collect()
}

/// The detectors of these ids.
pub fn of_ids(ids: &[&str]) -> Vec<&'static Detector> {
    all().filter(|detector| ids.contains(&detector.id())).collect()
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
