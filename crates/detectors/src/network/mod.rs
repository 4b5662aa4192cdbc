//! Detectors about traffic management.

mod closed_ports;
mod contested_ports;
mod doubled_tls;
mod empty_selectors;
mod external_names;
mod failover_without_detection;
mod faults;
mod faults_with_retries;
mod filters_for_other_versions;
mod followers;
mod grpc_over_tcp;
mod hidden_hosts;
mod http_rules_for_tcp;
mod idle_subset_policies;
mod injected_faults;
mod missing_target_ports;
mod mistaken_protocols;
mod mutual_tls_towards_plain;
mod ports_of_the_proxy;
mod repeated_rules;
mod repeated_service_entries;
mod requests;
mod rewrites;
mod rules_out_of_reach;
mod server_first_ports;
mod shadowed_gateway_routes;
mod shadowed_rules;
mod short_gateway_hosts;
mod subset_not_ready;
mod tls_off_towards_strict;
mod tls_to_http_ports;
mod uneven_weights;
mod upgrades_to_http2;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    tls_off_towards_strict::DETECTOR,
    mutual_tls_towards_plain::DETECTOR,
    subset_not_ready::DETECTOR,
    idle_subset_policies::DETECTOR,
    repeated_rules::DETECTOR,
    rules_out_of_reach::DETECTOR,
    shadowed_gateway_routes::DETECTOR,
    uneven_weights::DETECTOR,
    injected_faults::DETECTOR,
    faults_with_retries::DETECTOR,
    missing_target_ports::DETECTOR,
    server_first_ports::DETECTOR,
    mistaken_protocols::DETECTOR,
    repeated_service_entries::DETECTOR,
    external_names::DETECTOR,
    tls_to_http_ports::DETECTOR,
    doubled_tls::DETECTOR,
    empty_selectors::DETECTOR,
    ports_of_the_proxy::DETECTOR,
    failover_without_detection::DETECTOR,
    hidden_hosts::DETECTOR,
    http_rules_for_tcp::DETECTOR,
    filters_for_other_versions::DETECTOR,
    closed_ports::DETECTOR,
    grpc_over_tcp::DETECTOR,
    contested_ports::DETECTOR,
    shadowed_rules::DETECTOR,
    rewrites::DETECTOR,
    short_gateway_hosts::DETECTOR,
    upgrades_to_http2::DETECTOR,
];
