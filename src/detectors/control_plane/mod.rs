//! Detectors about the control plane.

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[];
