//! The faults that are put in, each with what must be said about it. A fault is a service of its own, so that no two of
//! them meet.

use serde_json::json;

use super::Generator;
use super::layouts::Place;
use super::objects::{
    authorization_policy, destination_rule, gateway, port, route, service, service_entry, sidecar, subsets,
    virtual_service,
};

/// Adds what is wrong with a service that was fine.
pub(super) type Fault = fn(&mut Generator, &Place);

/// One after the other, so that every share of faulty services has all of them.
pub(super) const FAULTS: [Fault; 20] = [
    routes_to_nowhere,
    routes_to_an_unknown_subset,
    is_bound_to_an_unknown_gateway,
    has_an_empty_subset,
    rules_an_unknown_host,
    has_an_invalid_rule,
    has_a_pod_without_proxy,
    is_routed_twice,
    is_served_on_two_ports,
    is_served_by_two_protocols,
    runs_as_the_proxy,
    trusts_any_server,
    guards_nothing,
    has_an_unreachable_route,
    hides_its_protocol,
    calls_an_opaque_host,
    listens_where_nobody_asks,
    claims_a_host_twice,
    has_two_sidecars,
    has_a_misplaced_annotation,
];

fn routes_to_nowhere(generator: &mut Generator, Place { namespace, name, host }: &Place) {
    let spec = json!({"hosts": [host], "http": [route(&format!("gone-{name}"), None)]});
    generator.add(virtual_service(namespace, name, &spec));
    generator.expect("IST0101", "VirtualService", namespace, name);
}

fn routes_to_an_unknown_subset(generator: &mut Generator, Place { namespace, name, host }: &Place) {
    generator.add(destination_rule(namespace, name, &json!({"host": host, "subsets": subsets(&["v1"])})));
    generator.add(virtual_service(namespace, name, &json!({"hosts": [host], "http": [route(host, Some("v9"))]})));
    generator.expect("IST0101", "VirtualService", namespace, name);
}

fn is_bound_to_an_unknown_gateway(generator: &mut Generator, Place { namespace, name, host }: &Place) {
    let outside = format!("{name}.{namespace}.example.com");
    let spec = json!({"hosts": [outside], "gateways": ["gone"], "http": [route(host, None)]});
    generator.add(virtual_service(namespace, name, &spec));
    generator.expect("IST0101", "VirtualService", namespace, name);
    // What is not there serves no host either.
    generator.expect("IST0132", "VirtualService", namespace, name);
}

fn has_an_empty_subset(generator: &mut Generator, Place { namespace, name, host }: &Place) {
    generator.add(destination_rule(namespace, name, &json!({"host": host, "subsets": subsets(&["v1", "v9"])})));
    generator.expect("IST0173", "DestinationRule", namespace, name);
}

fn rules_an_unknown_host(generator: &mut Generator, Place { namespace, name, .. }: &Place) {
    generator.add(destination_rule(namespace, name, &json!({"host": format!("gone-{name}")})));
    generator.expect("IST0174", "DestinationRule", namespace, name);
}

fn has_an_invalid_rule(generator: &mut Generator, Place { namespace, name, host }: &Place) {
    let policy = json!({"connectionPool": {"tcp": {"maxConnections": -1}}});
    generator.add(destination_rule(namespace, name, &json!({"host": host, "trafficPolicy": policy})));
    generator.expect("IST0106", "DestinationRule", namespace, name);
}

fn has_a_pod_without_proxy(generator: &mut Generator, Place { namespace, name, .. }: &Place) {
    let pod = format!("{name}-v3-7c9d5");
    generator.add(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": pod, "namespace": namespace, "labels": {"app": name, "version": "v3"}},
        "spec": {"containers": [{"name": "app", "image": "registry.example.com/app:1.4.2"}]},
    }));
    generator.expect("IST0103", "Pod", namespace, &pod);
}

fn is_routed_twice(generator: &mut Generator, Place { namespace, name, host }: &Place) {
    for name in [name.clone(), format!("{name}-again")] {
        generator.add(virtual_service(namespace, &name, &json!({"hosts": [host], "http": [route(host, None)]})));
        generator.expect("IST0109", "VirtualService", namespace, &name);
    }
}

