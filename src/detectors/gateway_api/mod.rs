//! Detectors about Gateways and routes of the Gateway API.

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[];
