//! Detectors about sidecar injection and the start of pods.

mod deactivated_webhooks;
mod dns_policies;
mod early_applications;
mod endless_jobs;
mod excluded_traffic;
mod mixed_sidecars;
mod native_sidecars;
mod outdated_settings;
mod pod_security;
mod probe_rewrites;
mod reserved_ports;
mod short_grace_periods;
mod stranded_init_containers;
mod switch_out_of_place;
mod unsupported_nodes;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    mixed_sidecars::DETECTOR,
    switch_out_of_place::DETECTOR,
    unsupported_nodes::DETECTOR,
    deactivated_webhooks::DETECTOR,
    pod_security::DETECTOR,
    reserved_ports::DETECTOR,
    endless_jobs::DETECTOR,
    native_sidecars::DETECTOR,
    dns_policies::DETECTOR,
    probe_rewrites::DETECTOR,
    excluded_traffic::DETECTOR,
    outdated_settings::DETECTOR,
    early_applications::DETECTOR,
    stranded_init_containers::DETECTOR,
    short_grace_periods::DETECTOR,
];
