//! [DNS names](https://kubernetes.io/docs/concepts/overview/working-with-objects/names/) in Istio's forms: labels,
//! full names, names with a wildcard, and the `namespace/host` entries of Gateways and Sidecars.

use super::Check;
use super::address::is_ip;
use super::text::{quoted, split_first};

const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 255;

/// Letters, digits and `-`, with a letter or digit at both ends; no dots.
pub(in super::super) fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    bytes.len() <= MAX_LABEL
        && first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// A label that may be `*` or begin with `*` or `*-`.
fn is_wildcard_label(text: &str) -> bool {
    if text.len() > MAX_LABEL {
        return false;
    }
    match text.strip_prefix('*') {
        Some("") => true,
        Some(rest) => is_dns_label(rest.strip_prefix('-').unwrap_or(rest)),
        None => is_dns_label(text),
    }
}

fn length(name: &str) -> Check {
    if name.len() > MAX_NAME {
        return Err(format!("domain name {} too long (max 255)", quoted(name)));
    }
    if name.is_empty() {
        return Err("empty domain name not allowed".into());
    }
    Ok(())
}

fn invalid_label(name: &str, label: &str) -> String {
    format!("domain name {} invalid (label {} invalid)", quoted(name), quoted(label))
}

fn labels(name: &str) -> Check {
    let top = name.rsplit('.').next().unwrap_or_default();
    if top.parse::<i64>().is_ok() {
        return Err(format!(
            "domain name {} invalid (top level domain {} cannot be all-numeric)",
            quoted(name),
            quoted(top)
        ));
    }
    let mut rest = name.split('.').peekable();
    while let Some(label) = rest.next() {
        // A name may end in a dot, which leaves an empty last label.
        let root = label.is_empty() && rest.peek().is_none();
        if !root && !is_dns_label(label) {
            return Err(invalid_label(name, label));
        }
    }
    Ok(())
}

/// A name without wildcards.
pub(in super::super) fn fqdn(name: &str) -> Check {
    length(name)?;
    labels(name)
}

/// A name whose first label may be a wildcard.
pub(in super::super) fn wildcard_domain(name: &str) -> Check {
    length(name)?;
    let (first, rest) = split_first(name, '.');
    if !is_wildcard_label(first) {
        return Err(invalid_label(name, first));
    }
    rest.map_or(Ok(()), labels)
}

/// As `wildcard_domain`, and where SNI hosts are meant also the names that Istio gives to clusters between gateways:
/// `outbound_.80_._.reviews.default.svc.cluster.local`.
pub(in super::super) fn gateway_virtual_service_domain(sni: bool, name: &str) -> Check {
    length(name)?;
    if !sni || !name.starts_with("outbound_") {
        return wildcard_domain(name);
    }
    let parts: Vec<&str> = name.split('_').collect();
    let [_, port, _, host, ..] = parts.as_slice() else {
        return Err(format!("domain name {name} invalid, should follow 'outbound_.<PORT>_._.<HOSTNAME>' format"));
    };
    let malformed = |label: &str| {
        Err(format!(
            "domain name {} invalid (label {} invalid). should follow outbound_.<PORT>_._.<HOSTNAME> format",
            quoted(name),
            quoted(label)
        ))
    };
    if !port.bytes().any(|byte| byte.is_ascii_digit()) {
        return malformed(port);
    }
    if !host.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return malformed(host);
    }
    Ok(())
}

/// Envoy matches a wildcard only as the whole first label.
pub(in super::super) fn partial_wildcard(name: &str) -> Check {
    if name.contains('*') && name.len() > 1 && !name.starts_with("*.") {
        return Err(format!("partial wildcard {} not allowed", quoted(name)));
    }
    Ok(())
}

/// Whose `namespace/host` entry is checked; the two kinds differ in what they allow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum HostsOf {
    Gateway,
    Sidecar,
}

/// An entry of [`hosts`](https://istio.io/latest/docs/reference/config/networking/sidecar/#IstioEgressListener):
/// every fault is reported, none stops.
pub(in super::super) fn namespaced_host(entry: &str, of: HostsOf) -> Vec<String> {
    let (namespace, Some(host)) = split_first(entry, '/') else {
        return match of {
            HostsOf::Gateway => host_part(entry, of),
            HostsOf::Sidecar => vec!["host must be of form namespace/dnsName".into()],
        };
    };
    let mut errors = Vec::new();
    if namespace.is_empty() || host.is_empty() {
        errors.push("config namespace and dnsName in host entry cannot be empty".into());
    }
    match of {
        HostsOf::Sidecar => {
            let negated = namespace.strip_prefix('~').unwrap_or(namespace);
            if !(negated.is_empty() || negated == "*" || negated == "." || is_dns_label(negated)) {
                errors.push(format!("invalid namespace value {} in sidecar", quoted(namespace)));
            }
        }
        HostsOf::Gateway => {
            if namespace != "*" && namespace != "." && !is_dns_label(namespace) {
                errors.push(format!("invalid namespace value {} in gateway", quoted(namespace)));
            }
        }
    }
    errors.extend(host_part(host, of));
    errors
}

fn host_part(host: &str, of: HostsOf) -> Vec<String> {
    let mut errors = Vec::new();
    if host != "*" && !host.contains('.') {
        errors.push("short names (non FQDN) are not allowed".into());
    }
    if let Err(error) = wildcard_domain(host) {
        // A Gateway takes an address in place of a name. A Sidecar does not, and says a wrong name twice.
        match (of, is_ip(host)) {
            (HostsOf::Gateway, true) => {}
            (HostsOf::Gateway, false) | (HostsOf::Sidecar, true) => errors.push(error),
            (HostsOf::Sidecar, false) => errors.extend([error.clone(), error]),
        }
    }
    errors.extend(partial_wildcard(host).err());
    errors
}
