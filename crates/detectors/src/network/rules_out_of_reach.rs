//! Finds `DestinationRule`s that no proxy follows, and subsets that those who are routed to them do not know.

use std::collections::{BTreeMap, BTreeSet};

use super::followers::{followers, namespaces_with_proxies};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path, destinations};
use mesh::{DestinationRules, Kind, Mesh, Object, host};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/dr-not-visible",
        reads: &[
            Kind::DestinationRule,
            Kind::VirtualService,
            Kind::Gateway,
            Kind::Service,
            Kind::ServiceEntry,
            Kind::Pod,
            Kind::Namespace,
            Kind::MeshConfig,
        ],
        reports: &[&NET0006],
        by_default: true,
        run,
    },
};

static NET0006: Code = Code {
    id: "NET0006",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/best-practices/traffic-management/#cross-namespace-configuration-sharing",
    page: include_str!("pages/NET0006.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let populated = namespaces_with_proxies(mesh);
    let wildcards: Vec<&Object> = mesh
        .each(Kind::DestinationRule)
        .filter(|rule| rule.spec().get("host").text().starts_with('*') && populated.contains(rule.namespace()))
        .collect();
    for rule in mesh.each(Kind::DestinationRule) {
        let host = rule.spec().get("host").text();
        let home =
            mesh.hosts().look_up(rule.namespace(), std::iter::empty(), host).map(|known| known.object.namespace());
        let is_elsewhere =
            home.is_some_and(|home| home != rule.namespace()) && !mesh.is_root_namespace(rule.namespace());
        if let Some(home) = home.filter(|_| is_elsewhere && !populated.contains(rule.namespace())) {
            let full = host::fqdn(rule.namespace(), host);
            let covers = |other: &&&Object| host::is_subset(&full, other.spec().get("host").text());
            let own = wildcards.iter().filter(covers).find(|other| other.namespace() != home).copied();
            messages.report(nobody_follows(rule, host, home, own));
        }
    }
    check_routes(mesh, &populated, messages);
}

/// Whether those whom a `VirtualService` sends to a subset know it.
fn check_routes<'m>(mesh: &'m Mesh, populated: &BTreeSet<&'m str>, messages: &mut Messages<'m>) {
    let rules = DestinationRules::new(mesh);
    let defining = defining(mesh);
    for service in mesh.each(Kind::VirtualService) {
        let clients = followers(mesh, service, populated);
        for destination in destinations::of(mesh, service) {
            let subset = destination.view.get("subset").text();
            let host = host::fqdn(service.namespace(), destination.view.get("host").text());
            // Where nobody defines it, IST0101 says so.
            let Some(definitions) = defining.get(&(host.clone(), subset)) else { continue };
            let home = mesh.hosts().look_up(service.namespace(), std::iter::empty(), &host);
            let home = home.map(|known| known.object.namespace());
            let without: Vec<&str> = clients
                .iter()
                .copied()
                .filter(|client| !rules.for_host(client, &host, home).iter().any(|rule| defines(rule, subset)))
                .collect();
            if !without.is_empty() {
                let overruling = without.iter().find_map(|client| rules.for_host(client, &host, home).first().copied());
                let overruling = overruling.filter(|rule| without.contains(&rule.namespace()));
                let message = subset_is_not_known(service, (&host, subset), &without, (definitions, home, overruling));
                messages.report(message.at(destination.path));
            }
        }
    }
}

fn defines(rule: &Object, subset: &str) -> bool {
    rule.spec().get("subsets").items().any(|it| it.get("name").text() == subset)
}

/// The rules that define a subset of a host.
fn defining(mesh: &Mesh) -> BTreeMap<(String, &str), Vec<&Object>> {
    let mut defining: BTreeMap<(String, &str), Vec<&Object>> = BTreeMap::new();
    for rule in mesh.each(Kind::DestinationRule) {
        let host = host::fqdn(rule.namespace(), rule.spec().get("host").text());
        for subset in rule.spec().get("subsets").items().map(|subset| subset.get("name").text()) {
            defining.entry((host.clone(), subset)).or_default().push(rule);
        }
    }
    defining
}

/// `own` is a rule for all hosts, which proxies of its namespace take before any of the service's namespace.
fn nobody_follows<'m>(rule: &'m Object, host: &str, home: &str, own: Option<&Object>) -> Message<'m> {
    let namespace = rule.namespace();
    let text = format!(
        "No proxy follows this rule for {host}: it is in namespace {namespace}, which is neither that of the service \
         ({home}) nor the root namespace, and no pod of {namespace} has a proxy."
    );
    let and_there = own.map_or_else(String::new, |own| {
        format!(" Proxies of namespace {} take {} before it: put a copy there as well.", own.namespace(), own.origin())
    });
    let remedy = format!("Move DestinationRule {} into namespace {home}.{and_there}", rule.full_name());
    Message::new(&NET0006, rule, text).at(Path::spec().key("host")).remedy(remedy)
}

fn subset_is_not_known<'m>(
    service: &'m Object,
    (host, subset): (&str, &str),
    clients: &[&str],
    (definitions, home, overruling): (&[&Object], Option<&str>, Option<&Object>),
) -> Message<'m> {
    let names: Vec<String> = definitions.iter().map(|rule| rule.origin()).collect();
    let text = format!(
        "Subset {subset} of {host} is defined by {}, which proxies in namespace {} do not follow: requests that this \
         route sends there fail with 503 NC.",
        names.join(", "),
        clients.join(", ")
    );
    let place = home.map_or_else(String::new, |home| format!(" into namespace {home}, that of the service,"));
    let remedy = if let Some(overruling) = overruling {
        format!(
            "Proxies of namespace {} look there first and take {}. Create a DestinationRule for host {host} with subset {subset} \
             in that namespace; one in the service's namespace does not help.",
            overruling.namespace(),
            overruling.origin()
        )
    } else {
        format!(
            "Put the rule with subset {subset}{place} and export it to {} (exportTo), or to all by leaving exportTo out.",
            clients.join(", ")
        )
    };
    Message::new(&NET0006, service, text).remedy(remedy)
}
