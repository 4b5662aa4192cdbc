//! Rules on [`ServiceEntry`](https://istio.io/latest/docs/reference/config/networking/service-entry/).

use std::collections::BTreeSet;

use super::export_to::{self, ExportOf};
use super::fields::{Choice, Fields};
use super::message::networking::{LOCATION, RESOLUTION};
use super::problem::Outcome;
use super::value::address::{is_ip, subnet};
use super::value::domain::{fqdn, partial_wildcard, wildcard_domain};
use super::value::label;
use super::value::port::{self, Protocol};
use super::value::text::quoted;
use super::workload_entry::{check_ports, workload};
use super::{Object, selector};

pub(super) fn check(object: &Object) -> Outcome {
    let spec = object.spec;
    let mut outcome = Outcome::default();
    match selector::workload_labels(spec, "service entry") {
        Err(refused) => return refused,
        Ok(Some(warning)) => outcome.warning(warning),
        Ok(None) => {}
    }
    let resolution = spec.choice("resolution", &RESOLUTION);
    if spec.has("workloadSelector") && spec.count("endpoints") > 0 {
        outcome.error("only one of WorkloadSelector or Endpoints is allowed in Service Entry");
    }
    hosts(&mut outcome, spec, resolution);
    addresses(&mut outcome, spec, resolution);
    let names = ports(&mut outcome, object, resolution);
    if resolution.is("NONE") {
        if spec.count("endpoints") > 0 {
            outcome.error("no endpoints should be provided for resolution type none");
        }
        if spec.has("workloadSelector") {
            outcome.warning("workloadSelector should not be set when resolution mode is NONE");
        }
    } else if resolution.is("STATIC") {
        for endpoint in spec.list("endpoints") {
            match endpoint {
                Some(endpoint) => workload(&mut outcome, endpoint, Some(&names), false),
                None => outcome.error("endpoint cannot be nil"),
            }
        }
    } else if resolution.is_any(&["DNS", "DNS_ROUND_ROBIN"]) {
        dns(&mut outcome, spec, resolution, &names);
    } else if resolution.is("DYNAMIC_DNS") {
        dynamic_dns(&mut outcome, object);
    } else {
        outcome.error(format!("unsupported resolution type {resolution}"));
    }
    // Only HTTP and TLS tell the host of a request, so with other protocols several hosts cannot be told apart.
    if !resolution.is("NONE") && spec.count("hosts") > 1 {
        let mut protocols = protocols(spec);
        if protocols.any(|protocol| !protocol.is_http() && !protocol.is_tls()) {
            outcome.error("multiple hosts provided with non-HTTP, non-TLS ports");
        }
    }
    export_to::check(&mut outcome, object.namespace, spec.texts("exportTo"), ExportOf::ServiceEntry);
    outcome
}

fn protocols(spec: Fields) -> impl Iterator<Item = Protocol> {
    spec.list("ports").map(|port| Protocol::parse(port.unwrap_or(Fields::NONE).text("protocol")))
}

fn hosts(outcome: &mut Outcome, spec: Fields, resolution: Choice) {
    if spec.count("hosts") == 0 {
        outcome.error("service entry must have at least one host");
    }
    for host in spec.texts("hosts") {
        if host == "*" {
            outcome.error("invalid host *");
            continue;
        }
        outcome.check(wildcard_domain(host));
        if !resolution.is("DYNAMIC_DNS")
            && let Err(text) = partial_wildcard(host)
        {
            outcome.warning(text);
        }
    }
}

fn addresses(outcome: &mut Outcome, spec: Fields, resolution: Choice) {
    for address in spec.texts("addresses") {
        outcome.check(subnet(address));
    }
    if spec.texts("addresses").any(|address| address.contains('/')) && !resolution.is_any(&["NONE", "STATIC"]) {
        outcome.error("CIDR addresses are allowed only for NONE/STATIC resolution types");
    }
}

