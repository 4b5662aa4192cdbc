//! Detectors about upgrades and revisions.

mod canary;
mod cluster_first;
mod envoy_filters;
mod in_progress;
mod mixed_gateways;
mod native_sidecars_ahead;
mod newer_validator;
mod old_api_versions;
mod old_namespaces;
mod old_tags;
mod overridden_autoscalers;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    in_progress::DETECTOR,
    old_namespaces::DETECTOR,
    old_tags::DETECTOR,
    mixed_gateways::DETECTOR,
    overridden_autoscalers::DETECTOR,
    newer_validator::DETECTOR,
    envoy_filters::DETECTOR,
    old_api_versions::DETECTOR,
    native_sidecars_ahead::DETECTOR,
    cluster_first::DETECTOR,
];
