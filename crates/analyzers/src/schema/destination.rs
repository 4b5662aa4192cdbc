//! Where traffic goes: [`Destination`](https://istio.io/latest/docs/reference/config/networking/virtual-service/#Destination),
//! subsets, and the names of gateways.

use super::fields::Fields;
use super::problem::Outcome;
use super::value::domain::{fqdn, is_dns_label, wildcard_domain};
use super::value::text::quoted;
use super::value::{Check, port};

pub(super) fn subset_name(name: &str) -> Check {
    if name.is_empty() {
        return Err("subset name cannot be empty".into());
    }
    if is_dns_label(name) { Ok(()) } else { Err(format!("subset name is invalid: {name}")) }
}

pub(super) fn destination(outcome: &mut Outcome, destination: Option<Fields>) {
    let Some(destination) = destination else { return };
    match destination.text("host") {
        "*" => outcome.error("invalid destination host *"),
        host => outcome.check(wildcard_domain(host)),
    }
    if destination.has_text("subset") {
        outcome.check(subset_name(destination.text("subset")));
    }
    if let Some(selector) = destination.message("port") {
        outcome.check(port::number(selector.int("number")));
    }
}

/// The names of gateways. Upstream stops at the first name without a namespace, `mesh` included.
pub(super) fn gateway_names<'a>(outcome: &mut Outcome, names: impl Iterator<Item = &'a str>) {
    for gateway in names {
        let Some((namespace, name)) = gateway.split_once('/') else {
            let mut parts = gateway.split('.');
            if let (Some(name), Some(namespace)) = (parts.next(), parts.next()) {
                outcome.warning(format!(
                    "using legacy gatewayName format {}; prefer the <namespace>/<name> format: {}",
                    quoted(gateway),
                    quoted(&format!("{namespace}/{name}"))
                ));
            }
            outcome.check(fqdn(gateway));
            return;
        };
        if namespace.is_empty() || name.is_empty() {
            outcome.error("config namespace and gateway name cannot be empty");
        }
        if !is_dns_label(namespace) {
            outcome.error(format!("invalid value for namespace: {}", quoted(namespace)));
        }
        if !is_dns_label(name) {
            outcome.error(format!("invalid value for gateway name: {}", quoted(name)));
        }
    }
}
