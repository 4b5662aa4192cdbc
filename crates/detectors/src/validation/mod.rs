//! Detectors about the validation of configuration.

mod dropped_fields;
mod fails_open;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[fails_open::DETECTOR, dropped_fields::DETECTOR];
