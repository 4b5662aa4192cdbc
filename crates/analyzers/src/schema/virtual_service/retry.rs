//! Rules on [`HTTPRetry`](https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRetry).

use super::super::fields::Fields;
use super::super::problem::Outcome;
use super::super::value::duration;
use super::super::value::text::quoted;

/// Envoy's [retry policies](https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#x-envoy-retry-on).
const POLICIES: [&str; 16] = [
    "5xx",
    "gateway-error",
    "reset",
    "reset-before-request",
    "connect-failure",
    "retriable-4xx",
    "refused-stream",
    "retriable-status-codes",
    "retriable-headers",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
];

pub(in super::super) fn check(outcome: &mut Outcome, retries: Option<Fields>) {
    let Some(retries) = retries else { return };
    let attempts = retries.int("attempts");
    if attempts < 0 {
        outcome.error("attempts cannot be negative");
    }
    let configured =
        retries.has("perTryTimeout") || retries.has_text("retryOn") || retries.has("retryRemoteLocalities");
    if attempts == 0 && configured {
        outcome.error("http retry policy configured when attempts are set to 0 (disabled)");
    }
    if let Some(timeout) = retries.duration("perTryTimeout") {
        outcome.check(duration::check(timeout));
    }
    if retries.has_text("retryOn") {
        for policy in retries.text("retryOn").split(',') {
            if !POLICIES.contains(&policy) && !is_status(policy) {
                outcome.error(format!("{} is not a valid retryOn policy", quoted(policy)));
            }
        }
    }
    if let Some(backoff) = retries.duration("backoff") {
        outcome.check(duration::check(backoff));
    }
}

/// A number of the [registry](https://www.iana.org/assignments/http-status-codes) that Go's `net/http` names.
fn is_status(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|status| {
        matches!(
            status,
            100..=103
                | 200..=208
                | 226
                | 300..=305
                | 307..=308
                | 400..=418
                | 421..=426
                | 428..=429
                | 431
                | 451
                | 500..=508
                | 510..=511
        )
    })
}
