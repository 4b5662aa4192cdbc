//! Rules on [`Gateway`](https://istio.io/latest/docs/reference/config/networking/gateway/).

use std::collections::BTreeSet;

use super::fields::Fields;
use super::message::networking::SERVER_TLS_MODE;
use super::problem::Outcome;
use super::value::address::{ip, unix_path};
use super::value::domain::{HostsOf, is_dns_label, namespaced_host};
use super::value::port::{self, Protocol};
use super::value::text::quoted;
use super::{Object, server_tls};

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    if !is_dns_label(object.name) {
        outcome.error(format!("invalid gateway name: {}", quoted(object.name)));
    }
    if object.spec.count("servers") == 0 {
        outcome.error("gateway must have at least one server");
    }
    for server in object.spec.list("servers") {
        match server {
            Some(server) => check_server(&mut outcome, server),
            None => outcome.error("cannot have nil server"),
        }
    }
    let mut names = BTreeSet::new();
    for server in object.spec.list("servers") {
        let Some(server) = server else {
            outcome.error("server may not be nil");
            continue;
        };
        let Some(server_port) = server.message("port") else { continue };
        let name = server_port.text("name");
        if !names.insert(name) {
            outcome.error(format!("port names in servers must be unique: duplicate name {name}"));
        }
        let redirects = server.message("tls").is_some_and(|tls| tls.flag("httpsRedirect"));
        if redirects && !Protocol::parse(server_port.text("protocol")).is_http() {
            outcome.warning("tls.httpsRedirect should only be used with http servers");
        }
    }
    outcome
}

fn check_server(outcome: &mut Outcome, server: Fields) {
    if server.count("hosts") == 0 {
        outcome.error("server config must contain at least one host");
    }
    for host in server.texts("hosts") {
        outcome.errors(namespaced_host(host, HostsOf::Gateway));
    }
    let before = outcome.errors.len();
    check_port(outcome, server);
    let port_is_valid = outcome.errors.len() == before;
    let bind = server.text("bind");
    match bind.strip_prefix("unix://") {
        Some(path) => {
            outcome.check(unix_path(path));
            if let Some(server_port) = server.message("port").filter(|port| port.int("number") != 0) {
                outcome.error(format!("port number must be 0 for unix domain socket: {}", proto_text(server_port)));
            }
        }
        None if !bind.is_empty() => outcome.check(ip(bind)),
        None => {}
    }
    let tls = server.message("tls");
    server_tls::check(outcome, tls);
    if port_is_valid && let Some(server_port) = server.message("port") {
        tls_fits_protocol(outcome, Protocol::parse(server_port.text("protocol")), tls);
    }
}

fn check_port(outcome: &mut Outcome, server: Fields) {
    let Some(server_port) = server.message("port") else {
        outcome.error("port is required");
        return;
    };
    let protocol = server_port.text("protocol");
    if Protocol::parse(protocol) == Protocol::Unsupported {
        outcome.error(format!(
            "invalid protocol {}, supported protocols are HTTP, HTTP2, GRPC, GRPC-WEB, MONGO, REDIS, MYSQL, TCP",
            quoted(protocol)
        ));
    }
    if server_port.int("number") > 0 || !server.text("bind").starts_with("unix://") {
        outcome.check(port::number(server_port.int("number")));
    }
    if server_port.int("targetPort") > 0 {
        outcome.error("targetPort has no impact on Gateways");
    }
    if !server_port.has_text("name") {
        outcome.error(format!("port name must be set: {}", proto_text(server_port)));
    }
}

fn tls_fits_protocol(outcome: &mut Outcome, protocol: Protocol, tls: Option<Fields>) {
    let Some(tls) = tls else {
        if protocol.is_tls() {
            outcome.error("server must have TLS settings for HTTPS/TLS protocols");
        }
        return;
    };
    if protocol.is_tls() {
        return;
    }
    if !protocol.is_http() {
        outcome.error("server cannot have TLS settings for non HTTPS/TLS ports");
        return;
    }
    // A plain HTTP server may have settings that only redirect.
    let passes = tls.choice("mode", &SERVER_TLS_MODE).is_any(&["PASSTHROUGH", "AUTO_PASSTHROUGH"]);
    let own = ["caCertificates", "privateKey", "serverCertificate"].iter().any(|field| tls.has_text(field));
    if !passes || own {
        outcome.error("server cannot have TLS settings for plain text HTTP ports");
    }
}

/// A port in protobuf's text form.
fn proto_text(port: Fields) -> String {
    let mut parts = Vec::new();
    if port.int("number") != 0 {
        parts.push(format!("number:{}", port.int("number")));
    }
    for field in ["protocol", "name"] {
        if port.has_text(field) {
            parts.push(format!("{field}:{}", quoted(port.text(field))));
        }
    }
    if port.int("targetPort") != 0 {
        parts.push(format!("target_port:{}", port.int("targetPort")));
    }
    parts.join("  ")
}
