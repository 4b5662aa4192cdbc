//! Detectors about the control plane.

mod add_on_policy_webhook;
mod application_routing;
mod foreign_control_planes;
mod foreign_gateway_images;
mod leftover_validators;
mod open_service_mesh;
mod policies_before_istiod;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    foreign_control_planes::DETECTOR,
    open_service_mesh::DETECTOR,
    application_routing::DETECTOR,
    add_on_policy_webhook::DETECTOR,
    leftover_validators::DETECTOR,
    foreign_gateway_images::DETECTOR,
    policies_before_istiod::DETECTOR,
];
