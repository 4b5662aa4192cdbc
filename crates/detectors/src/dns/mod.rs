//! Detectors about DNS.

mod coredns;
mod custom_configuration;
mod failing;
mod few_replicas;
mod many_lookups;
mod refresh_rate;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    few_replicas::DETECTOR,
    failing::DETECTOR,
    custom_configuration::DETECTOR,
    many_lookups::DETECTOR,
    refresh_rate::DETECTOR,
];
