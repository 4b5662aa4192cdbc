//! Finds routes to subsets that no `DestinationRule` defines.

use std::collections::HashSet;

use super::shared::{IST0101, reference_not_found};
use super::{Analyzer, Messages, destinations};
use crate::mesh::{Kind, Mesh, host};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "virtualservice.DestinationRuleAnalyzer",
    reads: &[Kind::VirtualService, Kind::DestinationRule],
    reports: &[&IST0101],
    by_default: true,
    run,
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut known: HashSet<((&str, &str), &str)> = HashSet::new();
    for rule in mesh.each(Kind::DestinationRule) {
        let service = host::service_of(rule.namespace(), rule.spec().get("host").text());
        known.extend(rule.spec().get("subsets").items().map(|subset| (service, subset.get("name").text())));
    }
    for service in mesh.each(Kind::VirtualService) {
        for destination in destinations::of(mesh, service) {
            let [host, subset] = ["host", "subset"].map(|key| destination.view.get(key).text());
            if subset.is_empty() || known.contains(&(host::service_of(service.namespace(), host), subset)) {
                continue;
            }
            let what = if destination.is_mirror { "mirror" } else { "host" };
            let missing =
                reference_not_found(service, &format!("{what}+subset in destinationrule"), &format!("{host}+{subset}"));
            messages.report(missing.at(destination.path));
        }
    }
}
