//! The analyzers: pure functions from a mesh to messages, in one table. They do no I/O and read no clock.
//!
//! They are those of `istioctl analyze`. Seen from a [`Perspective`](mesh::Perspective) that is compatible,
//! they say exactly what it says; else oddities of its rules are corrected, and revisioned installations, such as the
//! AKS add-on, are understood.
//!
//! An analyzer is a constant in [`ANALYZERS`], in the order of `istioctl`, and a file of its own. It reports messages;
//! [`analyze`] filters and sorts them, [`print()`] shows them as `istioctl` does, [`Message::to_finding`] in our words.

mod alpha_annotations;
mod annotation_table;
mod annotation_values;
mod annotations;
mod application_uid;
mod authorization_policies;
mod auto_images;
mod blocked_cidrs;
mod bound_gateways;
mod ca_certificates;
mod conditions;
mod deprecation;
mod destination_hosts;
mod destination_subsets;
pub mod destinations;
mod envoy_filter_patches;
mod external_control_plane;
mod filter;
mod gateway_api_versions;
mod gateway_certificates;
mod gateway_conflicts;
mod gateway_ports;
pub(crate) mod gateway_secrets;
mod inconsistent_services;
mod ineffective_selectors;
mod injector_settings;
mod jwt_claim_routes;
mod lightstep_tracing;
mod malformed;
mod mesh_hosts;
mod message;
mod missing_injection;
mod network_registries;
mod output;
mod proxy_images;
pub mod remarks;
mod remedies;
mod revisions;
mod run;
pub mod schema;
mod selector_conflicts;
pub mod service_entry_addresses;
mod service_entry_protocols;
mod service_port_names;
mod services_of_deployments;
mod shared;
mod sidecar_selectors;
mod subsets;
mod telemetry_defaults;
mod telemetry_providers;
mod telemetry_selectors;
mod validation;
mod webhook_overlaps;

pub use authorization_policies::namespace_matches;
pub use filter::{NoSuppression, Suppression, in_order};
pub use malformed::K8S0100;
pub use message::{Message, Messages, Path, list, quoted};
pub use output::{EXIT_USAGE, Format, Outcome, documentation_url, exit_code, level, print, text_line, to_json};
pub use run::{Analysis, Options, UnknownAnalyzer, analyze, analyze_by};
pub use shared::RETIRED;

use mesh::{Kind, Mesh};
use report::Code;

/// A rule, or a few that belong together.
#[derive(Debug)]
pub struct Analyzer {
    /// As `istioctl analyze --analyzer` names it.
    pub name: &'static str,
    /// The kinds that it asks the mesh for. If one cannot be read, the analyzer is skipped.
    pub reads: &'static [Kind],
    pub reports: &'static [&'static Code],
    /// Whether it runs without being named.
    pub by_default: bool,
    pub run: Rule,
}

/// What an analyzer does.
pub type Rule = for<'m> fn(&'m Mesh, &mut Messages<'m>);

/// Every analyzer, in the order in which they run.
pub static ANALYZERS: &[Analyzer] = &[
    annotations::ANALYZER,
    blocked_cidrs::ANALYZER,
    authorization_policies::ANALYZER,
    conditions::ANALYZER,
    services_of_deployments::ANALYZER,
    application_uid::ANALYZER,
    ca_certificates::ANALYZER,
    subsets::ANALYZER,
    deprecation::ANALYZER,
    envoy_filter_patches::ANALYZER,
    external_control_plane::ANALYZER,
    gateway_ports::ANALYZER,
    gateway_certificates::ANALYZER,
    gateway_secrets::ANALYZER,
    gateway_conflicts::ANALYZER,
    missing_injection::ANALYZER,
    proxy_images::ANALYZER,
    auto_images::ANALYZER,
    ineffective_selectors::ANALYZER,
    gateway_api_versions::ANALYZER,
    network_registries::ANALYZER,
    inconsistent_services::ANALYZER,
    service_port_names::ANALYZER,
    sidecar_selectors::ANALYZER,
    mesh_hosts::ANALYZER,
    destination_hosts::ANALYZER,
    destination_subsets::ANALYZER,
    bound_gateways::ANALYZER,
    jwt_claim_routes::ANALYZER,
    service_entry_addresses::ANALYZER,
    service_entry_protocols::ANALYZER,
    webhook_overlaps::ANALYZER,
    telemetry_providers::ANALYZER,
    telemetry_selectors::ANALYZER,
    telemetry_defaults::ANALYZER,
    lightstep_tracing::ANALYZER,
    validation::AUTHORIZATION_POLICY,
    validation::DESTINATION_RULE,
    validation::ENVOY_FILTER,
    validation::GATEWAY,
    validation::PEER_AUTHENTICATION,
    validation::PROXY_CONFIG,
    validation::REQUEST_AUTHENTICATION,
    validation::SERVICE_ENTRY,
    validation::SIDECAR,
    validation::TELEMETRY,
    validation::TRAFFIC_EXTENSION,
    validation::VIRTUAL_SERVICE,
    validation::WASM_PLUGIN,
    validation::WORKLOAD_ENTRY,
    validation::WORKLOAD_GROUP,
    validation::MESH_NETWORKS,
    validation::MESH_CONFIG,
    alpha_annotations::ANALYZER,
];
