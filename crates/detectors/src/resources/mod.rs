//! Detectors about what proxies and the control plane cost.

mod access_logs_of_all;
mod all_cores;
mod everything_discovered;
mod high_sampling;
mod large_headless_services;
mod many_workers;
mod no_export_limit;
mod no_scope;
mod proxy_settings;
mod scope_in_wrong_root;
mod unbounded_tags;
mod unlimited_proxies;
mod visible;
mod wide_statistics;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    all_cores::DETECTOR,
    many_workers::DETECTOR,
    no_scope::DETECTOR,
    scope_in_wrong_root::DETECTOR,
    no_export_limit::DETECTOR,
    wide_statistics::DETECTOR,
    large_headless_services::DETECTOR,
    access_logs_of_all::DETECTOR,
    high_sampling::DETECTOR,
    unlimited_proxies::DETECTOR,
    everything_discovered::DETECTOR,
    unbounded_tags::DETECTOR,
];
