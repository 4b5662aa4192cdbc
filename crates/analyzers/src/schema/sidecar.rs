//! Rules on [`Sidecar`](https://istio.io/latest/docs/reference/config/networking/sidecar/).

use std::collections::{BTreeMap, BTreeSet};

use super::destination::destination;
use super::fields::Fields;
use super::message::networking::{CAPTURE_MODE, OUTBOUND_MODE, SERVER_TLS_MODE};
use super::problem::Outcome;
use super::traffic_policy::connection_pool;
use super::value::address::{ip, is_local_or_any, split_host_port, unix_path};
use super::value::domain::{HostsOf, fqdn, namespaced_host};
use super::value::port::{self, Protocol};
use super::value::text::quoted;
use super::{Object, selector, server_tls};

pub(super) fn check(object: &Object) -> Outcome {
    let spec = object.spec;
    let mut outcome = Outcome::default();
    match selector::workload_labels(spec, "sidecar") {
        Err(refused) => return refused,
        Ok(Some(warning)) => outcome.warning(warning),
        Ok(None) => {}
    }
    let empty = spec.count("egress") == 0
        && spec.count("ingress") == 0
        && !spec.has("outboundTrafficPolicy")
        && !spec.has("inboundConnectionPool");
    if empty {
        return Outcome::only("sidecar: empty configuration provided");
    }
    let mut numbers = BTreeSet::new();
    for listener in spec.list("ingress") {
        match listener {
            Some(listener) => ingress(&mut outcome, listener, &mut numbers),
            None => outcome.error("sidecar: ingress may not be null"),
        }
    }
    connection_pool::check(&mut outcome, spec.message("inboundConnectionPool"));
    egress(&mut outcome, object);
    if let Some(policy) = spec.message("outboundTrafficPolicy") {
        outbound(&mut outcome, policy);
    }
    outcome
}

fn ingress(outcome: &mut Outcome, listener: Fields, numbers: &mut BTreeSet<i64>) {
    let Some(listener_port) = listener.message("port") else {
        outcome.error("sidecar: port is required for ingress listeners");
        return;
    };
    target_port(outcome, listener_port);
    bound_port(outcome, listener_port, listener.text("bind"), numbers);
    let endpoint = listener.text("defaultEndpoint");
    match endpoint.strip_prefix("unix://") {
        Some(path) => outcome.check(unix_path(path)),
        None if !endpoint.is_empty() => default_endpoint(outcome, endpoint),
        None => {}
    }
    let protocol = Protocol::parse(listener_port.text("protocol"));
    if let Some(tls) = listener.message("tls") {
        ingress_tls(outcome, tls, protocol);
    }
    let pool = listener.message("connectionPool");
    connection_pool::check(outcome, pool);
    if pool.is_some_and(|pool| pool.has("http")) && !protocol.is_http() {
        outcome.warning(format!(
            "sidecar: HTTP connection pool settings are configured for port {} ({}) but its protocol is not HTTP \
             ({}); only TCP settings will apply",
            listener_port.int("number"),
            quoted(listener_port.text("name")),
            listener_port.text("protocol")
        ));
    }
}

fn target_port(outcome: &mut Outcome, listener_port: Fields) {
    if listener_port.int("targetPort") > 0 {
        outcome.error("targetPort has no impact on Sidecars");
    }
}

fn port_name(outcome: &mut Outcome, listener_port: Fields) {
    if listener_port.has_text("name") {
        outcome.check(port::name(listener_port.text("name")));
    }
}

/// A port on an address, of which each number may be used once.
fn bound_port(outcome: &mut Outcome, listener_port: Fields, bind: &str, numbers: &mut BTreeSet<i64>) {
    port_name(outcome, listener_port);
    let number = listener_port.int("number");
    outcome.check(port::protocol(listener_port.text("protocol")));
    outcome.check(port::number(number));
    if !bind.is_empty() {
        outcome.check(ip(bind));
    }
    if !numbers.insert(number) {
        outcome.error("sidecar: ports on IP bound listeners must be unique");
    }
}

/// Where the application itself listens.
fn default_endpoint(outcome: &mut Outcome, endpoint: &str) {
    let (host, number) = match split_host_port(endpoint) {
        Ok(parts) => parts,
        Err(error) => return outcome.error(error),
    };
    if !is_local_or_any(host) {
        outcome.error(
            "sidecar: defaultEndpoint must be of form 127.0.0.1:<port>,0.0.0.0:<port>,[::1]:port,[::]:port,\
             unix://filepath or unset",
        );
    }
    match number.parse::<i64>() {
        Ok(number) => outcome.check(port::number(number)),
        Err(_) => outcome.error(format!(
            "sidecar: defaultEndpoint port ({number}) is not a number: strconv.Atoi: parsing {}: invalid syntax",
            quoted(number)
        )),
    }
}

