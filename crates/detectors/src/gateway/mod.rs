//! Detectors about ingress gateways of Istio's API.

mod add_on;
mod address_differs;
mod address_rules;
mod allowed_sources;
mod annotation_not_kept;
mod bound_routes;
mod certificate_chain;
mod certificate_expires;
mod certificate_hosts;
mod client_address_lost;
mod conflicting_servers;
mod foreign_workloads;
mod http_routes_behind_passthrough;
mod ingress_mixed_up;
mod ingress_not_enabled;
mod local_traffic_policy;
mod no_listener;
mod presented;
mod probe_without_path;
mod redirect_without_https;
mod revisions_mixed;
mod secret_not_synced;
mod secret_without_authority;
mod tls_routes_after_termination;
mod tls_towards_backend;
mod trusted_proxies;
mod without_virtual_service;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    ingress_not_enabled::DETECTOR,
    ingress_mixed_up::DETECTOR,
    address_differs::DETECTOR,
    annotation_not_kept::DETECTOR,
    no_listener::DETECTOR,
    without_virtual_service::DETECTOR,
    secret_without_authority::DETECTOR,
    certificate_expires::DETECTOR,
    certificate_hosts::DETECTOR,
    certificate_chain::DETECTOR,
    secret_not_synced::DETECTOR,
    conflicting_servers::DETECTOR,
    tls_routes_after_termination::DETECTOR,
    http_routes_behind_passthrough::DETECTOR,
    tls_towards_backend::DETECTOR,
    local_traffic_policy::DETECTOR,
    client_address_lost::DETECTOR,
    probe_without_path::DETECTOR,
    allowed_sources::DETECTOR,
    redirect_without_https::DETECTOR,
    revisions_mixed::DETECTOR,
    foreign_workloads::DETECTOR,
    trusted_proxies::DETECTOR,
];
