//! The parts of an authorization rule: who, what, and under which conditions
//! (<https://istio.io/latest/docs/reference/config/security/authorization-policy/#Rule>).

use std::net::IpAddr;

use crate::authorization::Asked;
use crate::tokens;
use mesh::{Object, View};

/// Whether a value is meant by a pattern: equal, or `*` at one end, or `*` alone for anything that is there.
fn is_meant(pattern: &str, value: &str) -> bool {
    if pattern == "*" {
        return !value.is_empty();
    }
    if let Some(ending) = pattern.strip_prefix('*') {
        return value.ends_with(ending);
    }
    match pattern.strip_suffix('*') {
        Some(beginning) => value.starts_with(beginning),
        None => pattern == value,
    }
}

/// A field of a rule and the one that turns it around: `values` has to hold if it is there, `not_values` must not.
struct Pair<'v> {
    values: View<'v>,
    not_values: View<'v>,
}

impl<'v> Pair<'v> {
    fn of(view: View<'v>, name: &str, not_name: &str) -> Self {
        Self { values: view.field(name), not_values: view.field(not_name) }
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.not_values.is_empty()
    }

    fn holds(&self, test: impl Fn(&str) -> bool) -> bool {
        (self.values.is_empty() || self.values.texts().any(&test)) && !self.not_values.texts().any(&test)
    }

    /// The same for a field that only a proxy that reads requests knows.
    fn holds_for_http(&self, asked: &Asked<'_, '_>, denies: bool, test: impl Fn(&str) -> bool) -> bool {
        if asked.is_http { self.holds(test) } else { self.is_empty() || denies }
    }
}

pub(crate) fn in_block(block: &str, address: Option<IpAddr>) -> bool {
    let Some(address) = address else { return false };
    let (network, length) = block.split_once('/').unwrap_or((block, ""));
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let Ok(network) = network.parse::<IpAddr>() else { return false };
    let ((network, width), (own, own_width)) = (bits(network), bits(address));
    let length = if length.is_empty() { width } else { length.parse().unwrap_or(width) };
    width == own_width && (length == 0 || (network ^ own) >> (128 - length.min(128)) == 0)
}

/// The principal as policies write it. Trust domains of this mesh are one.
fn is_principal(pattern: &str, asked: &Asked<'_, '_>) -> bool {
    let Some((namespace, account)) = asked.peer.account else { return false };
    if !pattern.contains('*') {
        let parts = pattern.split_once("/ns/").and_then(|(domain, rest)| Some((domain, rest.split_once("/sa/")?)));
        return parts.is_some_and(|(domain, own)| own == (namespace, account) && asked.trust_domains.contains(&domain));
    }
    asked.trust_domains.iter().any(|domain| is_meant(pattern, &format!("{domain}/ns/{namespace}/sa/{account}")))
}

/// `<namespace>/<account>`, or an account of the policy's own namespace.
fn is_account(pattern: &str, policy: &Object, asked: &Asked<'_, '_>) -> bool {
    let Some((namespace, account)) = asked.peer.account else { return false };
    let (wanted, name) = pattern.split_once('/').unwrap_or((policy.namespace(), pattern));
    wanted == namespace && name == account
}

fn is_namespace(pattern: &str, asked: &Asked<'_, '_>) -> bool {
    asked.peer.account.is_some_and(|(namespace, _)| is_meant(pattern, namespace))
}

/// `<issuer>/<subject>` of a valid token.
fn request_principal(asked: &Asked<'_, '_>) -> String {
    let token = asked.request.token.as_ref().filter(|_| asked.has_valid_token);
    let text = |key: &str| token.and_then(|token| token.claims.get(key)?.as_str()).unwrap_or_default();
    match (text("iss"), text("sub")) {
        ("", _) | (_, "") => String::new(),
        (issuer, subject) => format!("{issuer}/{subject}"),
    }
}

pub(crate) fn source(view: View<'_>, policy: &Object, asked: &Asked<'_, '_>, denies: bool) -> bool {
    let pair = |name, not_name| Pair::of(view, name, not_name);
    let principal = request_principal(asked);
    pair("principals", "notPrincipals").holds(|it| is_principal(it, asked))
        && pair("namespaces", "notNamespaces").holds(|it| is_namespace(it, asked))
        && pair("serviceAccounts", "notServiceAccounts").holds(|it| is_account(it, policy, asked))
        && pair("ipBlocks", "notIpBlocks").holds(|it| in_block(it, asked.peer.address))
        && pair("remoteIpBlocks", "notRemoteIpBlocks").holds(|it| in_block(it, asked.peer.remote))
        && pair("requestPrincipals", "notRequestPrincipals")
            .holds_for_http(asked, denies, |it| is_meant(it, &principal))
}

