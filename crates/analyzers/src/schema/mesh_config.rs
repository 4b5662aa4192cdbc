//! The check of the [mesh configuration](https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/): whether
//! Istio would accept it. Of a field that is not there nothing is said, because the merge fills in the defaults.

use serde_json::Value;

use super::fields::Fields;
use super::problem::{Outcome, Problem};
use super::traffic_policy::{client_tls, connection_pool, locality, outlier_detection};
use super::value::address::{is_ip, split_host_port, subnet};
use super::value::domain::{fqdn, is_dns_label, wildcard_domain};
use super::value::duration::{self, Duration};
use super::value::text::quoted;
use super::value::{Check, port};
use super::virtual_service;

/// Why Istio would refuse a mesh configuration.
pub fn mesh_config(config: &Value) -> Vec<Problem> {
    let mut outcome = Outcome::default();
    let mesh = Fields::of(config);
    if mesh.has("proxyListenPort") {
        outcome.check(port::number(mesh.int("proxyListenPort")));
    }
    if let Some(timeout) = time(&mut outcome, mesh, "connectTimeout") {
        outcome.check(duration::check(timeout));
        if timeout > Duration::HOUR {
            outcome.error("invalid connect timeout: must be at most 1h");
        }
    }
    if time(&mut outcome, mesh, "protocolDetectionTimeout").is_some_and(|timeout| !timeout.whole_milliseconds()) {
        outcome.error("invalid protocol detection timeout: only durations to ms precision are supported");
    }
    if let Some(proxy) = mesh.message("defaultConfig") {
        proxy_config(&mut outcome, proxy);
    }
    locality::check(&mut outcome, mesh.message("localityLbSetting"), true);
    locality::zone_aware(&mut outcome, mesh.message("zoneAwareLbSetting"), true);
    for settings in mesh.list("serviceSettings").flatten() {
        for host in settings.texts("hosts") {
            outcome.check(wildcard_domain(host));
        }
    }
    if mesh.has("trustDomain") {
        outcome.check(trust_domain(mesh.text("trustDomain")));
    }
    for alias in mesh.texts("trustDomainAliases") {
        outcome.check(trust_domain(alias));
    }
    if mesh.message("meshMTLS").is_some_and(|tls| tls.count("ecdhCurves") > 0) {
        outcome.error("mesh TLS does not support ECDH curves configuration");
    }
    if let Some(policy) = mesh.message("defaultTrafficPolicy") {
        connection_pool::check(&mut outcome, policy.message("connectionPool"));
        outlier_detection::check(&mut outcome, policy.message("outlierDetection"));
    }
    let retries = mesh.message("defaultInboundHttpRetryPolicy");
    virtual_service::retries(&mut outcome, retries);
    if retries.is_some_and(|retries| retries.int("attempts") == 0 && retries.has("backoff")) {
        outcome.error("http retry policy configured when attempts are set to 0 (disabled)");
    }
    outcome.errors
}

/// Why Istio would refuse the networks of a mesh.
pub fn mesh_networks(config: &Value) -> Vec<Problem> {
    let mut outcome = Outcome::default();
    for (name, network) in Fields::of(config).map("networks") {
        let network = Fields::of(network);
        for endpoint in network.list("endpoints").flatten() {
            match endpoint.one_of(&["fromCidr", "fromRegistry"]) {
                Some("fromCidr") => outcome.check(subnet(endpoint.text("fromCidr"))),
                Some(_) if !is_dns_label(endpoint.text("fromRegistry")) => {
                    outcome.error(format!("invalid registry name in network {name}"));
                }
                _ => {}
            }
        }
        for gateway in network.list("gateways").flatten() {
            match gateway.one_of(&["registryServiceName", "address"]) {
                Some("registryServiceName") => outcome.check(fqdn(gateway.text("registryServiceName"))),
                Some(_) if !is_ip(gateway.text("address")) => outcome.check(fqdn(gateway.text("address"))),
                _ => {}
            }
            outcome.check(port::number(gateway.int("port")));
        }
    }
    outcome.errors
}

/// A duration; a text that is none is an error.
fn time(outcome: &mut Outcome, fields: Fields, name: &str) -> Option<Duration> {
    match duration::parse(fields.value(name)?.as_str().unwrap_or_default()) {
        Ok(duration) => Some(duration),
        Err(error) => {
            outcome.error(format!("{name}: {error}"));
            None
        }
    }
}

