//! Finds rules of `VirtualService`s that get no requests, because one that goes before takes them all.

use std::collections::BTreeMap;

use super::requests::{Requests, covers_tcp, covers_tls};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::virtual_services::{SIDECARS, is_for_mesh};
use mesh::{Kind, Mesh, Object, View, host};
use report::{Code, Severity};

/// Equal matches are IST0130 and IST0131, and at one gateway NET0007.
pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/route-shadowed",
        reads: &[Kind::VirtualService],
        reports: &[&NET0027],
        by_default: true,
        run,
    },
};

static NET0027: Code = Code {
    id: "NET0027",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPMatchRequest",
    page: include_str!("pages/NET0027.md"),
};

/// Comparisons of all matches in one run. No mesh that somebody runs comes near this.
const MOST: usize = 2_000_000;

/// A match of a rule, and where it stands.
struct Match<'m> {
    service: &'m Object,
    rule: usize,
    position: usize,
    requests: Requests<'m>,
    gateways: Vec<&'m str>,
}

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut left = MOST;
    let mut by_gateway: BTreeMap<((&str, &str), String), Vec<&Object>> = BTreeMap::new();
    for service in mesh.each(Kind::VirtualService) {
        check_connections(service, "tls", covers_tls, &mut left, messages);
        check_connections(service, "tcp", covers_tcp, &mut left, messages);
        check(&matches(service), &mut left, messages);
        for gateway in service.spec().get("gateways").texts().filter(|gateway| *gateway != SIDECARS) {
            for name in service.spec().get("hosts").texts() {
                let place = (host::reference(service.namespace(), gateway), host::fqdn(service.namespace(), name));
                by_gateway.entry(place).or_default().push(service);
            }
        }
    }
    for mut services in by_gateway.into_values().filter(|services| services.len() > 1) {
        // A gateway lays the rules of all of them one behind the other, the oldest first, and catch-alls last.
        services.sort_by_key(|service| service.age());
        services.dedup_by_key(|service| service.age());
        let all: Vec<Match<'_>> = services.into_iter().flat_map(matches).collect();
        let specific: Vec<Match<'_>> = all.into_iter().filter(|it| !it.requests.is_catch_all()).collect();
        check_between(&specific, &mut left, messages);
    }
}

/// The matches of a `VirtualService` in order. Rules that hand over to a delegate take only what that one takes.
fn matches(service: &Object) -> Vec<Match<'_>> {
    let whole: Vec<&str> = service.spec().get("gateways").texts().collect();
    let whole = if is_for_mesh(service) && whole.is_empty() { vec![SIDECARS] } else { whole };
    let mut found = Vec::new();
    for (rule, index) in service.spec().get("http").items().zip(0..) {
        if rule.get("delegate").is_set() {
            continue;
        }
        for (it, position) in rule.get("match").items().zip(0..) {
            let own: Vec<&str> = it.get("gateways").texts().collect();
            let gateways = if own.is_empty() { whole.clone() } else { own };
            found.push(Match { service, rule: index, position, requests: Requests::of(it), gateways });
        }
    }
    found
}

/// Within one `VirtualService`.
fn check<'m>(matches: &[Match<'m>], left: &mut usize, messages: &mut Messages<'m>) {
    for (index, later) in matches.iter().enumerate() {
        let earlier = matches[..index].iter().filter(|earlier| earlier.rule < later.rule);
        let is_at_all = |earlier: &&Match<'_>| later.gateways.iter().all(|it| earlier.gateways.contains(it));
        report_first(earlier.filter(is_at_all), later, left, messages);
    }
}

/// Between several at one gateway.
fn check_between<'m>(matches: &[Match<'m>], left: &mut usize, messages: &mut Messages<'m>) {
    for (index, later) in matches.iter().enumerate() {
        let earlier = matches[..index].iter().filter(|earlier| earlier.service.age() != later.service.age());
        report_first(earlier, later, left, messages);
    }
}

