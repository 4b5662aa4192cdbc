//! Rules on [`EnvoyFilter`](https://istio.io/latest/docs/reference/config/networking/envoy-filter/).

use super::envoy_patch;
use super::fields::{Choice, Fields};
use super::message::envoy_filter::{APPLY_TO, CONTEXT, OPERATION};
use super::problem::Outcome;
use super::value::regular_expression;
use super::value::text::quoted;
use super::{Object, selector};

const CAUTION: &str = "EnvoyFilter exposes internal implementation details that may change at any time. Prefer other \
                       APIs if possible, and exercise extreme caution, especially around upgrades.";

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    outcome.warning(CAUTION);
    match selector::workload_labels(object.spec, "Envoy filter") {
        Err(refused) => return refused,
        Ok(Some(warning)) => outcome.warning(warning),
        Ok(None) => {}
    }
    for patch in object.spec.list("configPatches") {
        match patch {
            None => outcome.error("Envoy filter: null config patch"),
            Some(patch) => config_patch(&mut outcome, patch),
        }
    }
    outcome
}

/// The first fault of a patch is its last: upstream goes on with the next patch.
fn config_patch(outcome: &mut Outcome, config: Fields) {
    let target = config.message("match").unwrap_or(Fields::NONE);
    if target.choice("context", &CONTEXT).is("WAYPOINT") {
        return;
    }
    let apply_to = config.choice("applyTo", &APPLY_TO);
    if apply_to.is("INVALID") {
        return outcome.error("Envoy filter: missing applyTo");
    }
    let Some(patch) = config.message("patch") else { return outcome.error("Envoy filter: missing patch") };
    let operation = patch.choice("operation", &OPERATION);
    if operation.is("INVALID") {
        return outcome.error("Envoy filter: missing patch operation");
    }
    if !operation.is("REMOVE") && !patch.has("value") {
        return outcome.error("Envoy filter: missing patch value for non-remove operation");
    }
    let version = target.message("proxy").map_or("", |proxy| proxy.text("proxyVersion"));
    if version.chars().count() > 1024 {
        outcome.warning("Envoy filter: proxyVersion match exceeds 1024 characters and will be ignored");
    } else if let Err(error) = regular_expression::syntax(version) {
        return outcome.error(format!("Envoy filter: invalid regex for proxy version, [{error}]"));
    }
    if !object_match(outcome, target, apply_to) {
        return;
    }
    if let Some(value) = patch.value("value") {
        envoy_patch::check(outcome, value, apply_to);
    }
}

/// Whether what is matched fits what is patched. `false` ends the patch.
fn object_match(outcome: &mut Outcome, target: Fields, apply_to: Choice) -> bool {
    let Some(form) = target.one_of(&["listener", "routeConfiguration", "cluster", "waypoint"]) else { return true };
    if apply_to.is_any(&["LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER"]) {
        if form != "listener" {
            outcome.error("Envoy filter: applyTo for listener class objects cannot have non listener match");
            return false;
        }
        let chain = target.message("listener").and_then(|listener| listener.message("filterChain"));
        return chain.and_then(|chain| chain.message("filter")).is_none_or(|filter| {
            match filter_match(outcome, filter, apply_to) {
                Ok(()) => true,
                Err(text) => {
                    outcome.error(text);
                    false
                }
            }
        });
    }
    if apply_to.is_any(&["ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"]) && form != "routeConfiguration" {
        outcome.error("Envoy filter: applyTo for http route class objects cannot have non route configuration match");
    } else if apply_to.is("CLUSTER") && form != "cluster" {
        outcome.error("Envoy filter: applyTo for cluster class objects cannot have non cluster match");
    }
    true
}

fn filter_match(outcome: &mut Outcome, filter: Fields, apply_to: Choice) -> Result<(), String> {
    if apply_to.is_any(&["LISTENER", "FILTER_CHAIN"]) {
        outcome.warning(format!("Envoy filter: filter match has no effect when used with {apply_to}"));
    }
    let name = filter.text("name");
    if name.is_empty() {
        return Err("Envoy filter: filter match has no name to match on".into());
    }
    let Some(inner) = filter.message("subFilter") else {
        deprecated_name(outcome, name);
        return Ok(());
    };
    if !apply_to.is("HTTP_FILTER") {
        return Err("Envoy filter: subfilter match can be used with applyTo HTTP_FILTER only".into());
    }
    if !matches!(name, "envoy.filters.network.http_connection_manager" | "envoy.http_connection_manager") {
        return Err("Envoy filter: subfilter match requires filter match with \
                    envoy.filters.network.http_connection_manager"
            .into());
    }
    if !inner.has_text("name") {
        return Err("Envoy filter: subfilter match has no name to match on".into());
    }
    deprecated_name(outcome, inner.text("name"));
    deprecated_name(outcome, name);
    Ok(())
}

/// Names that Envoy [gave up](https://www.envoyproxy.io/docs/envoy/latest/version_history/v1.14.0) for longer ones.
const DEPRECATED: [(&str, &str); 27] = [
    ("envoy.buffer", "envoy.filters.http.buffer"),
    ("envoy.cors", "envoy.filters.http.cors"),
    ("envoy.csrf", "envoy.filters.http.csrf"),
    ("envoy.http_dynamo_filter", "envoy.filters.http.dynamo"),
    ("envoy.ext_authz", "envoy.filters.http.ext_authz"),
    ("envoy.fault", "envoy.filters.http.fault"),
    ("envoy.grpc_http1_bridge", "envoy.filters.http.grpc_http1_bridge"),
    ("envoy.grpc_json_transcoder", "envoy.filters.http.grpc_json_transcoder"),
    ("envoy.grpc_web", "envoy.filters.http.grpc_web"),
    ("envoy.gzip", "envoy.filters.http.gzip"),
    ("envoy.health_check", "envoy.filters.http.health_check"),
    ("envoy.ip_tagging", "envoy.filters.http.ip_tagging"),
    ("envoy.lua", "envoy.filters.http.lua"),
    ("envoy.rate_limit", "envoy.filters.http.ratelimit"),
    ("envoy.router", "envoy.filters.http.router"),
    ("envoy.squash", "envoy.filters.http.squash"),
    ("envoy.listener.http_inspector", "envoy.filters.listener.http_inspector"),
    ("envoy.listener.original_dst", "envoy.filters.listener.original_dst"),
    ("envoy.listener.original_src", "envoy.filters.listener.original_src"),
    ("envoy.listener.proxy_protocol", "envoy.filters.listener.proxy_protocol"),
    ("envoy.listener.tls_inspector", "envoy.filters.listener.tls_inspector"),
    ("envoy.client_ssl_auth", "envoy.filters.network.client_ssl_auth"),
    ("envoy.http_connection_manager", "envoy.filters.network.http_connection_manager"),
    ("envoy.mongo_proxy", "envoy.filters.network.mongo_proxy"),
    ("envoy.ratelimit", "envoy.filters.network.ratelimit"),
    ("envoy.redis_proxy", "envoy.filters.network.redis_proxy"),
    ("envoy.tcp_proxy", "envoy.filters.network.tcp_proxy"),
];

fn deprecated_name(outcome: &mut Outcome, name: &str) {
    if let Some((_, new)) = DEPRECATED.iter().find(|(old, _)| *old == name) {
        outcome.warning(format!("using deprecated filter name {}; use {} instead", quoted(name), quoted(new)));
    }
}
