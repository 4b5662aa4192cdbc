//! Which requests end differently after a change: two pictures of one mesh, asked the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::answer::{Decided, Ending};
use crate::matrix::{Cell, Matrix, Target};
use crate::network::Network;
use crate::request::{Caller, Client, Request};
use mesh::{Kind, Mesh, Object, host};

/// An object that is new, changed or gone.
#[derive(Debug, Clone)]
pub struct ChangedObject<'m> {
    pub before: Option<&'m Object>,
    pub after: Option<&'m Object>,
}

impl<'m> ChangedObject<'m> {
    /// As it will be, or as it was where it will be gone.
    pub fn object(&self) -> Option<&'m Object> {
        self.after.or(self.before)
    }

    fn versions(&self) -> impl Iterator<Item = &'m Object> {
        self.before.into_iter().chain(self.after)
    }
}

/// Requests of some callers that end differently.
#[derive(Debug, Clone)]
pub struct Difference<'m> {
    /// `namespace/workload`, or `outside`.
    pub callers: Vec<String>,
    pub request: Request,
    pub before: Cell,
    pub after: Cell,
    /// What decides it after the change, or, where it then works, what decided it before.
    pub decided_by: Option<Decided>,
    /// The changed object behind it.
    pub changed: Option<&'m Object>,
}

impl Difference<'_> {
    /// Whether requests that worked would fail.
    pub fn breaks(&self) -> bool {
        self.before.good_percent > self.after.good_percent + 0.001
    }

    /// Whether requests that failed would work.
    pub fn mends(&self) -> bool {
        self.after.good_percent > self.before.good_percent + 0.001
    }
}

/// What differs between two pictures of a mesh. Objects that neither picture has changed are the same ones in both.
pub fn changes<'m>(before: &'m Mesh, after: &'m Mesh) -> Vec<ChangedObject<'m>> {
    let mut changed = Vec::new();
    for kind in Kind::readable() {
        let (old, new) = (before.each_shared(kind), after.each_shared(kind));
        let same: HashMap<*const Object, ()> = old.iter().map(|object| (Arc::as_ptr(object), ())).collect();
        let fresh = new.iter().filter(|object| !same.contains_key(&Arc::as_ptr(object)));
        let kept: HashMap<*const Object, ()> = new.iter().map(|object| (Arc::as_ptr(object), ())).collect();
        let mut names = BTreeSet::new();
        for object in fresh {
            let earlier = before.find(kind, object.namespace(), object.name());
            names.insert((object.namespace(), object.name()));
            if earlier.is_none_or(|earlier| earlier.root().to_json() != object.root().to_json()) {
                changed.push(ChangedObject { before: earlier, after: Some(object.as_ref()) });
            }
        }
        let gone = old.iter().filter(|object| !kept.contains_key(&Arc::as_ptr(object)));
        for object in gone.filter(|object| !names.contains(&(object.namespace(), object.name()))) {
            changed.push(ChangedObject { before: Some(object.as_ref()), after: None });
        }
    }
    changed
}

/// What a change may touch.
#[derive(Debug, Default)]
struct Reach {
    /// Every target, for every caller.
    all: bool,
    /// Hosts, also with wildcards, for every caller.
    hosts: BTreeSet<String>,
    /// Namespaces whose callers may fare differently everywhere.
    callers: BTreeSet<String>,
    /// What comes in through gateways.
    outside: bool,
}