fn is_served_on_two_ports(generator: &mut Generator, Place { namespace, name, .. }: &Place) {
    generator.add(service(namespace, &format!("{name}-too"), name, &json!([port("http", 81, 8080)])));
    generator.expect("IST0137", "Deployment", namespace, name);
}

fn is_served_by_two_protocols(generator: &mut Generator, Place { namespace, name, .. }: &Place) {
    let ports = json!([{"name": "udp", "port": 80, "targetPort": 8080, "protocol": "UDP"}]);
    generator.add(service(namespace, &format!("{name}-too"), name, &ports));
    generator.expect("IST0116", "Deployment", namespace, name);
}

fn runs_as_the_proxy(generator: &mut Generator, Place { namespace, name, .. }: &Place) {
    let name = format!("{name}-job");
    generator.add(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [
                {"name": "app", "image": "registry.example.com/app:1.4.2", "securityContext": {"runAsUser": 1337}},
            ]},
        }},
    }));
    generator.expect("IST0144", "Deployment", namespace, &name);
}

fn trusts_any_server(generator: &mut Generator, Place { namespace, name, host }: &Place) {
    let spec = json!({"host": host, "trafficPolicy": {"tls": {"mode": "SIMPLE"}}});
    generator.add(destination_rule(namespace, name, &spec));
    generator.expect("IST0128", "DestinationRule", namespace, name);
}

fn guards_nothing(generator: &mut Generator, Place { namespace, name, .. }: &Place) {
    generator.add(authorization_policy(namespace, name, &format!("gone-{name}")));
    generator.expect("IST0127", "AuthorizationPolicy", namespace, name);
}

fn has_an_unreachable_route(generator: &mut Generator, Place { namespace, name, host }: &Place) {
    let spec = json!({"hosts": [host], "http": [route(host, None), route(host, None)]});
    generator.add(virtual_service(namespace, name, &spec));
    generator.expect("IST0130", "VirtualService", namespace, name);
}

fn hides_its_protocol(generator: &mut Generator, Place { namespace, name, .. }: &Place) {
    let name = format!("{name}-raw");
    generator.add(service(namespace, &name, &name, &json!([port("stuff", 9000, 9000)])));
    generator.expect("IST0118", "Service", namespace, &name);
}

fn calls_an_opaque_host(generator: &mut Generator, Place { namespace, name, .. }: &Place) {
    generator.add(service_entry(namespace, name, &format!("{name}.vendor.example.org"), "TCP"));
    generator.expect("IST0134", "ServiceEntry", namespace, name);
}

fn listens_where_nobody_asks(generator: &mut Generator, Place { namespace, name, .. }: &Place) {
    generator.add(gateway(namespace, name, 8443, &format!("{name}.example.net")));
    generator.expect("IST0162", "Gateway", namespace, name);
}

fn claims_a_host_twice(generator: &mut Generator, Place { namespace, name, .. }: &Place) {
    for gateway_name in [name.clone(), format!("{name}-again")] {
        generator.add(gateway(namespace, &gateway_name, 80, &format!("{name}.example.net")));
        generator.expect("IST0145", "Gateway", namespace, &gateway_name);
    }
}

fn has_two_sidecars(generator: &mut Generator, Place { namespace, name, .. }: &Place) {
    for sidecar_name in [name.clone(), format!("{name}-again")] {
        generator.add(sidecar(namespace, &sidecar_name, Some(name)));
        generator.expect("IST0110", "Sidecar", namespace, &sidecar_name);
    }
}

fn has_a_misplaced_annotation(generator: &mut Generator, Place { namespace, name, .. }: &Place) {
    let name = format!("{name}-too");
    let mut service = service(namespace, &name, &name, &json!([port("http", 80, 8080)]));
    service["metadata"]["annotations"] = json!({"sidecar.istio.io/proxyCPU": "100m"});
    generator.add(service);
    generator.expect("IST0107", "Service", namespace, &name);
}