fn trust_domain(name: &str) -> Check {
    if name.is_empty() {
        return Err("empty domain name not allowed".into());
    }
    let mut labels = name.split('.').peekable();
    while let Some(label) = labels.next() {
        let root = label.is_empty() && labels.peek().is_none();
        if !root && !is_dns_label(label) {
            return Err(format!("trust domain name {} invalid", quoted(name)));
        }
    }
    Ok(())
}

/// The settings of a proxy, of the mesh or of the annotation `proxy.istio.io/config`.
fn proxy_config(outcome: &mut Outcome, proxy: Fields) {
    for field in ["configPath", "binaryPath", "discoveryAddress"] {
        if proxy.has(field) && !proxy.has_text(field) {
            outcome.error(format!("{field} must be set to a non-empty value"));
        }
    }
    if proxy.has("serviceCluster") && !proxy.has_text("serviceCluster") && !proxy.has("tracingServiceName") {
        outcome.error("oneof service cluster or tracing service name must be specified");
    }
    if let Some(drain) = time(outcome, proxy, "drainDuration") {
        outcome.check(duration::check(drain));
        if !drain.whole_seconds() {
            outcome.error("invalid drain duration: only durations to seconds precision are supported");
        }
    }
    for field in ["proxyAdminPort", "statusPort"] {
        if proxy.has(field) {
            outcome.check(port::number(proxy.int(field)));
        }
    }
    let policy = proxy.value("controlPlaneAuthPolicy");
    if policy.is_some_and(|policy| !matches!(policy.as_str(), Some("NONE" | "MUTUAL_TLS"))) {
        outcome.error(format!("unrecognized control plane auth policy {}", policy.unwrap_or(&Value::Null)));
    }
    addresses(outcome, proxy);
    private_key_provider(outcome, proxy);
    if let Some(settings) = proxy.message("connectionSettings") {
        connection_settings(outcome, settings);
    }
}

fn addresses(outcome: &mut Outcome, proxy: Fields) {
    for field in ["discoveryAddress", "statsdUdpAddress", "envoyMetricsServiceAddress"] {
        if proxy.has_text(field) {
            outcome.check(address(proxy.text(field), field));
        }
    }
    for field in ["envoyMetricsService", "envoyAccessLogService"] {
        if let Some(service) = proxy.message(field).filter(|service| service.has_text("address")) {
            outcome.check(address(service.text("address"), field));
        }
    }
    let Some(tracing) = proxy.message("tracing") else { return };
    if let Some(lightstep) = tracing.message("lightstep") {
        outcome.check(address(lightstep.text("address"), "lightstep"));
        if !lightstep.has_text("accessToken") {
            outcome.error("access token is required");
        }
    }
    for field in ["zipkin", "datadog"] {
        if let Some(collector) = tracing.message(field) {
            // The pod's own node may be meant, which is known only there.
            let text = collector.text("address").replace("$(HOST_IP)", "127.0.0.1");
            outcome.check(address(&text, field));
        }
    }
    client_tls::check(outcome, "", tracing.message("tlsSettings"));
    for (name, tag) in tracing.map("customTags") {
        if tag.is_null() {
            outcome.error(format!("encountered nil value for custom tag: {name}"));
        }
    }
}

fn address(text: &str, of: &str) -> Check {
    let wrong = |error: &dyn std::fmt::Display| format!("invalid {of} address {}: {error}", quoted(text));
    let (host, number) = split_host_port(text).map_err(|error| wrong(&error))?;
    let number = number.parse::<i64>().map_err(|error| wrong(&error))?;
    port::number(number).map_err(|error| wrong(&error))?;
    if is_ip(host) { Ok(()) } else { fqdn(host).map_err(|error| wrong(&error)) }
}

fn private_key_provider(outcome: &mut Outcome, proxy: Fields) {
    let Some(provider) = proxy.message("privateKeyProvider") else { return };
    let Some(form) = provider.one_of(&["cryptomb", "qat"]) else {
        return outcome.error("private key provider must be cryptomb or qat");
    };
    let delay = provider.message(form).and_then(|settings| settings.duration("pollDelay"));
    if delay.is_none_or(|delay| delay.milliseconds() == 0) {
        outcome.error(format!("invalid {form} configuration: pollDelay is required"));
    }
}

fn connection_settings(outcome: &mut Outcome, settings: Fields) {
    /// The least window that HTTP/2 allows.
    const LEAST_WINDOW: i64 = 65535;
    for (name, value) in settings.numbers() {
        if name.ends_with("WindowSize") && value < LEAST_WINDOW {
            outcome.error(format!("{name} must be at least {LEAST_WINDOW}"));
        } else if value < 0 || (name.starts_with("max") && value == 0) {
            outcome.error(format!("{name} is out of range: {value}"));
        }
    }
}
