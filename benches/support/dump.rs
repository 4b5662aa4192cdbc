//! Generates the page `/config_dump` of a proxy that knows very many services.

use std::io::Write as _;

use serde::Serialize as _;
use serde_json::{Value, json};

const UPDATED: &str = "2026-11-25T10:00:00.123Z";
const VERSION: &str = "2026-11-25T09:59:58Z/417";
const PREFIX: &str = "type.googleapis.com/envoy.admin.v3.";

/// A dump of at least this size, written as Envoy writes it: a line for each value, one space for each level.
pub(crate) fn config_dump(bytes: usize) -> Vec<u8> {
    let per_service =
        [cluster(0), endpoints(0), route(0), listener(0)].map(|it| pretty(&it).len()).iter().sum::<usize>();
    let services = bytes / per_service + 1;
    let bootstrap = json!({
        "@type": format!("{PREFIX}BootstrapConfigDump"),
        "bootstrap": {"node": {
            "id": "sidecar~10.244.1.7~cart-1.shop~shop.svc.cluster.local",
            "metadata": {"ISTIO_VERSION": "1.30.3"},
        }},
        "last_updated": UPDATED,
    });
    let mut page = b"{\n \"configs\": [\n".to_vec();
    page.extend(pretty(&bootstrap));
    section(&mut page, "Clusters", "dynamic_active_clusters", services, cluster);
    section(&mut page, "Endpoints", "dynamic_endpoint_configs", services, endpoints);
    section(&mut page, "Listeners", "dynamic_listeners", services, listener);
    section(&mut page, "Routes", "dynamic_route_configs", services, route);
    section(&mut page, "Secrets", "dynamic_active_secrets", 0, |_| Value::Null);
    page.extend_from_slice(b"\n ]\n}\n");
    page
}

/// Written entry by entry, so that generating needs little more memory than the page.
fn section(page: &mut Vec<u8>, kind: &str, field: &str, count: usize, entry: fn(usize) -> Value) {
    write!(
        page,
        ",\n{{\n \"@type\": \"{PREFIX}{kind}ConfigDump\",\n \"version_info\": \"{VERSION}\",\n \"{field}\": [\n"
    )
    .expect("a vector takes everything");
    for index in 0..count {
        if index > 0 {
            page.extend_from_slice(b",\n");
        }
        page.extend(pretty(&entry(index)));
    }
    page.extend_from_slice(b"\n ]\n}");
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter)).expect("a value is JSON");
    text
}

fn host(index: usize) -> String {
    format!("app-{index:05}.team-{:03}.svc.cluster.local", index / 20)
}

fn metadata(index: usize) -> Value {
    json!({"filter_metadata": {"istio": {
        "services": [{"host": host(index), "name": format!("app-{index:05}"), "namespace": format!("team-{:03}", index / 20)}],
        "default_original_port": 80,
    }}})
}

fn cluster(index: usize) -> Value {
    json!({
        "version_info": VERSION,
        "cluster": {
            "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            "name": format!("outbound|80||{}", host(index)),
            "type": "EDS",
            "eds_cluster_config": {
                "eds_config": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
                "service_name": format!("outbound|80||{}", host(index)),
            },
            "connect_timeout": "10s",
            "lb_policy": "LEAST_REQUEST",
            "circuit_breakers": {"thresholds": [{
                "max_connections": 4_294_967_295_u32, "max_pending_requests": 4_294_967_295_u32,
                "max_requests": 4_294_967_295_u32, "max_retries": 4_294_967_295_u32, "track_remaining": true,
            }]},
            "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}},
            }},
            "metadata": metadata(index),
            "common_lb_config": {"locality_weighted_lb_config": {}},
            "transport_socket_matches": [
                {
                    "name": "tlsMode-istio", "match": {"tlsMode": "istio"},
                    "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                        "common_tls_context": {
                            "alpn_protocols": ["istio-peer-exchange", "istio"],
                            "tls_certificate_sds_secret_configs": [{"name": "default"}],
                        },
                        "sni": format!("outbound_.80_._.{}", host(index)),
                    }},
                },
                {
                    "name": "tlsMode-disabled", "match": {},
                    "transport_socket": {"name": "envoy.transport_sockets.raw_buffer", "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
                    }},
                },
            ],
        },
        "last_updated": UPDATED,
    })
}