pub(crate) fn operation(view: View<'_>, asked: &Asked<'_, '_>, denies: bool) -> bool {
    let pair = |name, not_name| Pair::of(view, name, not_name);
    let authority = asked.request.authority().to_ascii_lowercase();
    let path = asked.request.path_only();
    pair("ports", "notPorts").holds(|it| it.parse() == Ok(asked.port))
        && pair("hosts", "notHosts").holds_for_http(asked, denies, |it| is_meant(&it.to_ascii_lowercase(), &authority))
        && pair("methods", "notMethods").holds_for_http(asked, denies, |it| is_meant(it, &asked.request.method))
        && pair("paths", "notPaths").holds_for_http(asked, denies, |it| is_path(it, path))
}

/// A path, also one with `{*}` for one segment or `{**}` for any number of them.
fn is_path(pattern: &str, path: &str) -> bool {
    if !pattern.contains("{*") {
        return is_meant(pattern, path);
    }
    let escaped = regex::escape(pattern);
    let expression = escaped.replace(r"\{\*\*\}", ".*").replace(r"\{\*\}", "[^/]+");
    crate::matching::is_whole_match(&expression, path)
}

pub(crate) fn when(view: View<'_>, policy: &Object, asked: &Asked<'_, '_>, denies: bool) -> bool {
    let pair = Pair::of(view, "values", "notValues");
    let key = view.get("key").text();
    let within = |prefix: &str| key.strip_prefix(prefix)?.strip_suffix(']');
    let port = asked.port.to_string();
    match key {
        "source.ip" => return pair.holds(|it| in_block(it, asked.peer.address)),
        "remote.ip" => return pair.holds(|it| in_block(it, asked.peer.remote)),
        "source.namespace" => return pair.holds(|it| is_namespace(it, asked)),
        "source.principal" => return pair.holds(|it| is_principal(it, asked)),
        "source.serviceAccount" => return pair.holds(|it| is_account(it, policy, asked)),
        "destination.port" => return pair.holds(|it| it == port),
        "connection.sni" => {
            let name = asked.request.server_name().unwrap_or_default().to_owned();
            return pair.holds(|it| is_meant(it, &name));
        }
        "request.auth.principal" => {
            let principal = request_principal(asked);
            return pair.holds_for_http(asked, denies, |it| is_meant(it, &principal));
        }
        _ => {}
    }
    if let Some(name) = within("request.headers[") {
        let value = asked.request.header(name).unwrap_or_default();
        return pair.holds_for_http(asked, denies, |it| is_meant(it, value));
    }
    let claims = asked.request.token.as_ref().filter(|_| asked.has_valid_token).map(|token| &token.claims);
    let path: Vec<&str> = match key {
        "request.auth.audiences" => vec!["aud"],
        "request.auth.presenter" => vec!["azp"],
        _ => within("request.auth.claims[").map(|keys| keys.split("][").collect()).unwrap_or_default(),
    };
    let values = claims.map(|claims| tokens::claim(claims, &path)).unwrap_or_default();
    pair.holds_for_http(asked, denies, |it| values.iter().any(|value| is_meant(it, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_a_star_at_one_end() {
        assert!(is_meant("*", "x") && is_meant("/v1*", "/v11") && is_meant("*.com", "a.com") && is_meant("a", "a"));
        assert!(!is_meant("*", "") && !is_meant("/v1*", "/v") && !is_meant("a", "ab"));
    }

    #[test]
    fn blocks_of_addresses() {
        let within = |block: &str, address: &str| in_block(block, address.parse().ok());
        assert!(within("10.0.0.0/8", "10.1.2.3") && within("10.1.2.3", "10.1.2.3") && within("::/0", "::1"));
        assert!(!within("10.0.0.0/8", "11.0.0.1") && !within("10.0.0.0/8", "::1") && !within("10.0.0.0/8", ""));
    }

    #[test]
    fn paths_with_places_for_segments() {
        assert!(is_path("/a/{*}/c", "/a/b/c") && is_path("/a/{**}", "/a/b/c") && is_path("/a/*", "/a/b"));
        assert!(!is_path("/a/{*}/c", "/a/b/b/c") && !is_path("/a/{*}", "/b/c"));
    }
}
