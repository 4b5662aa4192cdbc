//! One rule of an `AuthorizationPolicy`: who (`from`), what (`to`), under which conditions (`when`).

use super::super::fields::Fields;
use super::super::problem::Outcome;
use super::super::value::Check;
use super::attribute;
use super::values::{addresses, not_empty, path_templates, ports, service_accounts, trust_domains};

type ListRule = fn(&str, &[&str]) -> Check;

/// The lists of a source in the order in which they are checked, each with its rule.
const SOURCE: [(&str, &str, ListRule); 14] = [
    ("principals", "Principals", not_empty),
    ("requestPrincipals", "RequestPrincipals", not_empty),
    ("namespaces", "Namespaces", not_empty),
    ("serviceAccounts", "ServiceAccounts", service_accounts),
    ("trustDomains", "TrustDomains", trust_domains),
    ("ipBlocks", "IpBlocks", not_empty),
    ("remoteIpBlocks", "RemoteIpBlocks", not_empty),
    ("notPrincipals", "NotPrincipals", not_empty),
    ("notRequestPrincipals", "NotRequestPrincipals", not_empty),
    ("notNamespaces", "NotNamespaces", not_empty),
    ("notServiceAccounts", "NotServiceAccounts", service_accounts),
    ("notTrustDomains", "NotTrustDomains", trust_domains),
    ("notIpBlocks", "NotIpBlocks", not_empty),
    ("notRemoteIpBlocks", "NotRemoteIpBlocks", not_empty),
];

/// Lists of a source that can also be told from a plain TCP connection.
const TCP_SOURCE: [&str; 10] = [
    "principals",
    "notPrincipals",
    "ipBlocks",
    "notIpBlocks",
    "namespaces",
    "notNamespaces",
    "remoteIpBlocks",
    "notRemoteIpBlocks",
    "serviceAccounts",
    "notServiceAccounts",
];

const OPERATION: [(&str, &str); 8] = [
    ("ports", "Ports"),
    ("methods", "Methods"),
    ("paths", "Paths"),
    ("hosts", "Hosts"),
    ("notPorts", "NotPorts"),
    ("notMethods", "NotMethods"),
    ("notPaths", "NotPaths"),
    ("notHosts", "NotHosts"),
];

fn any(message: Fields, names: &[&str]) -> bool {
    names.iter().any(|name| message.count(name) > 0)
}

/// What an external authorizer cannot be asked for, because Envoy does not know it when it asks.
pub(super) fn custom(outcome: &mut Outcome, rule: Fields) {
    const UNSUPPORTED: [(&str, &str); 10] = [
        ("namespaces", "Namespaces"),
        ("notNamespaces", "NotNamespaces"),
        ("serviceAccounts", "ServiceAccounts"),
        ("notServiceAccounts", "NotServiceAccounts"),
        ("trustDomains", "TrustDomains"),
        ("notTrustDomains", "NotTrustDomains"),
        ("principals", "Principals"),
        ("notPrincipals", "NotPrincipals"),
        ("requestPrincipals", "RequestPrincipals"),
        ("notRequestPrincipals", "NotRequestPrincipals"),
    ];
    for source in rule.list("from").flatten().filter_map(|from| from.message("source")) {
        for (field, name) in UNSUPPORTED {
            if source.count(field) > 0 {
                outcome.error(format!("From.{name} is currently not supported with CUSTOM action"));
            }
        }
    }
    for when in rule.list("when") {
        let Some(when) = when else {
            outcome.error("when field cannot be nil");
            continue;
        };
        let key = when.text("key");
        let unsupported =
            matches!(key, "source.namespace" | "source.serviceAccount" | "source.trustDomain" | "source.principal");
        if unsupported || key.starts_with("request.auth.") {
            outcome.error(format!("{key} is currently not supported with CUSTOM action"));
        }
    }
}