fn ingress_tls(outcome: &mut Outcome, tls: Fields, protocol: Protocol) {
    if tls.count("subjectAltNames") > 0 {
        outcome.error("sidecar: subjectAltNames is not supported in ingress tls");
    }
    if tls.flag("httpsRedirect") {
        outcome.error("sidecar: httpsRedirect is not supported");
    }
    if tls.has_text("credentialName") {
        outcome.error("sidecar: credentialName is not currently supported");
    }
    if tls.count("credentialNames") > 0 {
        outcome.error("sidecar: credentialNames is not currently supported");
    }
    if tls.count("tlsCertificates") > 0 {
        outcome.error("sidecar: tls_certificates is not currently supported");
    }
    let mode = tls.choice("mode", &SERVER_TLS_MODE);
    if mode.is_any(&["ISTIO_MUTUAL", "AUTO_PASSTHROUGH"]) {
        outcome.error(format!("configuration is invalid: cannot set mode to {mode} in sidecar ingress tls"));
    }
    if !protocol.is_tls() {
        outcome.error("server cannot have TLS settings for non HTTPS/TLS ports");
    }
    server_tls::check(outcome, Some(tls));
}

fn egress(outcome: &mut Outcome, object: &Object) {
    let count = object.spec.count("egress");
    let (mut numbers, mut sockets) = (BTreeSet::new(), BTreeSet::new());
    for (index, listener) in object.spec.list("egress").enumerate() {
        let Some(listener) = listener else {
            outcome.error("egress listener may not be null");
            continue;
        };
        let bind = listener.text("bind");
        match listener.message("port") {
            None => {
                if index + 1 < count {
                    outcome
                        .error("sidecar: the egress listener with empty port should be the last listener in the list");
                }
            }
            Some(listener_port) => {
                target_port(outcome, listener_port);
                if listener_port.int("number") == 0 {
                    port_name(outcome, listener_port);
                    outcome.check(port::protocol(listener_port.text("protocol")));
                    socket(outcome, listener, bind, &mut sockets);
                } else {
                    bound_port(outcome, listener_port, bind, &mut numbers);
                }
            }
        }
        egress_hosts(outcome, listener, object.namespace);
    }
}

fn socket<'a>(outcome: &mut Outcome, listener: Fields, bind: &'a str, sockets: &mut BTreeSet<&'a str>) {
    match bind.strip_prefix("unix://") {
        Some(path) => outcome.check(unix_path(path)),
        None => outcome.error("sidecar: ports with 0 value must have a unix domain socket bind address"),
    }
    if !listener.choice("captureMode", &CAPTURE_MODE).is_any(&["DEFAULT", "NONE"]) {
        outcome.error("sidecar: captureMode must be DEFAULT/NONE for unix domain socket listeners");
    }
    if !sockets.insert(bind) {
        outcome.error("sidecar: unix domain socket values for listeners must be unique");
    }
}

fn egress_hosts(outcome: &mut Outcome, listener: Fields, namespace: &str) {
    if listener.count("hosts") == 0 {
        outcome.error("sidecar: egress listener must contain at least one host");
        return;
    }
    let mut services: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for host in listener.texts("hosts") {
        if let Some((of, service)) = host.split_once('/')
            && !of.starts_with('~')
        {
            let known = services.entry(if of == "." { namespace } else { of }).or_default();
            let covered = if service == "*" { !known.is_empty() } else { known.contains("*") };
            if covered || known.contains(service) {
                outcome.warning(format!("duplicated egress host: {host}"));
            }
            known.insert(service);
        }
        outcome.errors(namespaced_host(host, HostsOf::Sidecar));
    }
    if services.len() > 1 && services.get("*").is_some_and(|known| known.contains("*")) {
        outcome.warning("`*/*` host select all resources, no other hosts can be added");
    }
}

fn outbound(outcome: &mut Outcome, policy: Fields) {
    /// A mode that only the mesh configuration may have; a Sidecar can name it by its number alone.
    const ALLOW_ANY_DYNAMIC_DNS: i64 = 3;
    let mode = policy.choice("mode", &OUTBOUND_MODE);
    if mode.number == ALLOW_ANY_DYNAMIC_DNS {
        outcome.error("sidecar: ALLOW_ANY_DYNAMIC_DNS mode is only supported in MeshConfig, not in Sidecar resource");
        return;
    }
    let Some(proxy) = policy.message("egressProxy") else { return };
    if !mode.is("ALLOW_ANY") {
        outcome.error("sidecar: egress_proxy must be set only with ALLOW_ANY outbound_traffic_policy mode");
        return;
    }
    outcome.check(fqdn(proxy.text("host")));
    if !proxy.has("port") {
        outcome.error("sidecar: egress_proxy port must be non-nil");
        return;
    }
    destination(outcome, Some(proxy));
}