/// Returns the names of the ports.
fn ports<'a>(outcome: &mut Outcome, object: &Object<'a>, resolution: Choice) -> BTreeSet<&'a str> {
    let spec = object.spec;
    let disabled = object.labels.get("networking.istio.io/enable-autoallocate-ip").is_some_and(|on| *on == "false");
    let allocates = !resolution.is("NONE") && spec.count("addresses") == 0 && !disabled;
    let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    for service_port in spec.list("ports") {
        let Some(service_port) = service_port else {
            outcome.error("service entry port may not be null");
            continue;
        };
        let (name, number) = (service_port.text("name"), service_port.int("number"));
        if !names.insert(name) {
            outcome.error(format!("service entry port name {} already defined", quoted(name)));
        }
        if !numbers.insert(number) {
            outcome.error(format!("service entry port {number} already defined"));
        }
        if service_port.int("targetPort") != 0 {
            outcome.check(port::number(service_port.int("targetPort")));
        }
        let protocol = service_port.text("protocol");
        if spec.count("addresses") == 0 && !allocates && matches!(protocol, "" | "TCP") {
            outcome.warning(
                "addresses are required for ports serving TCP (or unset) protocol when IP Autoallocation is not \
                 enabled",
            );
        }
        outcome.check(port::name(name));
        outcome.check(port::protocol(protocol));
        outcome.check(port::number(number));
    }
    names
}

fn dns(outcome: &mut Outcome, spec: Fields, resolution: Choice, names: &BTreeSet<&str>) {
    if spec.count("endpoints") == 0
        && let Some(error) = spec.texts("hosts").find_map(|host| fqdn(host).err())
    {
        outcome.error(format!(
            "hosts must be FQDN or contain only prefix wildcards if no endpoints are provided for resolution mode \
             {resolution}, {error}"
        ));
    }
    if resolution.is("DNS_ROUND_ROBIN") && spec.count("endpoints") > 1 {
        outcome.error(format!("there must only be 0 or 1 endpoint for resolution mode {resolution}"));
    }
    for endpoint in spec.list("endpoints") {
        let Some(endpoint) = endpoint else {
            outcome.error("endpoint cannot be nil");
            continue;
        };
        let address = endpoint.text("address");
        if !is_ip(address) && fqdn(address).is_err() {
            outcome.error(format!("endpoint address {} is not a valid FQDN or an IP address", quoted(address)));
        }
        outcome.errors(label::labels(endpoint.text_map("labels")));
        check_ports(outcome, &endpoint.int_map("ports"), Some(names));
    }
    if spec.count("addresses") > 0 && spec.count("hosts") > 1 && protocols(spec).any(Protocol::is_tcp) {
        outcome.warning(
            "service entry can not have more than one host specified simultaneously with address and tcp port",
        );
    }
}

fn dynamic_dns(outcome: &mut Outcome, object: &Object) {
    let spec = object.spec;
    if spec.count("hosts") == 0 {
        outcome.error("at least one wildcard host must be provided for resolution type DYNAMIC_DNS");
    }
    for host in spec.texts("hosts") {
        if !host.starts_with('*') {
            outcome.error("host must be wildcarded for resolution mode DYNAMIC_DNS");
        }
    }
    for field in ["addresses", "endpoints"] {
        if spec.count(field) > 0 {
            outcome.error(format!("{field} cannot be set for resolution type DYNAMIC_DNS."));
        }
    }
    for service_port in spec.list("ports").flatten() {
        let protocol = Protocol::parse(service_port.text("protocol"));
        if !matches!(protocol, Protocol::Http | Protocol::Tls | Protocol::Grpc | Protocol::Http2) {
            outcome.error("only HTTP, TLS, GRPC, and HTTP2 protocols are supported for resolution type DYNAMIC_DNS");
        }
    }
    let waypoint = object.labels.get("istio.io/use-waypoint").is_some_and(|name| !matches!(*name, "" | "none"));
    if waypoint && spec.choice("location", &LOCATION).is("MESH_INTERNAL") {
        outcome.error("location MESH_INTERNAL with resolution type DYNAMIC_DNS is not supported when using waypoints");
    }
}
