//! The catalogue itself, a file for each area.

mod certificate_authority;
mod cni;
mod control_plane;
mod dns;
mod egress;
mod gateway;
mod gateway_api;
mod injection;
mod mesh_config;
mod network;
mod observability;
mod resources;
mod security;
mod upgrade;
mod validation;

use crate::Problem;

/// Area by area.
pub(super) const AREAS: &[&[Problem]] = &[
    control_plane::PROBLEMS,
    injection::PROBLEMS,
    mesh_config::PROBLEMS,
    resources::PROBLEMS,
    network::PROBLEMS,
    gateway::PROBLEMS,
    gateway_api::PROBLEMS,
    security::PROBLEMS,
    certificate_authority::PROBLEMS,
    dns::PROBLEMS,
    egress::PROBLEMS,
    cni::PROBLEMS,
    upgrade::PROBLEMS,
    validation::PROBLEMS,
    observability::PROBLEMS,
];
