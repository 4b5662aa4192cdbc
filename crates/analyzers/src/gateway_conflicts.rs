//! Finds Gateways that claim the same host on the same port of the same proxies.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::shared::{IST0101, reference_not_found, selector_path};
use super::{Analyzer, Message, Messages, remedies};
use mesh::{Kind, Mesh, Object, View, labels};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "gateway.ConflictingGatewayAnalyzer",
    reads: &[Kind::Gateway, Kind::Pod],
    reports: &[&IST0101, &IST0145],
    by_default: true,
    run,
};

static IST0145: Code = Code {
    id: "IST0145",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0145/",
    page: include_str!("pages/IST0145.md"),
};

/// Who claims a host, by selector and port: the Gateway and the address that it binds to.
type Claims<'m> = HashMap<(&'m str, i64), HashMap<&'m str, Vec<(usize, &'m str)>>>;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let gateways: Vec<&Object> = mesh.each(Kind::Gateway).collect();
    let texts: Vec<String> =
        gateways.iter().map(|gateway| labels::selector_text(gateway.spec().get("selector"))).collect();
    let claims = claims(&gateways, &texts, mesh.is_compatible());
    let served: HashSet<&str> = claims.keys().map(|(text, _)| *text).collect();
    let related = related_selectors(mesh, &gateways, &texts);
    for (index, gateway) in gateways.iter().enumerate() {
        let text = texts[index].as_str();
        let others = related.get(text);
        let candidates: Vec<&str> = std::iter::once(text)
            .chain(others.into_iter().flatten().copied())
            .filter(|candidate| served.contains(candidate))
            .collect();
        if !text.is_empty() && candidates.is_empty() {
            let selector = gateway.spec().get("selector");
            let missing = reference_not_found(gateway, "selector", text).at(selector_path(selector));
            let remedy = || remedies::gateway_selector(mesh, selector);
            messages.report(missing.remedy_unless(mesh.is_compatible(), remedy));
            continue;
        }
        for server in gateway.spec().get("servers").items() {
            let port = server.path(&["port", "number"]).integer();
            let bind = server.get("bind").text();
            let mut conflicting: BTreeSet<usize> = BTreeSet::new();
            for hosts in candidates.iter().filter_map(|candidate| claims.get(&(*candidate, port))) {
                for claim in server.get("hosts").texts().filter_map(|host| hosts.get(host)).flatten() {
                    if claim.0 != index && claim.1 == bind {
                        conflicting.insert(claim.0);
                    }
                }
            }
            if !conflicting.is_empty() {
                let names: BTreeSet<String> =
                    conflicting.into_iter().map(|other| gateways[other].full_name()).collect();
                messages.report(hosts_are_claimed_twice(gateway, &names, text, server));
            }
        }
    }
}

fn claims<'m>(gateways: &[&'m Object], texts: &'m [String], compatible: bool) -> Claims<'m> {
    let mut claims = Claims::new();
    for (index, gateway) in gateways.iter().enumerate() {
        let mut by_port: BTreeMap<i64, Vec<View<'m>>> = BTreeMap::new();
        for server in gateway.spec().get("servers").items() {
            let servers = by_port.entry(server.path(&["port", "number"]).integer()).or_default();
            // Of several servers on one port, `istioctl` remembers the last.
            if compatible {
                servers.clear();
            }
            servers.push(server);
        }
        for (port, servers) in by_port {
            let hosts = claims.entry((texts[index].as_str(), port)).or_default();
            for server in servers {
                for host in server.get("hosts").texts() {
                    hosts.entry(host).or_default().push((index, server.get("bind").text()));
                }
            }
        }
    }
    claims
}

/// A label and its value.
type Pair<'m> = (&'m str, &'m str);

/// Selectors of which one's text contains the other's, and that have a pod in common. Found from the pods, of which
/// each matches few selectors, and not by comparing every selector with every other.
fn related_selectors<'m>(
    mesh: &Mesh,
    gateways: &[&'m Object],
    texts: &'m [String],
) -> BTreeMap<&'m str, BTreeSet<&'m str>> {
    let selectors: BTreeMap<&str, View<'m>> = std::iter::zip(texts, gateways)
        .map(|(text, gateway)| (text.as_str(), gateway.spec().get("selector")))
        .collect();
    let mut related: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    if selectors.len() < 2 {
        return related;
    }
    let mut by_first_pair: HashMap<Option<Pair<'m>>, Vec<(&'m str, View<'m>)>> = HashMap::new();
    for (text, selector) in selectors {
        let first = selector.entries().next().map(|(key, value)| (key, value.written()));
        by_first_pair.entry(first).or_default().push((text, selector));
    }
    let mut seen: HashSet<Vec<&str>> = HashSet::new();
    for pod in mesh.each(Kind::Pod) {
        let pairs = pod.labels().entries().map(|(key, value)| Some((key, value.written())));
        let candidates = pairs.chain([None]).filter_map(|pair| by_first_pair.get(&pair)).flatten();
        let matching: Vec<&str> = candidates
            .filter(|(_, selector)| labels::matches(*selector, pod.labels()))
            .map(|(text, _)| *text)
            .collect();
        if matching.len() < 2 || !seen.insert(matching.clone()) {
            continue;
        }
        for a in &matching {
            let relatives = matching.iter().filter(|b| *b != a && (a.contains(**b) || b.contains(*a)));
            related.entry(a).or_default().extend(relatives);
        }
    }
    related
}

fn hosts_are_claimed_twice<'m>(
    gateway: &'m Object,
    others: &BTreeSet<String>,
    selector: &str,
    server: View<'_>,
) -> Message<'m> {
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let others = others.join(",");
    let port = server.path(&["port", "number"]).integer();
    let hosts: Vec<&str> = server.get("hosts").texts().collect();
    let hosts = hosts.join(",");
    let text = format!("Conflict with gateways {others} (workload selector {selector}, port {port}, hosts {hosts}).");
    Message::new(&IST0145, gateway, text)
}
