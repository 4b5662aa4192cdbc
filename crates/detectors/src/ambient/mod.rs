//! Detectors about the ambient mesh, where nodes and waypoints do the work of sidecars.

mod hbone_closed;
mod not_redirected;
mod policies_without_waypoint;
mod waypoints_not_ready;

use super::Detector;

/// Every detector about the ambient mesh. Each is of the area that its trouble shows in.
pub(super) static DETECTORS: &[Detector] = &[
    policies_without_waypoint::DETECTOR,
    waypoints_not_ready::DETECTOR,
    not_redirected::DETECTOR,
    hbone_closed::DETECTOR,
];
