//! Port numbers and names, [protocols](https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/),
//! and percentages.

use super::Check;
use super::domain::is_dns_label;

pub(in super::super) fn number(number: i64) -> Check {
    if (1..=65535).contains(&number) {
        return Ok(());
    }
    Err(format!("port number {number} must be in the range 1..65535"))
}

pub(in super::super) fn name(name: &str) -> Check {
    if is_dns_label(name) { Ok(()) } else { Err(format!("invalid port name: {name}")) }
}

/// What Istio calls the protocol of a port; the spelling does not depend on case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Protocol {
    Tcp,
    Udp,
    Grpc,
    GrpcWeb,
    Http,
    HttpProxy,
    Http2,
    Https,
    Tls,
    Mongo,
    Redis,
    Mysql,
    Unsupported,
}

impl Protocol {
    pub(crate) fn parse(text: &str) -> Self {
        const KNOWN: [(&str, Protocol); 12] = [
            ("tcp", Protocol::Tcp),
            ("udp", Protocol::Udp),
            ("grpc", Protocol::Grpc),
            ("grpc-web", Protocol::GrpcWeb),
            ("http", Protocol::Http),
            ("http_proxy", Protocol::HttpProxy),
            ("http2", Protocol::Http2),
            ("https", Protocol::Https),
            ("tls", Protocol::Tls),
            ("mongo", Protocol::Mongo),
            ("redis", Protocol::Redis),
            ("mysql", Protocol::Mysql),
        ];
        let known = KNOWN.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map_or(Self::Unsupported, |(_, protocol)| *protocol)
    }

    pub(in super::super) fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Http2 | Self::HttpProxy | Self::Grpc | Self::GrpcWeb)
    }

    pub(in super::super) fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }

    pub(in super::super) fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp | Self::Https | Self::Tls | Self::Mongo | Self::Redis | Self::Mysql)
    }
}

/// A protocol that Istio knows, or none.
pub(in super::super) fn protocol(text: &str) -> Check {
    if text.is_empty() || Protocol::parse(text) != Protocol::Unsupported {
        return Ok(());
    }
    Err(format!("unsupported protocol: {text}"))
}

/// A percentage in whole numbers.
pub(in super::super) fn percent(number: i64) -> Check {
    if (0..=100).contains(&number) {
        return Ok(());
    }
    Err(format!("percentage {number} is not in range 0..100"))
}

/// A percentage with a fraction: Envoy counts in millionths.
pub(in super::super) fn percentage(value: f64) -> Check {
    if !(0.0..=100.0).contains(&value) || (value > 0.0 && value < 0.0001) {
        return Err(format!("percentage {value} is neither 0.0, nor in range [0.0001, 100.0]"));
    }
    Ok(())
}
