//! Rules on [`PeerAuthentication`](https://istio.io/latest/docs/reference/config/security/peer_authentication/).

use super::problem::Outcome;
use super::{Object, selector};

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    let spec = object.spec;
    let ports = spec.map("portLevelMtls");
    let selects = spec.message("selector").is_some_and(|selector| !selector.map("matchLabels").is_empty());
    if !selects && !ports.is_empty() {
        outcome.error("mesh/namespace peer authentication cannot have port level mTLS");
    }
    if spec.has("portLevelMtls") && ports.is_empty() {
        outcome.error("port level mTLS, if defined, must have at least one element");
    }
    for (port, _) in ports {
        if !port.parse::<u16>().is_ok_and(|port| port > 0) {
            outcome.error("port must be in range 1..65535");
        }
    }
    selector::match_labels(&mut outcome, spec.message("selector"));
    outcome
}
