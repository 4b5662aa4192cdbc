//! Finds policies of subsets that no route leads to.

use std::collections::HashSet;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path, destinations};
use mesh::{Kind, Mesh, Object, host};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/subset-policy-idle",
        reads: &[Kind::DestinationRule, Kind::VirtualService],
        reports: &[&NET0004],
        by_default: true,
        run,
    },
};

static NET0004: Code = Code {
    id: "NET0004",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/networking/destination-rule/#Subset",
    page: include_str!("pages/NET0004.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut routed: HashSet<(String, &str)> = HashSet::new();
    for service in mesh.each(Kind::VirtualService) {
        for destination in destinations::of(mesh, service) {
            let [host, subset] = ["host", "subset"].map(|key| destination.view.get(key).text());
            if !subset.is_empty() {
                routed.insert((host::fqdn(service.namespace(), host), subset));
            }
        }
    }
    for rule in mesh.each(Kind::DestinationRule) {
        let host = host::fqdn(rule.namespace(), rule.spec().get("host").text());
        // Whoever routes to a host under a wildcard names the host itself.
        if host.starts_with('*') {
            continue;
        }
        for (subset, index) in rule.spec().get("subsets").items().zip(0..) {
            let name = subset.get("name").text();
            if !subset.field("trafficPolicy").is_empty() && !routed.contains(&(host.clone(), name)) {
                let path = Path::spec().key("subsets").index(index).key("trafficPolicy");
                messages.report(policy_is_never_applied(rule, name, &host).at(path));
            }
        }
    }
}

fn policy_is_never_applied<'m>(rule: &'m Object, subset: &str, host: &str) -> Message<'m> {
    let text = format!(
        "Subset {subset} of {host} has a traffic policy, but no VirtualService routes to the subset: the policy is never \
         applied."
    );
    let remedy = format!(
        "Move the policy of subset {subset} to spec.trafficPolicy of DestinationRule {}, or route to the subset in a \
         VirtualService for {host}.",
        rule.full_name()
    );
    Message::new(&NET0004, rule, text).remedy(remedy)
}
