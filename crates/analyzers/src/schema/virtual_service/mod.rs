//! Rules on [`VirtualService`](https://istio.io/latest/docs/reference/config/networking/virtual-service/).

mod cors;
mod fault;
mod headers;
mod hosts;
mod http_match;
mod http_route;
mod redirect;
mod retry;
mod rewrite;
mod unreachable;

use super::Object;
use super::destination::{destination, gateway_names};
use super::export_to::{self, ExportOf};
use super::fields::Fields;
use super::problem::Outcome;
use super::value::address::{is_ip, subnet};
use super::value::domain::{gateway_virtual_service_domain, wildcard_domain};
use super::value::header::is_jwt_claim;
use super::value::text::{joined, quoted};
use super::value::{Check, label, port};
use hosts::Hosts;

pub(super) use retry::check as retries;

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    let spec = object.spec;
    let delegate = spec.count("hosts") == 0;
    if delegate {
        for (field, what) in [("gateways", "gateways"), ("tls", "tls route"), ("tcp", "tcp route")] {
            if spec.count(field) > 0 {
                outcome.error(format!("delegate virtual service must have no {what} specified"));
            }
        }
    }
    gateway_names(&mut outcome, spec.texts("gateways"));
    // A list that also names the mesh counts as the mesh alone.
    let names_mesh = spec.texts("gateways").any(|gateway| gateway == "mesh");
    let to_gateway = spec.count("gateways") > 0 && !names_mesh;
    if !to_gateway {
        jwt_claims(&mut outcome, spec);
    }
    let hosts = Hosts::of(spec.texts("hosts"));
    check_hosts(&mut outcome, spec, &hosts, to_gateway);
    if ["http", "tcp", "tls"].iter().all(|protocol| spec.count(protocol) == 0) {
        outcome.error("http, tcp or tls must be provided in virtual service");
    }
    for route in spec.list("http") {
        match route {
            Some(route) => http_route::check(&mut outcome, route, delegate),
            None => outcome.error("http route may not be null"),
        }
    }
    for route in spec.list("tls") {
        tls_route(&mut outcome, &hosts, route.unwrap_or(Fields::NONE), !names_mesh);
    }
    for route in spec.list("tcp") {
        tcp_route(&mut outcome, route.unwrap_or(Fields::NONE));
    }
    export_to::check(&mut outcome, object.namespace, spec.texts("exportTo"), ExportOf::Other);
    unreachable::check(&mut outcome, spec);
    outcome
}

/// Routing by a claim needs the gateway that has checked the token.
fn jwt_claims(outcome: &mut Outcome, spec: Fields) {
    for route in spec.list("http").flatten() {
        for http_match in route.list("match").flatten() {
            for field in ["headers", "withoutHeaders"] {
                for (key, _) in http_match.map(field) {
                    if is_jwt_claim(key) {
                        outcome.error(format!(
                            "JWT claim based routing (key: {key}) is only supported for gateway, found no gateways: \
                             [{}]",
                            joined(spec.texts("gateways"), " ")
                        ));
                    }
                }
            }
        }
    }
}

fn check_hosts(outcome: &mut Outcome, spec: Fields, hosts: &Hosts, to_gateway: bool) {
    let sni =
        spec.list("tls").flatten().any(|route| route.list("match").flatten().any(|tls| tls.count("sniHosts") > 0));
    let mut valid = true;
    for host in hosts.all.iter().copied() {
        let checked: Check = if to_gateway { gateway_virtual_service_domain(sni, host) } else { wildcard_domain(host) };
        match checked {
            Err(error) if !is_ip(host) => {
                outcome.error(error);
                valid = false;
            }
            Ok(()) if !to_gateway && host == "*" => {
                outcome.error("wildcard host * is not allowed for virtual services bound to the mesh gateway");
                valid = false;
            }
            _ => {}
        }
    }
    if valid {
        hosts.check(outcome);
    }
}

fn tls_route(outcome: &mut Outcome, hosts: &Hosts, route: Fields, to_gateway: bool) {
    if route.count("match") == 0 {
        outcome.error("TLS route must have at least one match condition");
    }
    for tls_match in route.list("match") {
        let Some(tls_match) = tls_match else {
            outcome.error("TLS match may not be null");
            continue;
        };
        if tls_match.count("sniHosts") == 0 {
            outcome.error("TLS match must have at least one SNI host");
        }
        for sni in tls_match.texts("sniHosts") {
            sni_host(outcome, hosts, sni, to_gateway);
        }
        connection(outcome, tls_match);
        gateway_names(outcome, tls_match.texts("gateways"));
    }
    if route.count("route") == 0 {
        outcome.error("TLS route is required");
    }
    destinations(outcome, route);
}

fn sni_host(outcome: &mut Outcome, hosts: &Hosts, sni: &str, to_gateway: bool) {
    let checked = if to_gateway { gateway_virtual_service_domain(true, sni) } else { wildcard_domain(sni) };
    match checked {
        Err(_) if is_ip(sni) => outcome.warning(format!(
            "using an IP address ({}) goes against SNI spec and most clients do not support this",
            quoted(sni)
        )),
        Err(error) => outcome.error(error),
        Ok(()) if hosts.cover(sni) => {}
        Ok(()) => outcome.error(format!(
            "SNI host {} is not a compatible subset of any of the virtual service hosts: [{}]",
            quoted(sni),
            joined(hosts.all.iter().copied(), ", ")
        )),
    }
}

fn tcp_route(outcome: &mut Outcome, route: Fields) {
    for tcp_match in route.list("match") {
        let Some(tcp_match) = tcp_match else {
            outcome.error("tcp match may not be nil");
            continue;
        };
        connection(outcome, tcp_match);
        outcome.without_warnings(|outcome| gateway_names(outcome, tcp_match.texts("gateways")));
    }
    if route.count("route") == 0 {
        outcome.error("TCP route is required");
    }
    destinations(outcome, route);
}

/// What TLS and TCP matches have in common.
fn connection(outcome: &mut Outcome, of: Fields) {
    for destination_subnet in of.texts("destinationSubnets") {
        outcome.check(subnet(destination_subnet));
    }
    if of.int("port") != 0 {
        outcome.check(port::number(of.int("port")));
    }
    outcome.errors(label::labels(of.text_map("sourceLabels")));
}

fn destinations(outcome: &mut Outcome, route: Fields) {
    for weighted in route.list("route") {
        let Some(weighted) = weighted else {
            outcome.error("weight may not be nil");
            continue;
        };
        if !weighted.has("destination") {
            outcome.error("destination is required");
        }
        destination(outcome, weighted.message("destination"));
        weight(outcome, weighted);
    }
    total_weight(outcome, route);
}

fn weight(outcome: &mut Outcome, weighted: Fields) {
    if weighted.int("weight") < 0 {
        outcome.error(format!("weight {} < 0", weighted.int("weight")));
    }
}

fn total_weight(outcome: &mut Outcome, route: Fields) {
    let total: i64 = route.list("route").flatten().map(|weighted| weighted.int("weight")).sum();
    if route.count("route") > 1 && total == 0 {
        outcome.error("total destination weight = 0");
    }
}
