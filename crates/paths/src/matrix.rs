//! Who reaches whom: every caller against every target, a million pairs in a second or two.
//!
//! What a client's side does depends on few things of the client: what its proxy knows, a few annotations, sometimes its labels
//! or its zone. Callers that have these in common go that part of the way once for each target; only the far side, which asks
//! who they are, is asked for each of them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::answer::{Answerer, Confidence, Decided, Ending};
use crate::network::Network;
use crate::request::{Caller, Client, Protocol, Request};
use crate::services::{Sort, locality_of};
use crate::trail::{Branches, By, End, Trail};
use mesh::{Kind, Object, is_gateway};

/// A port of a host that requests may go to.
#[derive(Debug, Clone)]
pub struct Target<'m> {
    /// The Service or `ServiceEntry`, where it is one.
    pub object: Option<&'m Object>,
    pub request: Request,
}

/// What happens to requests of one caller to one target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// How most of those end that fail, or how all end.
    pub ending: Ending,
    pub answered_by: Answerer,
    pub flag: Option<&'static str>,
    /// How many of a hundred get through.
    pub good_percent: f32,
    pub confidence: Confidence,
    /// Stands for the workloads that they reach, and in which parts.
    pub reaches: u64,
    /// The place of the object that makes them fail, among the matrix's `deciders`.
    pub decider: Option<u32>,
}

impl Cell {
    /// Whether all requests get through.
    pub fn is_good(&self) -> bool {
        self.good_percent >= 99.999
    }
}

/// Every caller against every target.
#[derive(Debug)]
pub struct Matrix {
    /// By targets, and within each by callers.
    pub columns: Vec<Vec<Cell>>,
    pub deciders: Vec<Decided>,
}

