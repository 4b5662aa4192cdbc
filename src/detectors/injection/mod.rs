//! Detectors about sidecar injection and the start of pods.

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[];
