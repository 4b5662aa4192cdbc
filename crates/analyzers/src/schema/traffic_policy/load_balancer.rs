//! Rules on [`LoadBalancerSettings`](https://istio.io/latest/docs/reference/config/networking/destination-rule/#LoadBalancerSettings).

use std::collections::BTreeSet;

use super::super::fields::Fields;
use super::super::problem::Outcome;
use super::super::value::duration;
use super::locality;

/// Envoy's bound for the table of a Maglev load balancer.
const MAX_TABLE_SIZE: i64 = 5_000_011;

pub(super) fn check(outcome: &mut Outcome, settings: Option<Fields>, outlier_detection: bool) {
    let Some(settings) = settings else { return };
    if let Some(hash) = settings.message("consistentHash") {
        consistent_hash(outcome, hash);
    }
    let (local, zones) = (settings.message("localityLbSetting"), settings.message("zoneAwareLbSetting"));
    if local.is_some() && zones.is_some() {
        outcome.error("only one of localityLbSetting and zoneAwareLbSetting can be set");
    }
    locality::check(outcome, local, outlier_detection);
    locality::zone_aware(outcome, zones, outlier_detection);
    if let Some(warmup) = settings.message("warmup") {
        match warmup.duration("duration") {
            Some(value) => outcome.check(duration::check(value)),
            None => outcome.error("duration is required"),
        }
        if warmup.number("minimumPercent").is_some_and(|percent| percent > 100.0) {
            outcome.error("minimumPercent value should be less than or equal to 100");
        }
        if warmup.number("aggression").is_some_and(|aggression| aggression <= 0.0) {
            outcome.error("aggression should be greater than 0");
        }
    }
}

fn consistent_hash(outcome: &mut Outcome, hash: Fields) {
    let keys = ["httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName"];
    if hash.one_of(&keys) == Some("httpCookie")
        && let Some(cookie) = hash.message("httpCookie")
    {
        if !cookie.has_text("name") {
            outcome.error("name required for HttpCookie");
        }
        let mut seen = BTreeSet::new();
        for attribute in cookie.list("attributes") {
            let name = attribute.unwrap_or(Fields::NONE).text("name");
            if name.is_empty() {
                outcome.error("cookie attribute name cannot be empty");
            } else if !seen.insert(name) {
                outcome.error(format!("duplicate cookie attribute name: {name}"));
            }
        }
    }
    let algorithm = hash.one_of(&["ringHash", "maglev"]);
    if hash.int("minimumRingSize") != 0 {
        outcome.warning(
            "consistent hash MinimumRingSize is deprecated, use ConsistentHashLB's RingHash configuration instead",
        );
        if algorithm.is_some() {
            outcome.error("only one of MinimumRingSize or Maglev/Ringhash can be specified");
        }
    }
    if algorithm == Some("maglev")
        && let Some(maglev) = hash.message("maglev")
    {
        table_size(outcome, maglev.int("tableSize"));
    }
}

fn table_size(outcome: &mut Outcome, size: i64) {
    if size == 0 {
        outcome.error("tableSize must be set for maglev");
    }
    if size >= MAX_TABLE_SIZE {
        outcome.error(format!("tableSize must be less than {MAX_TABLE_SIZE} for maglev"));
    }
    if !is_prime(size) {
        outcome.error("tableSize must be a prime number for maglev");
    }
}

/// Upstream counts 1 as prime. A size beyond the bound is wrong already, so it is not worth the search.
fn is_prime(number: i64) -> bool {
    match number {
        ..1 => false,
        1..=3 | MAX_TABLE_SIZE.. => true,
        _ => (2..MAX_TABLE_SIZE).take_while(|divisor| divisor * divisor <= number).all(|divisor| number % divisor != 0),
    }
}
