//! Finds routes to subsets that no `DestinationRule` defines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    let mut wildcards: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for rule in mesh.each(Kind::DestinationRule) {
        let host = rule.spec().get("host").text();
        let subsets = rule.spec().get("subsets").items().map(|subset| subset.get("name").text());
        if host.starts_with('*') && !mesh.is_compatible() {
            wildcards.entry(host).or_default().extend(subsets);
        } else {
            known.entry(host::service_of(rule.namespace(), host)).or_default().extend(subsets);
        }
    }
    for service in mesh.each(Kind::VirtualService) {
        for destination in destinations::of(mesh, service) {
            let [host, subset] = ["host", "subset"].map(|key| destination.view.get(key).text());
            let of_host = known.get(&host::service_of(service.namespace(), host));
            if subset.is_empty() {
                continue;
            }
            // `istioctl` does not see that a rule for `*.shop.svc.cluster.local` defines subsets of the Services of `shop`.
            // Where a host has a rule of its own, that one counts.
            let full = host::fqdn(service.namespace(), host);
            let of_wildcards = || {
                let mut matching = wildcards.iter().filter(|(wildcard, _)| host::is_subset(&full, wildcard));
                matching.any(|(_, subsets)| subsets.contains(subset))
            };
            if of_host.is_none() && of_wildcards() {
                continue;
            }
            if of_host.is_some_and(|subsets| subsets.contains(subset)) {
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
