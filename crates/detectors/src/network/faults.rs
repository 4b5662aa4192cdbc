//! What rules of `VirtualService`s inject on purpose: delays and errors.

use mesh::{Object, View};

/// A rule that injects faults into some of its requests.
pub(super) struct Fault<'m> {
    pub(super) rule: View<'m>,
    pub(super) index: usize,
    /// In words: `50 % of requests are answered with 503`.
    pub(super) effects: Vec<String>,
}

/// The rules of a `VirtualService` whose faults are on. A fault without a percentage, or with none, hits no request
/// (<https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPFaultInjection>).
pub(super) fn active_faults(service: &Object) -> impl Iterator<Item = Fault<'_>> {
    service.spec().get("http").items().zip(0..).filter_map(|(rule, index)| {
        let fault = rule.get("fault");
        let effects: Vec<String> =
            [aborts(fault.get("abort")), delays(fault.get("delay"))].into_iter().flatten().collect();
        (!effects.is_empty()).then_some(Fault { rule, index, effects })
    })
}

fn aborts(abort: View<'_>) -> Option<String> {
    let share = share(abort)?;
    let status = ["httpStatus", "grpcStatus"].map(|field| abort.field(field).written()).join("");
    Some(format!("{share} % of requests are answered with {status}"))
}

fn delays(delay: View<'_>) -> Option<String> {
    let share = share(delay)?;
    let delay = ["fixedDelay", "exponentialDelay"].map(|field| delay.field(field).text()).join("");
    Some(format!("{share} % of requests are delayed by {delay}"))
}

/// As it is written; `percent` is the older spelling.
fn share(fault: View<'_>) -> Option<&str> {
    let share = [fault.path(&["percentage", "value"]), fault.field("percent")];
    share.into_iter().find(|share| share.number() > 0.0).map(View::written)
}
