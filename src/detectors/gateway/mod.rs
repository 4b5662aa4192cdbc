//! Detectors about ingress gateways of Istio's API.

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[];