pub(super) fn check(outcome: &mut Outcome, rule: Fields, index: usize, denies: bool) {
    let tcp_in_from = from(outcome, rule, index);
    let tcp_in_to = to(outcome, rule, index);
    for when in rule.list("when") {
        condition(outcome, when.unwrap_or(Fields::NONE));
    }
    let (from_exists, to_exists) = (rule.count("from") > 0, rule.count("to") > 0);
    if denies && ((from_exists && !to_exists && !tcp_in_from) || (to_exists && !tcp_in_to)) {
        outcome.warning(
            "configured AuthorizationPolicy will deny all traffic to TCP ports under its scope due to the use of \
             only HTTP attributes in a DENY rule; it is recommended to explicitly specify the port",
        );
    }
}

/// Returns whether a source says something about TCP.
fn from(outcome: &mut Outcome, rule: Fields, index: usize) -> bool {
    let mut tcp = false;
    for from in rule.list("from") {
        let Some(from) = from else {
            outcome.error(format!("`from` must not be nil, found at rule {index}"));
            continue;
        };
        let Some(source) = from.message("source") else {
            outcome.error(format!("`from.source` must not be nil, found at rule {index}"));
            continue;
        };
        if any(source, &["serviceAccounts", "notServiceAccounts"])
            && any(source, &["principals", "notPrincipals", "namespaces", "notNamespaces"])
        {
            outcome.error(format!("cannot set serviceAccounts with namespaces or principals, found at rule {index}"));
        }
        if !SOURCE.iter().any(|(field, ..)| source.count(field) > 0) {
            outcome.error(format!("`from.source` must not be empty, found at rule {index}"));
        }
        for field in ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"] {
            let blocks: Vec<_> = source.texts(field).collect();
            outcome.errors(addresses(&blocks));
        }
        for (field, name, rule) in SOURCE {
            let values: Vec<_> = source.texts(field).collect();
            outcome.check(rule(name, &values));
        }
        tcp |= any(source, &TCP_SOURCE);
    }
    tcp
}

/// Returns whether an operation says something about TCP.
fn to(outcome: &mut Outcome, rule: Fields, index: usize) -> bool {
    let mut tcp = false;
    for to in rule.list("to") {
        let Some(to) = to else {
            outcome.error(format!("`to` must not be nil, found at rule {index}"));
            continue;
        };
        let Some(operation) = to.message("operation") else {
            outcome.error(format!("`to.operation` must not be nil, found at rule {index}"));
            continue;
        };
        if !OPERATION.iter().any(|(field, _)| operation.count(field) > 0) {
            outcome.error(format!("`to.operation` must not be empty, found at rule {index}"));
        }
        for field in ["ports", "notPorts"] {
            let values: Vec<_> = operation.texts(field).collect();
            outcome.errors(ports(&values));
            tcp |= !values.is_empty();
        }
        for (field, name) in OPERATION {
            let values: Vec<_> = operation.texts(field).collect();
            outcome.check(not_empty(name, &values));
        }
        for (field, name) in [("paths", "Paths"), ("notPaths", "NotPaths")] {
            let paths: Vec<_> = operation.texts(field).collect();
            outcome.check(path_templates(name, &paths));
        }
    }
    tcp
}

fn condition(outcome: &mut Outcome, when: Fields) {
    let key = when.text("key");
    if key.is_empty() {
        outcome.error("`key` must not be empty");
        return;
    }
    if !any(when, &["values", "notValues"]) {
        outcome.error(format!("at least one of `values` or `notValues` must be set for key {key}"));
        return;
    }
    // Both lists are checked even when one is empty, so a wrong key is said twice.
    for (field, name) in [("values", "value"), ("notValues", "notValue")] {
        let values: Vec<_> = when.texts(field).collect();
        if let Err(error) = attribute::check(key, &values) {
            outcome.error(format!("invalid `{name}` for `key` {key}: {error}"));
        }
    }
}
