//! Where a message may go. The service stands inside a cluster, and must not be made to speak to what only it can reach:
//! addresses of the cluster, of the node, of the cloud's metadata.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Why a message does not go there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("it is no URL")]
    NoUrl,
    #[error("only https is used, unless the host is allowed by --callbacks-allow")]
    Scheme,
    #[error("only port 443 is used, unless host and port are allowed by --callbacks-allow")]
    Port,
    #[error("a URL with user and password is not used: give a header")]
    Credentials,
    #[error("it leads to an address that is not public, and is not allowed by --callbacks-allow")]
    NotPublic,
}

/// Hosts that may be reached although they are not public: `host`, `host:port`.
#[derive(Debug, Clone, Default)]
pub struct Allowed(Vec<(String, Option<u16>)>);

impl Allowed {
    pub fn of(entries: &[String]) -> Self {
        let entry = |entry: &String| match entry.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
                Ok(port) => (host.to_lowercase(), Some(port)),
                Err(_) => (entry.to_lowercase(), None),
            },
            _ => (entry.to_lowercase(), None),
        };
        Self(entries.iter().map(entry).collect())
    }

    fn has(&self, host: &str, port: u16) -> bool {
        self.0.iter().any(|(known, of)| known == host && of.is_none_or(|of| of == port))
    }

    /// Whether a name is allowed at one port at least: names are looked up without one.
    pub(super) fn has_name(&self, host: &str) -> bool {
        self.0.iter().any(|(known, _)| known == &host.to_lowercase())
    }
}

/// Checks a URL before anything is sent. Names are checked again by what they lead to.
pub(super) fn check(url: &str, allowed: &Allowed) -> Result<Url, Refused> {
    let url = Url::parse(url).map_err(|_| Refused::NoUrl)?;
    let host = url.host().ok_or(Refused::NoUrl)?;
    let port = url.port_or_known_default().ok_or(Refused::Scheme)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Credentials);
    }
    if allowed.has(&host.to_string().to_lowercase(), port) {
        return if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(Refused::Scheme) };
    }
    if url.scheme() != "https" {
        return Err(Refused::Scheme);
    }
    if port != 443 {
        return Err(Refused::Port);
    }
    let public = match host {
        Host::Ipv4(address) => is_public(address.into()),
        Host::Ipv6(address) => is_public(address.into()),
        // Looked up by the node's own means, such a name could be anything.
        Host::Domain(name) => name.contains('.') && !name.ends_with(".local") && !name.ends_with(".internal"),
    };
    if public { Ok(url) } else { Err(Refused::NotPublic) }
}

/// Whether an address belongs to the Internet at large
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, `…/iana-ipv6-special-registry`).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    // Azure's host, which hands out goal states and certificates to virtual machines
    // (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
    !special && address != Ipv4Addr::new(168, 63, 129, 16)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inside) = address.to_ipv4_mapped() {
        return is_public_v4(inside);
    }
    let parts = address.segments();
    let inside = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // NAT64 and 6to4 lead to the IPv4 address that they hold.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inside(high, low),
        [0x2002, high, low, ..] => inside(high, low),
        // Teredo, ORCHID, documentation and what else is special below 2001::/23.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // Only 2000::/3 is given out.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_are_told_from_public_ones() {
        for inside in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.100.100.200",
            "0.0.0.0",
            "0.1.2.3",
            "255.255.255.255",
            "224.0.0.1",
            "240.0.0.1",
            "192.0.0.192",
            "198.18.0.1",
            "168.63.129.16",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "2002:0a00:0001::",
            "2001:db8::1",
            "2001::1",
            "::7f00:1",
            "4000::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for public in
            ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn urls_are_checked_before_anything_is_sent() {
        let allowed = Allowed::of(&["rundeck.ops.svc:4440".to_owned(), "hooks.lan".to_owned()]);
        for (url, refused) in [
            ("hello", Refused::NoUrl),
            ("http://example.com/", Refused::Scheme),
            ("ftp://rundeck.ops.svc:4440/", Refused::Scheme),
            ("file:///etc/passwd", Refused::NoUrl),
            ("https://example.com:8443/", Refused::Port),
            ("https://u:p@example.com/", Refused::Credentials),
            ("https://127.0.0.1/", Refused::NotPublic),
            ("https://2130706433/", Refused::NotPublic),
            ("https://0x7f.1/", Refused::NotPublic),
            ("https://[::1]/", Refused::NotPublic),
            ("https://[::ffff:169.254.169.254]/", Refused::NotPublic),
            ("https://localhost/", Refused::NotPublic),
            ("https://kubernetes/", Refused::NotPublic),
            ("https://metadata.google.internal/", Refused::NotPublic),
            ("http://rundeck.ops.svc/", Refused::Scheme),
        ] {
            assert_eq!(check(url, &allowed), Err(refused), "{url}");
        }
        for url in ["https://example.com/hook?a=b", "http://rundeck.ops.svc:4440/", "https://hooks.lan:8443/"] {
            assert!(check(url, &allowed).is_ok(), "{url}");
        }
    }
}