impl<'m> Network<'m> {
    fn reach_of(&self, object: &'m Object, reach: &mut Reach) {
        let spec = object.spec();
        let own = |name: &str| host::fqdn(object.namespace(), name);
        match object.kind() {
            Kind::VirtualService | Kind::ServiceEntry => {
                reach.hosts.extend(spec.get("hosts").texts().map(own));
                reach.outside |= !spec.get("gateways").is_empty();
            }
            Kind::DestinationRule => {
                reach.hosts.insert(own(spec.get("host").text()));
                reach.outside = true;
            }
            Kind::Service => {
                reach.hosts.insert(own(object.name()));
                reach.outside = true;
            }
            Kind::Sidecar if self.mesh.is_root_namespace(object.namespace()) => reach.all = true,
            Kind::Sidecar => {
                reach.callers.insert(object.namespace().to_owned());
            }
            Kind::PeerAuthentication | Kind::AuthorizationPolicy | Kind::RequestAuthentication | Kind::WasmPlugin => {
                for pod in self.mesh.pods_under(object) {
                    let services = self.mesh.services_selecting(pod.namespace(), pod.labels());
                    reach
                        .hosts
                        .extend(services.into_iter().map(|service| host::fqdn(service.namespace(), service.name())));
                }
                reach.outside = true;
            }
            Kind::Gateway
            | Kind::KubernetesGateway
            | Kind::TlsRoute
            | Kind::TcpRoute
            | Kind::ReferenceGrant
            | Kind::Secret => {
                reach.outside = true;
            }
            Kind::HttpRoute | Kind::GrpcRoute => {
                reach.outside = true;
                let parents = spec.field("parentRefs").items();
                let services = parents.filter(|parent| parent.get("kind").text() == "Service");
                reach.hosts.extend(services.map(|parent| {
                    let namespace = parent.get("namespace").text_if_any().unwrap_or(object.namespace());
                    host::fqdn(namespace, parent.get("name").text())
                }));
            }
            Kind::Namespace | Kind::ConfigMap | Kind::Pod | Kind::EnvoyFilter => reach.all = true,
            _ => {}
        }
    }
}

/// Whether a changed object may have to do with a request.
fn concerns(changed: &ChangedObject<'_>, network: &Network<'_>, request: &Request, caller: &Caller<'_>) -> bool {
    changed.versions().any(|object| {
        let spec = object.spec();
        let named = |name: &str| host::is_subset(&request.host, &host::fqdn(object.namespace(), name));
        match object.kind() {
            Kind::VirtualService | Kind::ServiceEntry => spec.get("hosts").texts().any(named),
            Kind::DestinationRule => named(spec.get("host").text()),
            Kind::Service => named(object.name()),
            Kind::Sidecar => {
                object.namespace() == caller.namespace() || network.mesh.is_root_namespace(object.namespace())
            }
            _ => true,
        }
    })
}

/// Which requests would end differently, those that would break first. `seen` are requests really made: their caller, and what
/// they asked for.
pub fn impact<'m>(
    before: &Network<'m>,
    after: &Network<'m>,
    changed: &[ChangedObject<'m>],
    seen: &[(String, Request)],
) -> Vec<Difference<'m>> {
    let mut reach = Reach::default();
    for object in changed.iter().flat_map(ChangedObject::versions) {
        let is_new = changed.iter().any(|it| it.after.is_some_and(|after| std::ptr::eq(after, object)));
        if is_new { after.reach_of(object, &mut reach) } else { before.reach_of(object, &mut reach) }
    }
    let mut differences = Vec::new();
    let all_callers: Vec<Caller<'m>> = before.callers();
    let targets = targets(before, after, &reach, seen);
    // What changes for some callers everywhere, and what changes for all of them somewhere.
    let narrow: Vec<Caller<'m>> =
        all_callers.iter().filter(|caller| reach.callers.contains(caller.namespace())).copied().collect();
    for (callers, wanted) in [(&all_callers, true), (&narrow, false)] {
        let wanted: Vec<Request> = targets
            .iter()
            .filter(|request| {
                (reach.all || reach.hosts.iter().any(|own| host::is_subset(&request.host, own))) == wanted
            })
            .cloned()
            .collect();
        if !callers.is_empty() && !wanted.is_empty() {
            compare(before, after, changed, callers, &wanted, &mut differences);
        }
    }
    if reach.outside || reach.all {
        let mut requests = before.outside_examples();
        requests.extend(
            after.outside_examples().into_iter().filter(|request| !requests.contains(request)).collect::<Vec<_>>(),
        );
        compare_outside(before, after, changed, &requests, &mut differences);
    }
    differences.sort_by_key(|difference| {
        (!difference.breaks(), difference.request.host.clone(), difference.request.path.clone())
    });
    differences
}

/// The requests to ask about: examples of both pictures for the targets within reach, and those that were made.
fn targets<'m>(before: &Network<'m>, after: &Network<'m>, reach: &Reach, seen: &[(String, Request)]) -> Vec<Request> {
    let everything = reach.all || !reach.callers.is_empty();
    let mut requests: Vec<Request> = Vec::new();
    for network in [before, after] {
        for target in network.targets() {
            let base = target.request;
            if everything || reach.hosts.iter().any(|own| host::is_subset(&base.host, own)) {
                let examples = if reach.hosts.iter().any(|own| host::is_subset(&base.host, own)) {
                    network.examples(&base)
                } else {
                    vec![base]
                };
                requests.extend(examples.into_iter().filter(|request| !requests.contains(request)).collect::<Vec<_>>());
            }
        }
    }
    let made = seen.iter().map(|(_, request)| request);
    let within = made.filter(|request| everything || reach.hosts.iter().any(|own| host::is_subset(&request.host, own)));
    for request in within {
        if !requests.contains(request) {
            requests.push(request.clone());
        }
    }
    requests
}

