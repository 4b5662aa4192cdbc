//! Envoy's access log in Istio's default formats, text and JSON, taken apart into typed fields.
//!
//! The formats are those of <https://istio.io/latest/docs/tasks/observability/logs/access-log/>; releases before 1.9
//! wrote neither response code details nor connection termination details, and older ones no route name. Of a format of
//! the mesh's own, `AccessLogLine::by_values` tells the fields by what stands in them.

mod by_values;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::line::MAX_LINE;
use super::mask::mask_query;

/// One request or connection, as one proxy saw it. What the log shows as `-` is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessLogLine {
    pub start_time: Option<String>,
    pub method: Option<String>,
    /// The path, with `…` in place of its query.
    pub path: Option<String>,
    pub protocol: Option<String>,
    /// 0 where no response was sent, as for connections.
    pub response_code: u16,
    pub response_flags: Vec<String>,
    pub response_code_details: Option<String>,
    pub connection_termination_details: Option<String>,
    pub upstream_transport_failure_reason: Option<String>,
    pub bytes_received: u64,
    pub bytes_sent: u64,
    pub duration_ms: Option<u64>,
    pub upstream_service_time_ms: Option<u64>,
    pub x_forwarded_for: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    pub authority: Option<String>,
    pub upstream_host: Option<String>,
    pub upstream_cluster: Option<UpstreamCluster>,
    pub upstream_local_address: Option<String>,
    pub downstream_local_address: Option<String>,
    pub downstream_remote_address: Option<String>,
    pub requested_server_name: Option<String>,
    pub route_name: Option<String>,
    /// Only where the mesh's own JSON format asks for it.
    pub grpc_status: Option<String>,
}

/// Which end of a request a proxy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The client's proxy, or a gateway: what the caller met.
    Outbound,
    /// The server's proxy: what the application did.
    Inbound,
}

/// A cluster's name; Istio's own names have four parts (`outbound|8080|v1|cart.shop.svc.cluster.local`).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct UpstreamCluster {
    pub name: String,
    pub side: Option<Side>,
    pub port: Option<u16>,
    pub subset: Option<String>,
    pub host: Option<String>,
}

impl UpstreamCluster {
    pub fn parse(name: &str) -> Self {
        let mut cluster = Self { name: name.to_owned(), ..Self::default() };
        // Newer releases end the names of statistics with a semicolon, which older log formats print.
        let parts: Vec<&str> = name.trim_end_matches(';').splitn(4, '|').collect();
        if let [direction, port, subset, host] = parts[..] {
            cluster.side = match direction {
                "outbound" => Some(Side::Outbound),
                "inbound" => Some(Side::Inbound),
                _ => None,
            };
            cluster.port = port.parse().ok();
            cluster.subset = some(subset);
            cluster.host = some(host);
        } else if name == "InboundPassthroughCluster" || name.starts_with("InboundPassthroughClusterIpv") {
            cluster.side = Some(Side::Inbound);
        } else if matches!(name, "BlackHoleCluster" | "PassthroughCluster") {
            cluster.side = Some(Side::Outbound);
        }
        cluster
    }
}

impl AccessLogLine {
    /// Reads a line without kubectl's timestamp; `None` where it is no access-log line in a default format.
    pub fn parse(line: &str) -> Option<Self> {
        if line.len() > MAX_LINE {
            return None;
        }
        match line.as_bytes().first()? {
            b'[' => text(line),
            b'{' => json(line),
            _ => None,
        }
    }

    /// Which end of the request this proxy is. Without a cluster a TLS server name that a sidecar made
    /// (`outbound_.8080_._.host`), or a missing filter chain, shows the server's side; a request that found no cluster
    /// or no route was on its way out.
    pub fn side(&self) -> Side {
        if let Some(side) = self.upstream_cluster.as_ref().and_then(|cluster| cluster.side) {
            return side;
        }
        let from_sidecar = self.requested_server_name.as_deref().is_some_and(|name| name.starts_with("outbound_"));
        let no_filter_chain = self.response_code_details.as_deref() == Some("filter_chain_not_found");
        if from_sidecar || no_filter_chain { Side::Inbound } else { Side::Outbound }
    }

    /// What the request was for: the authority, else the cluster's host, else the address.
    pub fn destination(&self) -> Option<&str> {
        let cluster = self.upstream_cluster.as_ref();
        self.authority
            .as_deref()
            .or_else(|| cluster.and_then(|cluster| cluster.host.as_deref()))
            .or(self.requested_server_name.as_deref())
            .or_else(|| cluster.map(|cluster| cluster.name.as_str()))
            .or(self.downstream_local_address.as_deref())
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty() && text != "-").then(|| text.to_owned())
}

fn flags(text: &str) -> Vec<String> {
    text.split(',').filter_map(some).collect()
}

fn path(text: &str) -> Option<String> {
    some(text).map(|path| mask_query(&path).into_owned())
}

