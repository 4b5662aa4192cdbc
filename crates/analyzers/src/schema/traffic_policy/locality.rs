//! Rules on [locality load balancing](https://istio.io/latest/docs/reference/config/networking/destination-rule/#LocalityLoadBalancerSetting)
//! and on its zone-aware form.

use std::collections::{BTreeMap, BTreeSet};

use super::super::fields::Fields;
use super::super::problem::Outcome;
use super::super::value::Check;

const TOPOLOGY_LABELS: [&str; 3] =
    ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];

pub(in super::super) fn check(outcome: &mut Outcome, settings: Option<Fields>, outlier_detection: bool) {
    let Some(settings) = settings else { return };
    if settings.count("distribute") > 0 && settings.count("failover") > 0 {
        outcome.error("can not simultaneously specify 'distribute' and 'failover'");
        return;
    }
    if settings.count("failover") > 0
        && let Some(label) = settings.texts("failoverPriority").find(|label| TOPOLOGY_LABELS.contains(label))
    {
        outcome.error(format!(
            "can not simultaneously set 'failover' and topology label '{label}' in 'failover_priority'"
        ));
        return;
    }
    for distribute in settings.list("distribute") {
        let to = distribute.unwrap_or(Fields::NONE).int_map("to");
        if to.iter().any(|(_, weight)| !(1..=100).contains(weight)) {
            outcome.error("locality weight must be in range [1, 100]");
            return;
        }
        let total: i64 = to.iter().map(|(_, weight)| weight).sum();
        if total != 100 {
            outcome.error(format!("total locality weight {total} != 100"));
            return;
        }
        outcome.check(localities(to.iter().map(|(locality, _)| *locality)));
    }
    outcome.check(localities(
        settings.list("distribute").map(|distribute| distribute.unwrap_or(Fields::NONE).text("from")),
    ));
    failover_needs_detection(outcome, settings, outlier_detection);
    for failover in settings.list("failover") {
        let (from, to) = ends(failover);
        if from == to {
            outcome.error("locality lb failover settings must specify different regions");
        }
        if from.contains('/') || to.contains('/') {
            outcome.error("locality lb failover only specify region");
        }
        if from.contains('*') || to.contains('*') {
            outcome.error("locality lb failover region should not contain '*' wildcard");
        }
    }
}

pub(in super::super) fn zone_aware(outcome: &mut Outcome, settings: Option<Fields>, outlier_detection: bool) {
    let Some(settings) = settings else { return };
    for label in settings.texts("failoverPriority").filter(|label| TOPOLOGY_LABELS.contains(label)) {
        outcome.error(format!(
            "'failover_priority' for zone aware lb must not use topology label '{label}'; region- and zone-level \
             routing are handled automatically"
        ));
    }
    failover_needs_detection(outcome, settings, outlier_detection);
    for failover in settings.list("failover") {
        let (from, to) = ends(failover);
        if from == to {
            outcome.error("zone aware lb failover settings must specify different regions");
        }
        if from.contains('/') || to.contains('/') {
            outcome.error(
                "zone aware lb failover only specifies region; zone and subzone failover are handled automatically",
            );
        }
        if from.contains('*') || to.contains('*') {
            outcome.error("zone aware lb failover region should not contain '*' wildcard");
        }
    }
}

fn ends(failover: Option<Fields<'_>>) -> (&str, &str) {
    failover.map_or(("", ""), |failover| (failover.text("from"), failover.text("to")))
}

/// Envoy leaves a locality only when it sees unhealthy endpoints there.
fn failover_needs_detection(outcome: &mut Outcome, settings: Fields, outlier_detection: bool) {
    let fails_over = settings.count("failover") > 0 || settings.count("failoverPriority") > 0;
    if fails_over && !outlier_detection {
        outcome.warning("outlier detection policy must be provided for failover");
    }
}

/// `region`, `region/zone` or `region/zone/subzone`, none of which may lie in another of the list.
fn localities<'a>(list: impl IntoIterator<Item = &'a str>) -> Check {
    let mut regions: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for locality in list {
        let overlap = || Err(format!("locality {locality} overlap with previous specified ones"));
        let stars = locality.matches('*').count();
        if stars > 1 || (stars == 1 && !locality.ends_with('*')) {
            return Err(format!("locality {locality} wildcard '*' number can not exceed 1 and must be in the end"));
        }
        if regions.contains_key("*") {
            return overlap();
        }
        let parts: Vec<&str> = locality.splitn(3, '/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(format!("locality {locality} must not contain empty region/zone/subzone info"));
        }
        let known = regions.contains_key(parts[0]);
        let zones = regions.entry(parts[0]).or_default();
        match parts.as_slice() {
            [_] => {
                if known {
                    return overlap();
                }
                zones.insert("*", BTreeSet::new());
            }
            [_, zone] => {
                if zones.contains_key("*") || zones.contains_key(zone) {
                    return overlap();
                }
                zones.entry(zone).or_default().insert("*");
            }
            [_, zone, subzone, ..] => {
                if zones.contains_key("*") {
                    return overlap();
                }
                let subzones = zones.entry(zone).or_default();
                if subzones.contains("*") || !subzones.insert(subzone) {
                    return overlap();
                }
            }
            [] => {}
        }
    }
    Ok(())
}
