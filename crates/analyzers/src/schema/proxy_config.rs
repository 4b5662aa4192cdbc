//! Rules on [`ProxyConfig`](https://istio.io/latest/docs/reference/config/networking/proxy-config/).

use super::problem::Outcome;
use super::{Object, selector};

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    selector::match_labels(&mut outcome, object.spec.message("selector"));
    if object.spec.int("concurrency") < 0 {
        outcome.error("concurrency must be greater than or equal to 0");
    }
    outcome
}
