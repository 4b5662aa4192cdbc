//! Finds `VirtualService`s that claim the same requests at one gateway.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::virtual_services::{SIDECARS, rule_applies_at};
use mesh::{Kind, Mesh, Object, View, host};
use report::{Code, Severity};

/// Two of them for one host inside the mesh are IST0109.
pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/vs-conflict",
        reads: &[Kind::VirtualService],
        reports: &[&NET0007],
        by_default: true,
        run,
    },
};

static NET0007: Code = Code {
    id: "NET0007",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/best-practices/traffic-management/#split-virtual-services",
    page: include_str!("pages/NET0007.md"),
};

/// A Gateway by namespace and name, and a host.
type Place<'m> = ((&'m str, &'m str), String);

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut claims: BTreeMap<Place<'m>, Vec<&'m Object>> = BTreeMap::new();
    let mut services: Vec<&Object> = mesh.each(Kind::VirtualService).collect();
    services.sort_by_key(|service| service.age());
    for service in services {
        for gateway in service.spec().get("gateways").texts().filter(|gateway| *gateway != SIDECARS) {
            let gateway = host::reference(service.namespace(), gateway);
            let hosts = service.spec().get("hosts").texts().map(|host| host::fqdn(service.namespace(), host));
            for host in hosts.collect::<BTreeSet<_>>() {
                claims.entry((gateway, host)).or_default().push(service);
            }
        }
    }
    for (place, services) in &claims {
        if services.len() > 1 && !messages.is_full() {
            check(place, services, messages);
        }
    }
}

/// A gateway lays the rules of all of them one behind the other, those of the oldest `VirtualService` first.
fn check<'m>((gateway, host): &Place<'_>, services: &[&'m Object], messages: &mut Messages<'m>) {
    let mut first: BTreeMap<String, &Object> = BTreeMap::new();
    for service in services {
        let mut shadowed: Option<(usize, &Object)> = None;
        let mut own = BTreeSet::new();
        for (rule, index) in service.spec().get("http").items().zip(0..) {
            let is_gateway = |name: &str| host::reference(service.namespace(), name) == *gateway;
            if !rule_applies_at(service, rule, is_gateway) {
                continue;
            }
            for wanted in wanted(rule) {
                match first.get(&wanted) {
                    Some(other) if shadowed.is_none() => shadowed = Some((index, other)),
                    Some(_) => {}
                    None => {
                        own.insert(wanted);
                    }
                }
            }
        }
        first.extend(own.into_iter().map(|wanted| (wanted, *service)));
        if let Some((index, other)) = shadowed {
            messages.report(rule_is_taken_already(service, index, other, (*gateway, host)));
        }
    }
}

/// The requests that a rule is for, in a form that can be compared: no match, and a match of every path, are all.
fn wanted(rule: View<'_>) -> Vec<String> {
    const ALL: &str = "";
    let matches = rule.get("match");
    if matches.is_empty() {
        return vec![ALL.to_owned()];
    }
    let all = matches.items().map(|it| {
        let mut wanted = it.to_json();
        if let Some(fields) = wanted.as_object_mut() {
            fields.retain(|key, _| key != "name" && key != "gateways");
        }
        let is_all = wanted == serde_json::json!({}) || wanted == serde_json::json!({"uri": {"prefix": "/"}});
        if is_all { ALL.to_owned() } else { wanted.to_string() }
    });
    all.collect()
}

fn rule_is_taken_already<'m>(
    service: &'m Object,
    rule: usize,
    other: &Object,
    ((namespace, name), host): ((&str, &str), &str),
) -> Message<'m> {
    let text = format!(
        "At Gateway {namespace}/{name}, http rule {rule} for {host} matches what a rule of {} matches, which is older and \
         goes first: this one gets no requests.",
        other.origin()
    );
    let remedy = format!(
        "Put the rules for {host} at {namespace}/{name} into one VirtualService, or give the rule of {} another match.",
        service.full_name()
    );
    let path = Path::spec().key("http").index(rule);
    Message::new(&NET0007, service, text).at(path).remedy(remedy)
}