fn report_first<'e, 'm: 'e>(
    mut earlier: impl Iterator<Item = &'e Match<'m>>,
    later: &Match<'m>,
    left: &mut usize,
    messages: &mut Messages<'m>,
) {
    let found = earlier.find(|earlier| {
        *left = left.saturating_sub(1);
        *left > 0 && earlier.requests.covers(&later.requests)
    });
    // Equal ones are told elsewhere.
    if let Some(earlier) = found.filter(|earlier| !earlier.requests.is_same_as(&later.requests)) {
        messages.report(rule_gets_no_requests(earlier, later));
    }
}

fn check_connections<'m>(
    service: &'m Object,
    kind: &'static str,
    covers: fn(View<'_>, View<'_>) -> bool,
    left: &mut usize,
    messages: &mut Messages<'m>,
) {
    let rules = service.spec().get(kind).items().zip(0..);
    let all: Vec<(usize, View<'_>)> =
        rules.flat_map(|(rule, index)| rule.get("match").items().map(move |it| (index, it))).collect();
    for (place, (later, other)) in all.iter().enumerate() {
        let found = all[..place].iter().find(|(earlier, own)| {
            *left = left.saturating_sub(1);
            let own_gateways = own.get("gateways");
            let is_at_all = own_gateways.is_empty() || own_gateways.to_json() == other.get("gateways").to_json();
            *left > 0 && earlier < later && is_at_all && covers(*own, *other) && own.to_json() != other.to_json()
        });
        if let Some((earlier, own)) = found {
            messages.report(connections_are_taken(service, kind, (*earlier, *own), (*later, *other)));
        }
    }
}

fn rule_gets_no_requests<'m>(earlier: &Match<'_>, later: &Match<'m>) -> Message<'m> {
    let is_one = earlier.service.full_name() == later.service.full_name();
    let other = if is_one { String::new() } else { format!(" of the older {}", earlier.service.origin()) };
    let text = format!(
        "http rule {}, match {} ({}) gets no requests: rule {}{other} ({}) goes first and takes them. A prefix is one of the \
         text, not of path segments.",
        later.rule,
        later.position,
        later.requests.words(),
        earlier.rule,
        earlier.requests.words(),
    );
    let remedy = if is_one {
        format!(
            "In VirtualService {}, move http rule {} before rule {}: the first match wins.",
            later.service.full_name(),
            later.rule,
            earlier.rule
        )
    } else {
        format!(
            "Put the rules of {} and {} into one VirtualService, with ({}) before ({}): of several at one gateway, the rules of \
             the oldest go first.",
            earlier.service.origin(),
            later.service.origin(),
            later.requests.words(),
            earlier.requests.words()
        )
    };
    let path = Path::spec().key("http").index(later.rule).key("match").index(later.position);
    Message::new(&NET0027, later.service, text).at(path).remedy(remedy)
}

fn connections_are_taken<'m>(
    service: &'m Object,
    kind: &'static str,
    (earlier, own): (usize, View<'_>),
    (later, other): (usize, View<'_>),
) -> Message<'m> {
    let words = |it: View<'_>| {
        let names = it.field("sniHosts").texts().collect::<Vec<_>>().join(", ");
        let port = it.get("port").written();
        match (names.is_empty(), port.is_empty()) {
            (false, true) => format!("SNI {names}"),
            (false, false) => format!("SNI {names}, port {port}"),
            (true, false) => format!("port {port}"),
            (true, true) => "every port".to_owned(),
        }
    };
    let text = format!(
        "{kind} rule {later} ({}) gets no connections: rule {earlier} ({}) goes first and takes them.",
        words(other),
        words(own)
    );
    let remedy = format!("In VirtualService {}, move {kind} rule {later} before rule {earlier}.", service.full_name());
    Message::new(&NET0027, service, text).at(Path::spec().key(kind).index(later)).remedy(remedy)
}
