//! Detectors about the CNI plug-in of Istio.

mod mixed_redirection;
mod outdated_redirection;
mod plugin_on_old_revision;
mod redirection;
mod repaired_pods;
mod validation_without_plugin;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    outdated_redirection::DETECTOR,
    validation_without_plugin::DETECTOR,
    mixed_redirection::DETECTOR,
    plugin_on_old_revision::DETECTOR,
    repaired_pods::DETECTOR,
];
