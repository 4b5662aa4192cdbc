//! Detectors about mutual TLS, authorization, JWT and certificates.

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[];
