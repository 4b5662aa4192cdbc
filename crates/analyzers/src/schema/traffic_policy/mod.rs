//! Rules on [`TrafficPolicy`](https://istio.io/latest/docs/reference/config/networking/destination-rule/#TrafficPolicy)
//! and its parts.

pub(super) mod client_tls;
pub(super) mod connection_pool;
mod load_balancer;
pub(super) mod locality;
pub(super) mod outlier_detection;

use super::fields::Fields;
use super::message::traffic_policy::PROXY_PROTOCOL;
use super::problem::Outcome;
use super::value::address::ip;
use super::value::domain::fqdn;
use super::value::{duration, port};

/// A duration that must be one Envoy can hold, if it is set.
pub(super) fn optional_duration(outcome: &mut Outcome, fields: Fields, name: &str) {
    if let Some(value) = fields.duration(name) {
        outcome.check(duration::check(value));
    }
}

pub(super) fn check(outcome: &mut Outcome, namespace: &str, policy: Option<Fields>) {
    const PARTS: [&str; 7] =
        ["outlierDetection", "connectionPool", "loadBalancer", "tls", "tunnel", "proxyProtocol", "retryBudget"];
    let Some(policy) = policy else { return };
    if !PARTS.iter().any(|part| policy.has(part)) && policy.count("portLevelSettings") == 0 {
        outcome.error("traffic policy must have at least one field");
        return;
    }
    if policy.has("tunnel") && policy.has("proxyProtocol") {
        outcome.error("tunnel and proxyProtocol must not be set together");
        return;
    }
    four_parts(outcome, namespace, policy);
    outcome.without_warnings(|outcome| {
        for settings in policy.list("portLevelSettings") {
            port_level(outcome, namespace, settings);
        }
    });
    if let Some(tunnel) = policy.message("tunnel") {
        check_tunnel(outcome, tunnel);
    }
    if let Some(proxy_protocol) = policy.message("proxyProtocol") {
        let version = proxy_protocol.choice("version", &PROXY_PROTOCOL);
        if !version.is_any(&["V1", "V2"]) {
            outcome.error(format!("proxy protocol version is invalid: {version}"));
        }
    }
}

/// What may be said for all ports and for one.
fn four_parts(outcome: &mut Outcome, namespace: &str, policy: Fields) {
    let outlier_detection = policy.message("outlierDetection");
    outlier_detection::check(outcome, outlier_detection);
    connection_pool::check(outcome, policy.message("connectionPool"));
    load_balancer::check(outcome, policy.message("loadBalancer"), outlier_detection.is_some());
    client_tls::check(outcome, namespace, policy.message("tls"));
}

fn port_level(outcome: &mut Outcome, namespace: &str, settings: Option<Fields>) {
    let Some(settings) = settings else {
        outcome.error("traffic policy may not be null");
        return;
    };
    if !settings.has("port") {
        outcome.error("portTrafficPolicy must have valid port");
    }
    if ["outlierDetection", "connectionPool", "loadBalancer", "tls"].iter().any(|part| settings.has(part)) {
        four_parts(outcome, namespace, settings);
    } else {
        outcome.error("port traffic policy must have at least one field");
    }
}

fn check_tunnel(outcome: &mut Outcome, tunnel: Fields) {
    if !matches!(tunnel.text("protocol"), "" | "CONNECT" | "POST") {
        outcome.error("tunnel protocol must be \"CONNECT\" or \"POST\"");
    }
    let host = tunnel.text("targetHost");
    if let (Err(name), Err(address)) = (fqdn(host), ip(host)) {
        outcome.error(format!("tunnel target host must be valid FQDN or IP address: {name}; {address}"));
    }
    if let Err(error) = port::number(tunnel.int("targetPort")) {
        outcome.error(format!("tunnel target port is invalid: {error}"));
    }
}