fn endpoints(index: usize) -> Value {
    let endpoint = |pod: usize| {
        json!({
            "endpoint": {
                "address": {"socket_address": {
                    "address": format!("10.{}.{}.{pod}", index / 250 % 250, index % 250), "port_value": 8080,
                }},
                "health_check_config": {},
            },
            "health_status": "HEALTHY",
            "metadata": {"filter_metadata": {
                "envoy.transport_socket_match": {"tlsMode": "istio"},
                "istio": {"workload": format!("app-{index:05};team-{:03};app-{index:05};;Kubernetes", index / 20)},
            }},
            "load_balancing_weight": 1,
        })
    };
    json!({
        "endpoint_config": {
            "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": format!("outbound|80||{}", host(index)),
            "endpoints": [{"locality": {}, "lb_endpoints": [endpoint(1), endpoint(2), endpoint(3)], "load_balancing_weight": 3}],
            "policy": {"overprovisioning_factor": 140},
        },
    })
}

fn route(index: usize) -> Value {
    json!({
        "version_info": VERSION,
        "route_config": {
            "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            "name": format!("{}:80", host(index)),
            "virtual_hosts": [{
                "name": format!("{}:80", host(index)),
                "domains": [host(index), format!("app-{index:05}.team-{:03}", index / 20), format!("10.0.{}.{}", index / 250 % 250, index % 250)],
                "routes": [{
                    "name": "default", "match": {"prefix": "/"},
                    "route": {
                        "cluster": format!("outbound|80||{}", host(index)),
                        "timeout": "0s",
                        "retry_policy": {
                            "retry_on": "connect-failure,refused-stream,unavailable,cancelled", "num_retries": 2,
                            "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts"}],
                            "host_selection_retry_max_attempts": "5",
                        },
                    },
                    "decorator": {"operation": format!("{}:80/*", host(index))},
                }],
                "include_request_attempt_count": true,
            }],
            "validate_clusters": false,
        },
        "last_updated": UPDATED,
    })
}

fn listener(index: usize) -> Value {
    let name = format!("10.0.{}.{}_80", index / 250 % 250, index % 250);
    let manager = json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": format!("outbound_{name}"),
            "rds": {
                "config_source": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
                "route_config_name": format!("{}:80", host(index)),
            },
            "http_filters": [
                {"name": "envoy.filters.http.fault", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"}},
                {"name": "envoy.filters.http.cors", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors"}},
                {"name": "envoy.filters.http.router", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}},
            ],
        },
    });
    json!({
        "name": name,
        "active_state": {
            "version_info": VERSION,
            "listener": {
                "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
                "name": name,
                "address": {"socket_address": {"address": name.trim_end_matches("_80"), "port_value": 80}},
                "filter_chains": [{
                    "filter_chain_match": {"transport_protocol": "raw_buffer", "application_protocols": ["http/1.1", "h2c"]},
                    "filters": [manager],
                }],
                "default_filter_chain": {
                    "filters": [{
                        "name": "envoy.filters.network.tcp_proxy",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                            "stat_prefix": format!("outbound|80||{}", host(index)),
                            "cluster": format!("outbound|80||{}", host(index)),
                        },
                    }],
                    "name": "PassthroughFilterChain",
                },
                "deprecated_v1": {"bind_to_port": false},
                "listener_filters_timeout": "0s",
                "traffic_direction": "OUTBOUND",
            },
            "last_updated": UPDATED,
        },
    })
}
