//! Rules on [`HTTPRoute`](https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRoute).

use super::super::destination::destination;
use super::super::fields::Fields;
use super::super::problem::Outcome;
use super::super::value::duration;
use super::{cors, fault, headers, http_match, redirect, retry, rewrite, total_weight, weight};

/// `delegate` says that the route is part of a `VirtualService` without hosts.
pub(super) fn check(outcome: &mut Outcome, route: Fields, delegate: bool) {
    conflicts(outcome, route, delegate);
    outcome.without_warnings(|outcome| http_match::check(outcome, route));
    headers::check(outcome, route.message("headers"));
    if let Some(policy) = route.message("corsPolicy") {
        cors::check(outcome, policy);
    }
    outcome.without_warnings(|outcome| fault::check(outcome, route.message("fault")));
    mirrors(outcome, route);
    if let Some(target) = route.message("redirect") {
        outcome.check(redirect::check(target, route));
    }
    if let Some(response) = route.message("directResponse") {
        direct_response(outcome, response);
    }
    retry::check(outcome, route.message("retries"));
    if let Some(change) = route.message("rewrite") {
        outcome.check(rewrite::check(change));
    }
    outcome.check(headers::one_authority(route));
    for weighted in route.list("route") {
        let Some(weighted) = weighted else {
            outcome.error("weight may not be nil");
            continue;
        };
        if !weighted.has("destination") {
            outcome.error("destination is required");
        }
        headers::check(outcome, weighted.message("headers"));
        destination(outcome, weighted.message("destination"));
        weight(outcome, weighted);
    }
    total_weight(outcome, route);
    if let Some(timeout) = route.duration("timeout") {
        outcome.check(duration::check(timeout));
    }
}

/// What a route may do at once.
fn conflicts(outcome: &mut Outcome, route: Fields, delegate: bool) {
    let routes = route.count("route") > 0;
    let redirects = route.has("redirect");
    if route.has("delegate") {
        if !delegate {
            let name = route.text("name");
            if redirects {
                outcome.error(format!("root HTTP route {name} must not specify redirect"));
            }
            if routes {
                outcome.error(format!("root HTTP route {name} must not specify route"));
            }
            return;
        }
        outcome.error("delegate HTTP route cannot contain delegate");
    }
    let (fault, rewrite, answers) = (route.has("fault"), route.has("rewrite"), route.has("directResponse"));
    if redirects {
        for (present, text) in [
            (routes, "HTTP route cannot contain both route and redirect"),
            (fault, "HTTP route cannot contain both fault and redirect"),
            (rewrite, "HTTP route rule cannot contain both rewrite and redirect"),
            (answers, "HTTP route rule cannot contain both direct_response and redirect"),
        ] {
            if present {
                outcome.error(text);
            }
        }
    } else if answers {
        for (present, text) in [
            (routes, "HTTP route cannot contain both route and direct_response"),
            (fault, "HTTP route cannot contain both fault and direct_response"),
            (rewrite, "HTTP route rule cannot contain both rewrite and direct_response"),
        ] {
            if present {
                outcome.error(text);
            }
        }
    } else if !routes {
        outcome.error("HTTP route, redirect or direct_response is required");
    }
    if route.has("mirror") && route.count("mirrors") > 0 {
        outcome.error("HTTP route cannot contain both mirror and mirrors");
    }
}

fn mirrors(outcome: &mut Outcome, route: Fields) {
    if route.has("mirrorPercent") {
        let percent = route.int("mirrorPercent");
        if percent > 100 {
            outcome.error(format!("mirror_percent must have a max value of 100 (it has {percent})"));
        }
        outcome.warning("using deprecated setting \"mirrorPercent\", use \"mirrorPercentage\" instead");
    }
    percentage(outcome, route.message("mirrorPercentage"), "mirror_percentage");
    destination(outcome, route.message("mirror"));
    for mirror in route.list("mirrors") {
        let Some(mirror) = mirror else {
            outcome.error("mirror cannot be null");
            continue;
        };
        if !mirror.has("destination") {
            outcome.error("destination is required for mirrors");
            continue;
        }
        destination(outcome, mirror.message("destination"));
        percentage(outcome, mirror.message("percentage"), "mirror percentage");
    }
}

fn percentage(outcome: &mut Outcome, percent: Option<Fields>, what: &str) {
    let Some(value) = percent.map(|percent| percent.number("value").unwrap_or_default()) else { return };
    if value > 100.0 {
        outcome.error(format!("{what} must have a max value of 100 (it has {value:.6})"));
    }
    if value < 0.0 {
        outcome.error(format!("{what} must have a min value of 0 (it has {value:.6})"));
    }
}

fn direct_response(outcome: &mut Outcome, response: Fields) {
    const LARGE: usize = 100 * 1024;
    const TOO_LARGE: usize = 1024 * 1024;
    if let Some(body) = response.message("body") {
        let length = match body.one_of(&["string", "bytes"]) {
            Some("bytes") => decoded_length(body.text("bytes")),
            _ => body.text("string").len(),
        };
        if length > TOO_LARGE {
            outcome.error("large direct_responses may impact control plane performance, must be less than 1MB");
        } else if length > LARGE {
            outcome.warning("large direct_responses may impact control plane performance");
        }
    }
    outcome.check(fault::status(response.int("status")));
}

/// How long a base64 text is when decoded.
fn decoded_length(text: &str) -> usize {
    let padding = text.bytes().rev().take(2).take_while(|byte| *byte == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}