/// The text format. Envoy escapes nothing, so the fields that a client writes freely (path, user agent) are bounded by
/// what stands before and behind them.
fn text(line: &str) -> Option<AccessLogLine> {
    let (start_time, rest) = line.strip_prefix('[')?.split_once("] \"")?;
    let (request, code, rest) = request_and_code(rest)?;
    let (response_flags, rest) = rest.split_once(' ')?;
    let (details, termination, rest) = details(rest)?;
    // Before 1.9 the status of the Mixer policy check stood here, in quotes too.
    let (reason, numbers) = match rest.split_once("\" \"") {
        Some((mixer, after)) if !mixer.contains('"') => split_reason(after)?,
        _ => split_reason(rest)?,
    };
    let mut numbers = numbers.splitn(5, ' ');
    let bytes_received = numbers.next()?;
    let bytes_sent = numbers.next()?;
    let duration = numbers.next()?;
    let service_time = numbers.next()?;
    let quoted = numbers.next()?.strip_prefix('"')?;
    let (quoted, tail) = quoted.rsplit_once("\" ")?;
    let quoted: Vec<&str> = quoted.split("\" \"").collect();
    let [forwarded_for, agent @ .., request_id, authority, upstream_host] = quoted.as_slice() else { return None };
    if agent.is_empty() {
        return None;
    }
    let mut tail = tail.splitn(6, ' ');
    let upstream_cluster = some(tail.next()?);
    let upstream_local_address = some(tail.next()?);
    let downstream_local_address = some(tail.next()?);
    let downstream_remote_address = some(tail.next()?);
    let requested_server_name = some(tail.next()?);
    let route_name = tail.next().and_then(some);
    let mut request_words = request.splitn(2, ' ');
    let method = request_words.next().and_then(some);
    let (request_path, protocol) = request_words.next().and_then(|rest| rest.rsplit_once(' ')).unwrap_or(("-", "-"));
    Some(AccessLogLine {
        start_time: some(start_time),
        method,
        path: path(request_path),
        protocol: some(protocol),
        response_code: code,
        response_flags: flags(response_flags),
        response_code_details: details.and_then(some),
        connection_termination_details: termination.and_then(some),
        upstream_transport_failure_reason: some(reason),
        bytes_received: bytes_received.parse().unwrap_or_default(),
        bytes_sent: bytes_sent.parse().unwrap_or_default(),
        duration_ms: duration.parse().ok(),
        upstream_service_time_ms: service_time.parse().ok(),
        x_forwarded_for: some(forwarded_for),
        user_agent: some(&agent.join("\" \"")),
        request_id: some(request_id),
        authority: some(authority),
        upstream_host: some(upstream_host),
        upstream_cluster: upstream_cluster.as_deref().map(UpstreamCluster::parse),
        upstream_local_address,
        downstream_local_address,
        downstream_remote_address,
        requested_server_name,
        route_name,
        grpc_status: None,
    })
}

/// Splits `METHOD PATH PROTOCOL" 200 …`: the request ends at the first quote that a status code follows.
fn request_and_code(rest: &str) -> Option<(&str, u16, &str)> {
    let mut from = 0;
    while let Some(at) = rest[from..].find("\" ").map(|at| at + from) {
        let after = &rest[at + 2..];
        let (word, tail) = after.split_once(' ')?;
        if word == "-" || (word.len() <= 3 && word.parse::<u16>().is_ok()) {
            return Some((&rest[..at], word.parse().unwrap_or_default(), tail));
        }
        from = at + 2;
    }
    None
}

/// Details and termination details, neither of which old releases write, up to the quote of the next field.
fn details(rest: &str) -> Option<(Option<&str>, Option<&str>, &str)> {
    if let Some(rest) = rest.strip_prefix('"') {
        return Some((None, None, rest));
    }
    let (details, rest) = rest.split_once(' ')?;
    if let Some(rest) = rest.strip_prefix('"') {
        return Some((Some(details), None, rest));
    }
    let (termination, rest) = rest.split_once(" \"")?;
    Some((Some(details), Some(termination), rest))
}

/// The transport failure reason ends at the first quote that a number follows.
fn split_reason(rest: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    while let Some(at) = rest[from..].find("\" ").map(|at| at + from) {
        let after = &rest[at + 2..];
        let word = after.split(' ').next()?;
        if word == "-" || (!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())) {
            return Some((&rest[..at], after));
        }
        from = at + 2;
    }
    None
}

/// The JSON format, with Istio's default keys; other keys are passed over.
fn json(line: &str) -> Option<AccessLogLine> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).ok()?;
    // Two keys that no log of an application has together.
    if !object.contains_key("response_flags") || !object.contains_key("response_code") {
        return None;
    }
    let field = |name: &str| match object.get(name) {
        Some(serde_json::Value::String(text)) => some(text),
        Some(serde_json::Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let number = |name: &str| field(name).and_then(|text| text.parse::<u64>().ok());
    Some(AccessLogLine {
        start_time: field("start_time"),
        method: field("method"),
        path: field("path").as_deref().and_then(path),
        protocol: field("protocol"),
        response_code: number("response_code").and_then(|code| u16::try_from(code).ok()).unwrap_or_default(),
        response_flags: field("response_flags").as_deref().map(flags).unwrap_or_default(),
        response_code_details: field("response_code_details"),
        connection_termination_details: field("connection_termination_details"),
        upstream_transport_failure_reason: field("upstream_transport_failure_reason"),
        bytes_received: number("bytes_received").unwrap_or_default(),
        bytes_sent: number("bytes_sent").unwrap_or_default(),
        duration_ms: number("duration"),
        upstream_service_time_ms: number("upstream_service_time"),
        x_forwarded_for: field("x_forwarded_for"),
        user_agent: field("user_agent"),
        request_id: field("request_id"),
        authority: field("authority"),
        upstream_host: field("upstream_host"),
        upstream_cluster: field("upstream_cluster").as_deref().map(UpstreamCluster::parse),
        upstream_local_address: field("upstream_local_address"),
        downstream_local_address: field("downstream_local_address"),
        downstream_remote_address: field("downstream_remote_address"),
        requested_server_name: field("requested_server_name"),
        route_name: field("route_name"),
        grpc_status: field("grpc_status").or_else(|| field("grpc_status_number")),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
