//! Detectors about Gateways and routes of the Gateway API.

mod add_on;
mod address_unknown;
mod backend_not_granted;
mod bundle_mismatch;
mod class_defaults;
mod class_unknown;
mod definitions;
mod definitions_missing;
mod definitions_unmanaged;
mod generated_name;
mod grants;
mod listener_invalid;
mod local_policy_probe;
mod revision_pinned;
mod revision_too_old;
mod settings;
mod settings_missing;
mod settings_not_allowed;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    definitions_missing::DETECTOR,
    definitions_unmanaged::DETECTOR,
    bundle_mismatch::DETECTOR,
    revision_too_old::DETECTOR,
    class_unknown::DETECTOR,
    listener_invalid::DETECTOR,
    generated_name::DETECTOR,
    settings_not_allowed::DETECTOR,
    class_defaults::DETECTOR,
    settings_missing::DETECTOR,
    local_policy_probe::DETECTOR,
    revision_pinned::DETECTOR,
    address_unknown::DETECTOR,
    backend_not_granted::DETECTOR,
];
