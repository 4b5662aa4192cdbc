//! Rules on [`HTTPFaultInjection`](https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPFaultInjection).

use super::super::fields::Fields;
use super::super::problem::Outcome;
use super::super::value::text::quoted;
use super::super::value::{Check, duration, port};

/// The [status codes of gRPC](https://grpc.io/docs/guides/status-codes/).
const GRPC_STATUS: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

pub(super) fn check(outcome: &mut Outcome, fault: Option<Fields>) {
    let Some(fault) = fault else { return };
    let (abort, delay) = (fault.message("abort"), fault.message("delay"));
    if abort.is_none() && delay.is_none() {
        outcome.error("HTTP fault injection must have an abort and/or a delay");
    }
    if let Some(abort) = abort {
        percentage(outcome, abort);
        match abort.one_of(&["httpStatus", "grpcStatus", "http2Error"]) {
            Some("grpcStatus") => {
                let status = abort.text("grpcStatus");
                if !GRPC_STATUS.contains(&status) {
                    outcome.error(format!(
                        "gRPC status {} is not supported. See \
                         https://github.com/grpc/grpc/blob/master/doc/statuscodes.md for a list of supported codes",
                        quoted(status)
                    ));
                }
            }
            Some("http2Error") => outcome.error("HTTP/2 abort fault injection not supported yet"),
            Some(_) => outcome.check(status(abort.int("httpStatus"))),
            None => outcome.warning("abort configured, but error type not set"),
        }
    }
    if let Some(delay) = delay {
        percentage(outcome, delay);
        let Some(form) = delay.one_of(&["fixedDelay", "exponentialDelay"]) else { return };
        if let Some(length) = delay.duration(form) {
            outcome.check(duration::check(length));
        }
        if form == "exponentialDelay" {
            outcome.error("exponentialDelay not supported yet");
        }
    }
}

fn percentage(outcome: &mut Outcome, of: Fields) {
    if let Some(percentage) = of.message("percentage") {
        outcome.check(port::percentage(percentage.number("value").unwrap_or_default()));
    }
}

/// Upstream's bound is 600, its text says 599.
pub(super) fn status(status: i64) -> Check {
    if (200..=600).contains(&status) {
        return Ok(());
    }
    Err(format!("HTTP status {status} is not in range 200-599"))
}