fn compare<'m>(
    before: &Network<'m>,
    after: &Network<'m>,
    changed: &[ChangedObject<'m>],
    callers: &[Caller<'m>],
    requests: &[Request],
    differences: &mut Vec<Difference<'m>>,
) {
    let same = |network: &Network<'m>| -> Vec<Client<'m>> {
        let found = callers.iter().map(|caller| {
            let pod = network.mesh.find(caller.object.kind(), caller.object.namespace(), caller.object.name());
            Client::Inside(pod.map_or(*caller, Caller::of_pod))
        });
        found.collect()
    };
    let as_targets = |network: &Network<'m>| -> Vec<Target<'m>> {
        requests
            .iter()
            .map(|request| Target { object: None, request: request.clone() })
            .inspect(|_| _ = network)
            .collect()
    };
    let old = before.matrix(&same(before), &as_targets(before));
    let new = after.matrix(&same(after), &as_targets(after));
    for (index, request) in requests.iter().enumerate() {
        // Callers that fare alike are told together.
        let mut grouped: BTreeMap<String, Difference<'m>> = BTreeMap::new();
        for (place, caller) in callers.iter().enumerate() {
            let (was, will) = (old.columns[index][place], new.columns[index][place]);
            if !differs(&was, &will) {
                continue;
            }
            let decided = decider(&old, &new, &was, &will);
            let behind = changed.iter().filter(|it| concerns(it, after, request, caller));
            let behind = behind.filter_map(ChangedObject::object);
            let named = behind.clone().find(|object| {
                decided.as_ref().is_some_and(|by| by.name == object.name() && by.kind == object.kind().name())
            });
            let object = named.or_else(|| behind.clone().next());
            let key = format!("{was:?}{will:?}{decided:?}");
            let difference = grouped.entry(key).or_insert_with(|| Difference {
                callers: Vec::new(),
                request: request.clone(),
                before: was,
                after: will,
                decided_by: decided,
                changed: object,
            });
            difference.callers.push(caller.name(before.mesh));
        }
        differences.extend(grouped.into_values());
    }
}

fn compare_outside<'m>(
    before: &Network<'m>,
    after: &Network<'m>,
    changed: &[ChangedObject<'m>],
    requests: &[Request],
    differences: &mut Vec<Difference<'m>>,
) {
    let client = [Client::Outside { address: None }];
    let targets: Vec<Target<'m>> =
        requests.iter().map(|request| Target { object: None, request: request.clone() }).collect();
    let (old, new) = (before.matrix(&client, &targets), after.matrix(&client, &targets));
    for (index, request) in requests.iter().enumerate() {
        let (was, will) = (old.columns[index][0], new.columns[index][0]);
        if differs(&was, &will) {
            let decided_by = decider(&old, &new, &was, &will);
            let behind = changed.iter().filter_map(ChangedObject::object);
            let named = behind.clone().find(|object| {
                decided_by.as_ref().is_some_and(|by| by.name == object.name() && by.kind == object.kind().name())
            });
            let object = named.or_else(|| behind.clone().next());
            let callers = vec!["outside".to_owned()];
            differences.push(Difference {
                callers,
                request: request.clone(),
                before: was,
                after: will,
                decided_by,
                changed: object,
            });
        }
    }
}

/// A name that nothing resolves is the same before and after, whatever stands behind it.
fn differs(was: &Cell, will: &Cell) -> bool {
    let key = |cell: &Cell| (cell.ending, cell.answered_by, cell.flag, cell.reaches, cell.confidence);
    key(was) != key(will) && !(was.ending == Ending::NoName && will.ending == Ending::NoName)
}

fn decider(old: &Matrix, new: &Matrix, was: &Cell, will: &Cell) -> Option<Decided> {
    let of = |matrix: &Matrix, cell: &Cell| cell.decider.and_then(|place| matrix.deciders.get(place as usize).cloned());
    of(new, will).or_else(|| of(old, was))
}
