//! Finds several `DestinationRule`s for one host, of which proxies do not take everything.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, host, labels};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/dr-duplicate",
        reads: &[Kind::DestinationRule, Kind::MeshConfig],
        reports: &[&NET0005],
        by_default: true,
        run,
    },
};

static NET0005: Code = Code {
    id: "NET0005",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/best-practices/traffic-management/#split-virtual-services",
    page: include_str!("pages/NET0005.md"),
};

/// Namespace, host, workload selector, and the namespaces that a rule is exported to: rules that have these in common are
/// merged.
type Key<'m> = (&'m str, String, String, BTreeSet<&'m str>);

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut groups: BTreeMap<Key<'m>, Vec<&'m Object>> = BTreeMap::new();
    for rule in mesh.each(Kind::DestinationRule) {
        let host = host::fqdn(rule.namespace(), rule.spec().get("host").text());
        let selector = labels::selector_text(rule.spec().path(&["workloadSelector", "matchLabels"]));
        let exported = mesh.exported_to(rule).into_iter().collect();
        groups.entry((rule.namespace(), host, selector, exported)).or_default().push(rule);
    }
    for ((_, host, ..), mut rules) in groups {
        if rules.len() < 2 {
            continue;
        }
        rules.sort_by_key(|rule| rule.age());
        check(&host, &rules, messages);
    }
}

/// The oldest policy counts; of subsets with one name the first.
fn check<'m>(host: &str, rules: &[&'m Object], messages: &mut Messages<'m>) {
    let has_policy = |rule: &Object| !rule.spec().field("trafficPolicy").is_empty();
    let mut policy_of: Option<&Object> = None;
    let mut subsets: BTreeMap<&str, &Object> = BTreeMap::new();
    for rule in rules {
        let mut lost = Vec::new();
        match policy_of {
            Some(first) if has_policy(rule) => {
                lost.push(format!("its trafficPolicy (that of {} counts)", first.full_name()));
            }
            None if has_policy(rule) => policy_of = Some(rule),
            Some(_) | None => {}
        }
        for subset in rule.spec().get("subsets").items() {
            let name = subset.get("name").text();
            match subsets.get(name) {
                Some(first) => lost.push(format!("its subset {name} (that of {} counts)", first.full_name())),
                None => {
                    subsets.insert(name, rule);
                }
            }
        }
        if !lost.is_empty() {
            messages.report(rule_is_not_wholly_taken(rule, host, rules, &lost));
        }
    }
}

fn rule_is_not_wholly_taken<'m>(rule: &'m Object, host: &str, rules: &[&Object], lost: &[String]) -> Message<'m> {
    let names: Vec<String> = rules.iter().map(|rule| rule.full_name()).collect();
    let text = format!(
        "{} DestinationRules are for {host} ({}). Proxies merge them, and of this one they ignore {}.",
        rules.len(),
        names.join(", "),
        lost.join(", ")
    );
    let remedy = format!("Put the policy and the subsets for {host} into one DestinationRule and delete the others.");
    Message::new(&NET0005, rule, text).at(Path::spec().key("host")).remedy(remedy)
}
