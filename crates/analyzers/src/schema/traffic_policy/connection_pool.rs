//! Rules on [`ConnectionPoolSettings`](https://istio.io/latest/docs/reference/config/networking/destination-rule/#ConnectionPoolSettings).

use super::super::fields::Fields;
use super::super::message::traffic_policy::H2_UPGRADE_POLICY;
use super::super::problem::Outcome;
use super::super::value::duration;
use super::optional_duration;

pub(in super::super) fn check(outcome: &mut Outcome, pool: Option<Fields>) {
    let Some(pool) = pool else { return };
    let (http, tcp) = (pool.message("http"), pool.message("tcp"));
    if http.is_none() && tcp.is_none() {
        outcome.error("connection pool must have at least one field");
        return;
    }
    if let Some(http) = http {
        check_http(outcome, http);
    }
    if let Some(tcp) = tcp {
        check_tcp(outcome, tcp);
    }
}

fn check_http(outcome: &mut Outcome, http: Fields) {
    for (field, what) in [
        ("http1MaxPendingRequests", "http1 max pending requests"),
        ("http2MaxRequests", "http2 max requests"),
        ("maxRequestsPerConnection", "max requests per connection"),
        ("maxRetries", "max retries"),
    ] {
        not_negative(outcome, http, field, what);
    }
    optional_duration(outcome, http, "idleTimeout");
    if http.choice("h2UpgradePolicy", &H2_UPGRADE_POLICY).is("UPGRADE") && http.flag("useClientProtocol") {
        outcome.error("use client protocol must not be true when H2UpgradePolicy is UPGRADE");
    }
    not_negative(outcome, http, "maxConcurrentStreams", "max concurrent streams");
    if let Some(keep_alive) = http.message("http2KeepAlive") {
        for field in ["interval", "timeout"] {
            match keep_alive.duration(field) {
                Some(value) => outcome.check(duration::check(value)),
                None => outcome.error(format!("http2 keepalive {field} is required")),
            }
        }
    }
}

fn check_tcp(outcome: &mut Outcome, tcp: Fields) {
    not_negative(outcome, tcp, "maxConnections", "max connections");
    optional_duration(outcome, tcp, "connectTimeout");
    optional_duration(outcome, tcp, "maxConnectionDuration");
    // An idle timeout of zero switches it off.
    if tcp.duration("idleTimeout").is_some_and(|timeout| timeout.milliseconds() != 0) {
        optional_duration(outcome, tcp, "idleTimeout");
    }
    if let Some(keepalive) = tcp.message("tcpKeepalive") {
        optional_duration(outcome, keepalive, "time");
        optional_duration(outcome, keepalive, "interval");
    }
}

fn not_negative(outcome: &mut Outcome, settings: Fields, field: &str, what: &str) {
    if settings.int(field) < 0 {
        outcome.error(format!("{what} must be non-negative"));
    }
}
