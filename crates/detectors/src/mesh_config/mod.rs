//! Detectors about the mesh configuration.

mod blocked_fields;
mod deprecated_fields;
mod fields;
mod hidden_namespaces;
mod idle_discovery_selectors;
mod maps;
mod misplaced_fields;
mod missing_mesh_key;
mod overridden_settings;
mod overriding_annotations;
mod providers_without_service;
mod shared_map_absent;
mod shared_map_misnamed;
mod shared_map_missing;
mod shared_map_orphaned;
mod shared_maps_differ;
mod trust_domains;
mod undefined_providers;
mod unknown_fields;
mod unreadable_maps;
mod unsupported_fields;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    shared_map_absent::DETECTOR,
    shared_map_misnamed::DETECTOR,
    shared_map_missing::DETECTOR,
    shared_maps_differ::DETECTOR,
    shared_map_orphaned::DETECTOR,
    overridden_settings::DETECTOR,
    unreadable_maps::DETECTOR,
    missing_mesh_key::DETECTOR,
    unknown_fields::DETECTOR,
    blocked_fields::DETECTOR,
    unsupported_fields::DETECTOR,
    misplaced_fields::DETECTOR,
    undefined_providers::DETECTOR,
    providers_without_service::DETECTOR,
    hidden_namespaces::DETECTOR,
    idle_discovery_selectors::DETECTOR,
    overriding_annotations::DETECTOR,
    trust_domains::DETECTOR,
    deprecated_fields::DETECTOR,
];
