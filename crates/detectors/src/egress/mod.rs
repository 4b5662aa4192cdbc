//! Detectors about traffic to the outside: hosts, HTTP proxies, egress gateways.

mod avoidable_gateways;
mod blocked_hosts;
mod broken_routes;
mod gateways_not_ready;
pub mod http_proxies;
mod https_clients;
mod incomplete_no_proxy;
mod limits;
pub mod misdescribed_proxies;
mod misplaced_secrets;
mod missing_configurations;
mod missing_gateway_pools;
mod routes;
mod static_gateways;
mod undescribed_hosts;
mod undescribed_proxies;
mod unhealthy_controllers;
mod unknown_hosts;
mod unprovisioned_configurations;
mod unresolved_hosts;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    blocked_hosts::DETECTOR,
    undescribed_hosts::DETECTOR,
    undescribed_proxies::DETECTOR,
    misdescribed_proxies::DETECTOR,
    incomplete_no_proxy::DETECTOR,
    missing_configurations::DETECTOR,
    unprovisioned_configurations::DETECTOR,
    missing_gateway_pools::DETECTOR,
    unhealthy_controllers::DETECTOR,
    gateways_not_ready::DETECTOR,
    limits::DETECTOR,
    unresolved_hosts::DETECTOR,
    broken_routes::DETECTOR,
    https_clients::DETECTOR,
    misplaced_secrets::DETECTOR,
    avoidable_gateways::DETECTOR,
];