impl<'m> Network<'m> {
    /// Every port that a Service or a `ServiceEntry` offers, with the plainest request to it.
    pub fn targets(&self) -> Vec<Target<'m>> {
        let services = self.services.iter().filter(|service| !matches!(service.sort, Sort::Alias(_)));
        let named = services.filter(|service| !service.host.starts_with('*'));
        let targets = named.flat_map(|service| {
            service.ports.iter().map(|port| {
                let mut request = Request::http(&service.host, port.number);
                request.protocol = match port.protocol {
                    Some("HTTPS" | "TLS") => Protocol::Tls,
                    Some(_) if !port.is_http() => Protocol::Tcp,
                    Some(_) | None => Protocol::Http,
                };
                Target { object: Some(service.object), request }
            })
        });
        targets.collect()
    }

    /// Every workload that sends: one pod for each, those without a sidecar and gateways too.
    pub fn callers(&self) -> Vec<Caller<'m>> {
        let workloads = self.mesh.workloads();
        let pods = workloads
            .into_iter()
            .filter_map(|(_, pods)| pods.iter().find(|pod| mesh::is_ready(pod)).or(pods.first()).copied());
        pods.map(Caller::of_pod).collect()
    }

    /// What happens between all of them.
    pub fn matrix(&self, callers: &[Client<'m>], targets: &[Target<'m>]) -> Matrix {
        let classes = self.classes(callers);
        let columns = threads::share_out(targets, |target| self.column(callers, &classes, &target.request));
        let mut matrix = Matrix { columns: Vec::with_capacity(columns.len()), deciders: Vec::new() };
        let mut places: HashMap<Decided, u32> = HashMap::new();
        for (mut cells, deciders) in columns {
            let global: Vec<u32> = deciders.iter().map(|by| matrix.place_of(&mut places, by.decided())).collect();
            for cell in &mut cells {
                cell.decider = cell.decider.and_then(|place| global.get(place as usize).copied());
            }
            matrix.columns.push(cells);
        }
        matrix
    }

    /// One target, for all callers; deciders by their places in the list beside it.
    fn column(&self, callers: &[Client<'m>], classes: &[usize], request: &Request) -> (Vec<Cell>, Vec<By<'m>>) {
        let mut of_class: HashMap<usize, Branches<'m>> = HashMap::new();
        let mut deciders: Vec<By<'m>> = Vec::new();
        let cells = callers.iter().zip(classes).map(|(client, class)| {
            let branches = of_class.entry(*class).or_insert_with(|| {
                let trail = if matches!(client, Client::Inside(_)) { Trail::deferred() } else { Trail::default() };
                self.ways(client, request, trail)
            });
            let mut sum = Sum::default();
            for branch in branches.iter() {
                match (&branch.end.pending, client) {
                    (Some(pending), Client::Inside(caller)) => {
                        let mut arrival = pending.arrival.clone();
                        // The pod behind a gateway meets the gateway, whoever calls.
                        if arrival.source.is_some_and(|source| !is_gateway(source.object)) {
                            arrival.source = Some(*caller);
                            arrival.address = caller.address();
                        }
                        for way in self.meet(pending.pod, &arrival, &pending.request, branch.trail.resumed()) {
                            let end = pending.relays.iter().fold(way.end, |end, relay| relay.hand_back(end));
                            sum.add(branch.share * way.share, &end, way.trail.confidence());
                        }
                    }
                    _ => sum.add(branch.share, &branch.end, branch.trail.confidence()),
                }
            }
            sum.cell(&mut deciders)
        });
        (cells.collect(), deciders)
    }

    /// The class of each caller: those with the same number fare alike on the client's side.
    fn classes(&self, callers: &[Client<'m>]) -> Vec<usize> {
        let services = self.mesh.each(Kind::VirtualService);
        let by_labels = services.into_iter().any(|service| {
            let rules = ["http", "tcp", "tls"].into_iter().flat_map(|field| service.spec().get(field).items());
            rules.flat_map(|rule| rule.get("match").items()).any(|it| it.field("sourceLabels").is_set())
        });
        let by_locality = self.mesh.each(Kind::DestinationRule).any(|rule| {
            let policies = std::iter::once(rule.spec()).chain(rule.spec().get("subsets").items());
            policies.into_iter().any(|it| it.path(&["trafficPolicy", "loadBalancer", "localityLbSetting"]).is_set())
        });
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut class_of = |key: String| {
            let next = numbers.len();
            *numbers.entry(key).or_insert(next)
        };
        let classes = callers.iter().enumerate().map(|(index, client)| {
            let Client::Inside(caller) = client else { return class_of(format!("outside {index}")) };
            let scope = std::sync::Arc::as_ptr(&self.scope_of(caller)) as usize;
            let mut key = format!("{scope} {} {}", caller.has_proxy, is_gateway(caller.object));
            for (name, value) in caller.workload.annotations.entries() {
                if name.starts_with("traffic.sidecar.istio.io/") {
                    let _ = write!(key, " {name}={}", value.written());
                }
            }
            if by_locality {
                key.push_str(&locality_of(self.mesh, caller.object));
            }
            if by_labels {
                key.push_str(&mesh::labels::selector_text(caller.workload.labels));
            }
            if !self.facts.ejected.is_empty() {
                key.push_str(&caller.object.full_name());
            }
            class_of(key)
        });
        classes.collect()
    }
}

impl Matrix {
    fn place_of(&mut self, places: &mut HashMap<Decided, u32>, decided: Decided) -> u32 {
        *places.entry(decided).or_insert_with_key(|decided| {
            self.deciders.push(decided.clone());
            // A mesh has far fewer objects.
            u32::try_from(self.deciders.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

/// The ways of one pair, added up.
#[derive(Default)]
struct Sum<'m> {
    good: f64,
    worst: Option<(f64, End<'m>)>,
    best: Option<End<'m>>,
    confidence: Option<Confidence>,
    reaches: u64,
}

impl<'m> Sum<'m> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is from 0 to 1")]
    fn add(&mut self, share: f64, end: &End<'m>, confidence: Confidence) {
        self.confidence = self.confidence.max(Some(confidence));
        if let Some(object) = end.reaches {
            let mut hasher = DefaultHasher::new();
            (object.namespace(), object.name(), (share * 1000.0).round() as u64).hash(&mut hasher);
            // In whatever order the ways come.
            self.reaches = self.reaches.wrapping_add(hasher.finish());
        }
        if end.ending.is_good() {
            self.good += share;
            self.best.get_or_insert_with(|| end.clone());
        } else if self.worst.as_ref().is_none_or(|(other, _)| share > *other) {
            self.worst = Some((share, end.clone()));
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a percentage for people")]
    fn cell(self, deciders: &mut Vec<By<'m>>) -> Cell {
        let shown = self.worst.map(|(_, end)| end).or(self.best);
        let by = shown.as_ref().and_then(|end| end.decided.clone()).filter(|_| self.good < 0.999_99);
        let decider = by.map(|by| {
            let is_same = |other: &By<'_>| std::ptr::eq(other.object, by.object) && other.field == by.field;
            let place = deciders.iter().position(is_same).unwrap_or_else(|| {
                deciders.push(by.clone());
                deciders.len() - 1
            });
            u32::try_from(place).unwrap_or(u32::MAX)
        });
        Cell {
            ending: shown.as_ref().map_or(Ending::NoName, |end| end.ending),
            answered_by: shown.as_ref().map_or(Answerer::Nobody, |end| end.by),
            flag: shown.as_ref().and_then(|end| end.flag),
            good_percent: (self.good * 100.0) as f32,
            reaches: self.reaches,
            confidence: self.confidence.unwrap_or(Confidence::Unknown),
            decider,
        }
    }
}
