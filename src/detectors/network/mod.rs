//! Detectors about traffic management.

mod tls_off_towards_strict;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[tls_off_towards_strict::DETECTOR];
