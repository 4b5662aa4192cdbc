//! Detectors about security: mutual TLS, authorization, tokens and certificates.

mod addresses_of_nodes;
mod allow_list_in_force;
mod allow_nothing;
mod audit_policies;
mod authorizer_missing;
mod callers_without_identity;
mod client_certificate_missing;
mod dry_run_policies;
mod http_rules_on_tcp;
mod mixed_mutual_tls;
mod mutual_tls_off;
mod peer_authentication_duplicates;
mod peer_authentication_ports;
mod plain_text_accepted;
mod policy_in_wrong_root;
mod proxy_without_token;
pub(super) mod rules;
mod server_names_differ;
mod split_conditions;
mod strict_plain_callers;
mod token_keys_behind_strict;
mod tokens_not_demanded;
mod tokens_on_tcp;
mod unknown_callers;
mod unknown_hosts;
mod unmatched_tokens;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    peer_authentication_duplicates::DETECTOR,
    peer_authentication_ports::DETECTOR,
    policy_in_wrong_root::DETECTOR,
    mutual_tls_off::DETECTOR,
    plain_text_accepted::DETECTOR,
    allow_nothing::DETECTOR,
    allow_list_in_force::DETECTOR,
    http_rules_on_tcp::DETECTOR,
    unknown_callers::DETECTOR,
    callers_without_identity::DETECTOR,
    audit_policies::DETECTOR,
    authorizer_missing::DETECTOR,
    dry_run_policies::DETECTOR,
    tokens_not_demanded::DETECTOR,
    token_keys_behind_strict::DETECTOR,
    tokens_on_tcp::DETECTOR,
    proxy_without_token::DETECTOR,
    client_certificate_missing::DETECTOR,
    mixed_mutual_tls::DETECTOR,
    split_conditions::DETECTOR,
    unknown_hosts::DETECTOR,
    strict_plain_callers::DETECTOR,
    addresses_of_nodes::DETECTOR,
    server_names_differ::DETECTOR,
    unmatched_tokens::DETECTOR,
];
