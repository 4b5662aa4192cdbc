//! Which protocol Istio takes a Service's port for.

use super::view::View;

/// Ports whose protocol is known to let the server speak first, so that Istio does not guess.
const SERVER_FIRST: [i64; 4] = [25, 53, 3306, 27017];

/// The protocol of a port; `None` if Istio has to guess it from the traffic.
///
/// See [protocol selection](https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/).
pub fn of_port(port: i64, name: &str, transport: &str, application: Option<&str>) -> Option<&'static str> {
    if transport == "UDP" {
        return Some("UDP");
    }
    // Kubernetes' own names are understood in the field only, not in the port's name.
    match application {
        Some("kubernetes.io/h2c") => return Some("HTTP2"),
        Some("kubernetes.io/ws") => return Some("HTTP"),
        Some("kubernetes.io/wss") => return Some("HTTPS"),
        Some(_) | None => {}
    }
    of_name(application.unwrap_or(name)).or_else(|| SERVER_FIRST.contains(&port).then_some("TCP"))
}

/// The protocol of a port as a Service has it.
pub fn of_service_port(port: View<'_>) -> Option<&'static str> {
    let transport = port.get("protocol").text();
    of_port(port.get("port").integer(), port.get("name").text(), transport, port.field("appProtocol").text_if_any())
}

/// Whether Istio reads the requests of a protocol. TLS that an application speaks itself stays closed to it.
pub fn is_http(protocol: &str) -> bool {
    matches!(protocol, "HTTP" | "HTTP2" | "GRPC" | "GRPC-Web" | "HTTP_PROXY")
}

/// The protocol that a port's name begins with: `http-admin` is HTTP.
fn of_name(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    // The only one with a hyphen of its own.
    if name.starts_with("grpc-web") {
        return Some("GRPC-Web");
    }
    let prefix = name.split('-').next().unwrap_or_default();
    Some(match prefix {
        "tcp" => "TCP",
        "udp" => "UDP",
        "grpc" => "GRPC",
        "http" => "HTTP",
        "http_proxy" => "HTTP_PROXY",
        "http2" => "HTTP2",
        "https" => "HTTPS",
        "tls" => "TLS",
        "mongo" => "Mongo",
        "redis" => "Redis",
        "mysql" => "MySQL",
        _ => return None,
    })
}
