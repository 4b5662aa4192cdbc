//! Detectors about what proxies and istiod use.

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[];
