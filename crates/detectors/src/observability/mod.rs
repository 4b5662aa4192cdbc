//! Detectors about telemetry and access logs.

mod access_log_format;
mod access_log_off;
mod access_log_partial;
mod access_log_provider;
mod access_logs;
mod configs;
mod field_not_allowed;
mod log_level;
mod metrics_disabled;
mod metrics_not_scraped;
mod providers;
mod revision_too_old;
mod traces_missing;
mod tracing_without_provider;
mod wrong_root_namespace;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    access_log_off::DETECTOR,
    access_log_partial::DETECTOR,
    access_log_format::DETECTOR,
    access_log_provider::DETECTOR,
    tracing_without_provider::DETECTOR,
    field_not_allowed::DETECTOR,
    revision_too_old::DETECTOR,
    wrong_root_namespace::DETECTOR,
    traces_missing::DETECTOR,
    metrics_not_scraped::DETECTOR,
    log_level::DETECTOR,
    metrics_disabled::DETECTOR,
];
