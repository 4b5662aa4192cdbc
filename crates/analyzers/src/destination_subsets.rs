//! Finds routes to subsets that no `DestinationRule` defines.

use std::collections::{BTreeSet, HashMap};

use super::shared::{IST0101, reference_not_found};
use super::{Analyzer, Messages, destinations, remedies};
use mesh::{Kind, Mesh, host};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "virtualservice.DestinationRuleAnalyzer",
    reads: &[Kind::VirtualService, Kind::DestinationRule],
    reports: &[&IST0101],
    by_default: true,
    run,
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut known: HashMap<(&str, &str), BTreeSet<&str>> = HashMap::new();
    for rule in mesh.each(Kind::DestinationRule) {
        let service = host::service_of(rule.namespace(), rule.spec().get("host").text());
        let subsets = rule.spec().get("subsets").items().map(|subset| subset.get("name").text());
        known.entry(service).or_default().extend(subsets);
    }
    for service in mesh.each(Kind::VirtualService) {
        for destination in destinations::of(mesh, service) {
            let [host, subset] = ["host", "subset"].map(|key| destination.view.get(key).text());
            let of_host = known.get(&host::service_of(service.namespace(), host));
            if subset.is_empty() || of_host.is_some_and(|subsets| subsets.contains(subset)) {
                continue;
            }
            let what = if destination.is_mirror { "mirror" } else { "host" };
            let missing =
                reference_not_found(service, &format!("{what}+subset in destinationrule"), &format!("{host}+{subset}"));
            let remedy = || remedies::subset(host, subset, of_host.unwrap_or(&BTreeSet::new()));
            messages.report(missing.at(destination.path).remedy_unless(mesh.is_compatible(), remedy));
        }
    }
}
