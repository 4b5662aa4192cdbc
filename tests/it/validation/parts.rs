//! Rows about a part of an object: each part is put into an object that is otherwise in order, so that the rules are
//! reached the way users reach them.

use std::net::IpAddr;

use meshtriage::analyzers::schema::{mesh_config, mesh_networks, resource_quantity};
use serde_json::{Value, json};

use super::{Judged, Row};

fn object(kind: &str, spec: Value) -> Judged {
    in_namespace("bar", kind, spec)
}

fn in_namespace(namespace: &str, kind: &str, spec: Value) -> Judged {
    super::judge(kind, &json!({ "metadata": { "name": "foo", "namespace": namespace }, "spec": spec }))
}

fn destination_rule(policy: Value) -> Judged {
    object("DestinationRule", json!({ "host": "a.com", "trafficPolicy": policy }))
}

fn routes() -> Value {
    json!([{ "destination": { "host": "a.com" } }])
}

/// An HTTP route that routes, with one member added unless it is null.
fn http_route(member: &str, value: &Value) -> Judged {
    let mut route = json!({ "route": routes() });
    if !value.is_null() {
        route[member] = value.clone();
    }
    object("VirtualService", json!({ "hosts": ["a.com"], "http": [route] }))
}

/// As `http_route`, for what takes the place of routing.
fn http_answer(member: &str, value: &Value) -> Judged {
    if value.is_null() {
        return http_route(member, value);
    }
    object("VirtualService", json!({ "hosts": ["a.com"], "http": [{ member: value }] }))
}

fn server(server: Value) -> Judged {
    object("Gateway", json!({ "servers": [server] }))
}

fn service_entry(spec: Value) -> Judged {
    let mut whole = json!({ "hosts": ["a.com"], "ports": [{ "number": 80, "name": "http", "protocol": "HTTP" }] });
    for (name, value) in spec.as_object().unwrap() {
        whole[name] = value.clone();
    }
    object("ServiceEntry", whole)
}

fn rule(rule: Value) -> Judged {
    object("AuthorizationPolicy", json!({ "rules": [rule] }))
}

fn load_balancer(row: &Row, member: &str) -> Judged {
    let mut policy = json!({ "loadBalancer": {} });
    if !row.input.is_null() {
        policy["loadBalancer"][member] = row.input.clone();
    }
    if let Some(detection) = row.arguments.get("outlier") {
        policy["outlierDetection"] = detection.clone();
    }
    destination_rule(policy)
}

fn export_to(row: &Row) -> Judged {
    let namespace = row.arguments["namespace"].as_str().unwrap();
    let list = row.input.clone();
    if row.arguments["isServiceEntry"] == true {
        let ports = json!([{ "number": 80, "name": "http", "protocol": "HTTP" }]);
        return in_namespace(
            namespace,
            "ServiceEntry",
            json!({ "hosts": ["a.com"], "ports": ports, "exportTo": list }),
        );
    }
    let mut spec = json!({ "host": "a.com", "exportTo": list });
    if row.arguments["isDestinationRuleWithSelector"] == true {
        spec["workloadSelector"] = json!({ "matchLabels": { "app": "a" } });
    }
    in_namespace(namespace, "DestinationRule", spec)
}

fn mesh(problems: &[meshtriage::analyzers::schema::Problem]) -> Judged {
    Judged::of(problems, &[])
}

