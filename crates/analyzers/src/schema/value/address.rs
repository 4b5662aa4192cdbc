//! IP addresses, networks, paths of Unix sockets, and `host:port`, as Go reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Check;

/// An IPv4 or IPv6 address without brackets; IPv6 with a zone if there is one.
pub(in super::super) fn is_ip(text: &str) -> bool {
    if text.len() > 256 {
        return false;
    }
    match text.split_once('%') {
        Some((address, zone)) => !zone.is_empty() && address.parse::<Ipv6Addr>().is_ok(),
        None => text.parse::<IpAddr>().is_ok(),
    }
}

pub(in super::super) fn ip(text: &str) -> Check {
    if is_ip(text) { Ok(()) } else { Err(format!("{text} is not a valid IP")) }
}

/// An address with a number of network bits; host bits may be set.
pub(in super::super) fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let canonical = bits.bytes().all(|byte| byte.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
    let Some(bits) = bits.parse::<u8>().ok().filter(|_| canonical) else { return false };
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => bits <= 32,
        Ok(IpAddr::V6(_)) => bits <= 128,
        Err(_) => false,
    }
}

/// An address or a network.
pub(in super::super) fn subnet(text: &str) -> Check {
    if text.matches('/').count() != 1 {
        return ip(text);
    }
    if is_cidr(text) { Ok(()) } else { Err(format!("{text} is not a valid CIDR block")) }
}

/// What Go's `netip.ParsePrefix` says about a text that is no network.
pub(in super::super) fn cidr_error(text: &str) -> String {
    let reason = match text.rsplit_once('/') {
        None => "no '/'".to_owned(),
        Some((address, bits)) if is_ip(address) => {
            let canonical = !bits.is_empty()
                && bits.bytes().all(|byte| byte.is_ascii_digit())
                && (bits == "0" || !bits.starts_with('0'));
            if address.contains('%') {
                "IPv6 zones cannot be present in a prefix".to_owned()
            } else if canonical {
                "prefix length out of range".to_owned()
            } else {
                format!("bad bits after slash: {}", super::text::quoted(bits))
            }
        }
        Some((address, _)) => format!("ParseAddr({}): unable to parse IP", super::text::quoted(address)),
    };
    format!("netip.ParsePrefix({}): {reason}", super::text::quoted(text))
}

/// What follows `unix://`: an absolute path to a file, or an abstract socket (`@name`).
pub(in super::super) fn unix_path(path: &str) -> Check {
    if path.is_empty() {
        return Err("unix address must not be empty".into());
    }
    if path.starts_with('@') || (path.starts_with('/') && !path.ends_with('/')) {
        return Ok(());
    }
    Err(format!("{path} is not an absolute path to a file"))
}

/// Splits `host:port`, `[ipv6]:port` as Go's `net.SplitHostPort` does.
pub(in super::super) fn split_host_port(text: &str) -> Result<(&str, &str), String> {
    let wrong = |why: &str| Err(format!("address {text}: {why}"));
    let Some(colon) = text.rfind(':') else { return wrong("missing port in address") };
    let host = if let Some(inner) = text.strip_prefix('[') {
        let Some(end) = inner.find(']') else { return wrong("missing ']' in address") };
        match end + 2 {
            after if after == text.len() => return wrong("missing port in address"),
            after if after == colon => &inner[..end],
            after if text[after..].starts_with(':') => return wrong("too many colons in address"),
            _ => return wrong("missing port in address"),
        }
    } else {
        let host = &text[..colon];
        if host.contains(':') {
            return wrong("too many colons in address");
        }
        host
    };
    let from = usize::from(text.starts_with('[')) + host.len();
    let (open, close) = if text.starts_with('[') { (1, from + 1) } else { (0, 0) };
    if text[open..].contains('[') {
        return wrong("unexpected '[' in address");
    }
    if text[close..].contains(']') {
        return wrong("unexpected ']' in address");
    }
    Ok((host, &text[colon + 1..]))
}

/// Addresses under which an application listens for its own sidecar.
pub(in super::super) fn is_local_or_any(host: &str) -> bool {
    host.is_empty()
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip == Ipv4Addr::LOCALHOST || ip.is_unspecified())
        || host == "::1"
        || host == "::"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks() {
        for text in ["1.2.3.4", "::", "001:db8::", "fe80::1%eth0", "::ffff:1.2.3.4"] {
            assert!(is_ip(text), "{text}");
        }
        for text in ["01.2.3.4", "1.2.3", "[::1]", "fe80::1%", "1.2.3.4%a", ""] {
            assert!(!is_ip(text), "{text}");
        }
        for (text, valid) in [("1.2.3.4/0", true), ("::1/128", true), ("1.2.3.4/33", false), ("1.2.3.4/08", false)] {
            assert_eq!(is_cidr(text), valid, "{text}");
        }
    }

    #[test]
    fn hosts_with_ports() {
        assert_eq!(split_host_port("127.0.0.1:80"), Ok(("127.0.0.1", "80")));
        assert_eq!(split_host_port("[::1]:80"), Ok(("::1", "80")));
        assert_eq!(split_host_port(":80"), Ok(("", "80")));
        for text in ["", "a", "::1:80", "[::1]", "[::1", "[::1]x:80", "a]:80", "[[::1]:80"] {
            assert!(split_host_port(text).is_err(), "{text}");
        }
    }
}
