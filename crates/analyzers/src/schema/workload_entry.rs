//! Rules on [`WorkloadEntry`](https://istio.io/latest/docs/reference/config/networking/workload-entry/), which are
//! also those on the endpoints of a `ServiceEntry`.

use std::collections::BTreeSet;

use super::Object;
use super::fields::Fields;
use super::problem::Outcome;
use super::value::address::{is_ip, unix_path};
use super::value::domain::fqdn;
use super::value::text::quoted;
use super::value::{label, port};

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    workload(&mut outcome, object.spec, None, true);
    outcome
}

/// `service_ports` are the names of the ports of the service that the workload belongs to, where it is known.
pub(super) fn workload(
    outcome: &mut Outcome,
    entry: Fields,
    service_ports: Option<&BTreeSet<&str>>,
    names_allowed: bool,
) {
    let address = entry.text("address");
    let ports = entry.int_map("ports");
    if address.is_empty() {
        if !entry.has_text("network") {
            outcome.error("address is required");
            return;
        }
        outcome.warning(format!("address is unset with network {}", quoted(entry.text("network"))));
    }
    let socket = address.strip_prefix("unix://");
    if let Some(path) = socket {
        outcome.check(unix_path(path));
        if !ports.is_empty() {
            outcome.error(format!("unix endpoint {address} must not include ports"));
        }
    } else if !address.is_empty() && !is_ip(address) {
        if !names_allowed {
            outcome.error(format!("endpoint address {} is not a valid IP address", quoted(address)));
        } else if fqdn(address).is_err() {
            outcome.error(format!("endpoint address {} is not a valid FQDN or an IP address", quoted(address)));
        }
    }
    check_ports(outcome, &ports, service_ports);
    outcome.errors(label::labels(entry.text_map("labels")));
    if socket.is_some() && service_ports.is_some_and(|ports| ports.len() != 1) {
        outcome.error("exactly 1 service port required for unix endpoints");
    }
}

pub(super) fn check_ports(outcome: &mut Outcome, ports: &[(&str, i64)], service_ports: Option<&BTreeSet<&str>>) {
    for (name, number) in ports {
        if service_ports.is_some_and(|known| !known.contains(name)) {
            outcome.error(format!("endpoint port {name} is not defined by the service entry"));
        }
        outcome.check(port::name(name));
        outcome.check(port::number(*number));
    }
}