pub(super) fn judge(row: &Row) -> Judged {
    let input = &row.input;
    let function = row.function.split(" (").next().unwrap();
    match function {
        "validateServer" => server(input.clone()),
        "validateServerPort" => server(json!({ "hosts": ["a.com"], "port": input, "bind": row.arguments["bind"] })),
        "validateServerTLSOptions" => {
            let port = json!({ "number": 443, "name": "https", "protocol": "HTTPS" });
            server(json!({ "hosts": ["a.com"], "port": port, "tls": input }))
        }
        "strictHeaderName" => {
            let claims = json!([{ "header": input, "claim": "a" }]);
            object("RequestAuthentication", json!({ "jwtRules": [{ "issuer": "a", "outputClaimToHeaders": claims }] }))
        }
        "headerNameOrJwtClaim" => {
            let matches = json!([{ "headers": { input.as_str().unwrap(): { "exact": "a" } } }]);
            let http = json!([{ "match": matches, "route": routes() }]);
            object("VirtualService", json!({ "hosts": ["a.com"], "gateways": ["a/b"], "http": http }))
        }
        "validateCORSPolicy" => http_route("corsPolicy", input),
        "validateHTTPStatus" => http_answer("directResponse", &json!({ "status": input })),
        "validateFaultAbort" => http_route("fault", &json!({ "abort": input, "delay": { "fixedDelay": "1s" } })),
        "validateFaultDelay" => http_route("fault", &json!({ "delay": input, "abort": { "httpStatus": 500 } })),
        "validateHTTPRetry" => http_route("retries", input),
        "validateHTTPRewrite" => http_route("rewrite", input),
        "validateURIRegexRewrite" => http_route("rewrite", &json!({ "uriRegexRewrite": input, "authority": "a" })),
        "validateHTTPRedirect" => http_answer("redirect", input),
        "validateHTTPDirectResponse" => http_answer("directResponse", input),
        "validateDestination" => http_route("route", &json!([{ "destination": input }])),
        "validateHTTPRoute" if row.function.contains("(delegate)") => {
            object("VirtualService", json!({ "http": [input] }))
        }
        "validateHTTPRoute" => object("VirtualService", json!({ "hosts": ["a.com"], "http": [input] })),
        "validateRouteDestinations" => {
            object("VirtualService", json!({ "hosts": ["a.com"], "tcp": [{ "route": input }] }))
        }
        "validateHTTPHeaderValue" => http_route("headers", &json!({ "request": { "set": { "a": input } } })),
        "validateDuration" => http_route("timeout", input),
        "validateIPSubnet" => {
            let tcp = json!([{ "match": [{ "destinationSubnets": [input] }], "route": routes() }]);
            object("VirtualService", json!({ "hosts": ["a.com"], "tcp": tcp }))
        }
        // Hosts and SNI hosts may be addresses, which other rules of the object see to. A destination rule's may not.
        "validateWildcardDomainForGatewayVirtualService"
            if input.as_str().is_some_and(|host| host.parse::<IpAddr>().is_ok()) =>
        {
            object("DestinationRule", json!({ "host": input }))
        }
        "validateWildcardDomainForGatewayVirtualService" => {
            let mut spec = json!({ "hosts": [input], "gateways": ["a/b"] });
            if row.arguments["sni"] == true {
                spec["tls"] = json!([{ "match": [{ "sniHosts": [input] }], "route": routes() }]);
            } else {
                spec["http"] = json!([{ "route": routes() }]);
            }
            object("VirtualService", spec)
        }
        "validateTrafficPolicy" => destination_rule(input.clone()),
        "validateConnectionPool" => destination_rule(json!({ "connectionPool": input })),
        "validateLoadBalancer" => destination_rule(json!({ "loadBalancer": input })),
        "validateLocalityLbSetting" => load_balancer(row, "localityLbSetting"),
        "validateZoneAwareLbSetting" => load_balancer(row, "zoneAwareLbSetting"),
        "validateLocalities" => {
            let distribute: Vec<_> =
                input.as_array().unwrap().iter().map(|from| json!({ "from": from, "to": { "x": 100 } })).collect();
            destination_rule(json!({ "loadBalancer": { "localityLbSetting": { "distribute": distribute } } }))
        }
        "validateOutlierDetection" => destination_rule(json!({ "outlierDetection": input })),
        "validateClientTLS" => {
            in_namespace("", "DestinationRule", json!({ "host": "a.com", "trafficPolicy": { "tls": input } }))
        }
        "validateLabels" => object("WorkloadEntry", json!({ "address": "1.1.1.1", "labels": input })),
        "validateWildcardDomain" => object("DestinationRule", json!({ "host": input })),
        "validateFQDN" => {
            let proxy = json!({ "host": input, "port": { "number": 80 } });
            object("Sidecar", json!({ "outboundTrafficPolicy": { "mode": "ALLOW_ANY", "egressProxy": proxy } }))
        }
        "validateExportTo" => export_to(row),
        "validateIPAddress" => service_entry(json!({ "resolution": "STATIC", "endpoints": [{ "address": input }] })),
        "validatePortName" => service_entry(json!({ "ports": [{ "name": input, "number": 80, "protocol": "HTTP" }] })),
        "parseJwksURI" => object("RequestAuthentication", json!({ "jwtRules": [{ "issuer": "a", "jwksUri": input }] })),
        "checkWildcardValues" => rule(json!({ "when": [{ "key": "source.trustDomain", "values": input }] })),
        "checkTrustDomainValues" => rule(json!({ "from": [{ "source": { "trustDomains": input } }] })),
        "checkValidPathTemplate" => rule(json!({ "to": [{ "operation": { "paths": input } }] })),
        "validateAttribute" => rule(json!({ "when": [{ "key": row.arguments["key"], "values": input }] })),
        "validateTelemetryFilter" => object("Telemetry", json!({ "accessLogging": [{ "filter": input }] })),
        "validateTrustDomain" => mesh(&mesh_config(&json!({ "trustDomain": input }))),
        "validateConnectTimeout" => mesh(&mesh_config(&json!({ "connectTimeout": input }))),
        "validateServiceSettings" => mesh(&mesh_config(&json!({ "serviceSettings": [{ "hosts": input }] }))),
        "validateMeshNetworks" => mesh(&mesh_networks(input)),
        "annotationResourceQuantity" => annotation([input]),
        "annotationValues" => annotation(input.as_object().unwrap().values()),
        other => panic!("no place for a part of {other}"),
    }
}

fn annotation<'a>(values: impl IntoIterator<Item = &'a Value>) -> Judged {
    let errors = values.into_iter().filter_map(|value| resource_quantity(value.as_str().unwrap()).err()).collect();
    Judged { errors, warnings: Vec::new() }
}
