//! Rules on [`OutlierDetection`](https://istio.io/latest/docs/reference/config/networking/destination-rule/#OutlierDetection).

use super::super::fields::Fields;
use super::super::problem::Outcome;
use super::super::value::port;
use super::optional_duration;

pub(in super::super) fn check(outcome: &mut Outcome, detection: Option<Fields>) {
    let Some(detection) = detection else { return };
    optional_duration(outcome, detection, "baseEjectionTime");
    if detection.int("consecutiveErrors") != 0 {
        outcome.warning(
            "outlier detection consecutive errors is deprecated, use consecutiveGatewayErrors or \
             consecutive5xxErrors instead",
        );
    }
    if detection.int("consecutiveLocalOriginFailures") > 0 && !detection.flag("splitExternalLocalOriginErrors") {
        outcome.error(
            "outlier detection consecutive local origin failures is specified, but split external local origin \
             errors is set to false",
        );
    }
    optional_duration(outcome, detection, "interval");
    outcome.check(port::percent(detection.int("maxEjectionPercent")));
    outcome.check(port::percent(detection.int("minHealthPercent")));
}
