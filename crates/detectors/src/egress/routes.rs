//! How `VirtualServices` lead traffic for outside hosts through gateways of the mesh: one rule sends it from sidecars to the
//! Service of a gateway, another from the gateway to the host
//! (<https://istio.io/latest/docs/tasks/traffic-management/egress/egress-gateway/>).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use analyzers::Path;
use mesh::virtual_services::{SIDECARS, rule_applies_at};
use mesh::{HostIndex, Kind, Mesh, Object, ServiceEntries, View, host, labels};

/// What is read to find them.
pub(super) const READS: [Kind; 5] = [Kind::VirtualService, Kind::Gateway, Kind::ServiceEntry, Kind::Service, Kind::Pod];

/// One destination of a rule.
pub(super) struct Hop<'m> {
    pub(super) service: &'m Object,
    /// The kind of rule: `http`, `tls`, or `tcp`.
    pub(super) protocol: &'static str,
    /// The full name of the destination's host.
    pub(super) host: String,
    pub(super) port: Option<i64>,
    /// The gateway that it leads to, or leads on from.
    pub(super) gateway: &'m Object,
    pub(super) path: Path,
}

impl<'m> Hop<'m> {
    /// The hosts whose traffic the rule is for.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &'m str> + use<'m> {
        self.service.spec().get("hosts").texts()
    }
}

/// Both halves of all of them.
pub(super) struct Routes<'m> {
    /// From sidecars to the Service of a gateway, for hosts that `ServiceEntries` describe. A Service with several Gateways
    /// behind it has a hop for each.
    pub(super) ways_in: Vec<Hop<'m>>,
    /// From a gateway to anywhere.
    pub(super) ways_out: Vec<Hop<'m>>,
    /// The Services in front of Gateways, by the Gateways' selectors.
    fronts: HashMap<String, Vec<&'m Object>>,
    /// Positions of the ways out of each Gateway, by its namespace and name.
    of_gateways: HashMap<(&'m str, &'m str), Vec<usize>>,
    /// The hosts for which there are ways out of each Gateway.
    hosts: HashMap<(&'m str, &'m str), HostIndex<()>>,
}

impl<'m> Routes<'m> {
    pub(super) fn new(mesh: &'m Mesh) -> Self {
        let mut fronts: HashMap<String, Vec<&Object>> = HashMap::new();
        let mut behind: BTreeMap<(&str, &str), Vec<&Object>> = BTreeMap::new();
        for gateway in mesh.each(Kind::Gateway) {
            let services = fronts.entry(selector_of(gateway)).or_insert_with(|| services_of(mesh, gateway));
            for service in services.iter() {
                behind.entry((service.namespace(), service.name())).or_default().push(gateway);
            }
        }
        let mut routes = Self {
            ways_in: Vec::new(),
            ways_out: Vec::new(),
            fronts,
            of_gateways: HashMap::new(),
            hosts: HashMap::new(),
        };
        let entries = ServiceEntries::new(mesh);
        for service in mesh.each(Kind::VirtualService) {
            let gateways: Vec<&Object> = mesh.gateways_of(service).collect();
            let is_outside = service.spec().get("hosts").texts().any(|host| entries.has(host));
            for (protocol, rule, destination, path) in destinations(service) {
                let host = host::fqdn(service.namespace(), destination.get("host").text());
                let port = destination.path(&["port", "number"]).integer_if_any();
                let hop = |gateway| Hop { service, protocol, host: host.clone(), port, gateway, path: path.clone() };
                if is_outside && rule_applies_at(service, rule, |name| name == SIDECARS) {
                    let gateways = behind.get(&host::service_of("", &host)).into_iter().flatten();
                    routes.ways_in.extend(gateways.map(|gateway| hop(gateway)));
                }
                for gateway in &gateways {
                    let own = (gateway.namespace(), gateway.name());
                    if rule_applies_at(service, rule, |name| host::reference(service.namespace(), name) == own) {
                        routes.of_gateways.entry(own).or_default().push(routes.ways_out.len());
                        routes.ways_out.push(hop(gateway));
                    }
                }
            }
        }
        let mut hosts: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for out in &routes.ways_out {
            hosts.entry((out.gateway.namespace(), out.gateway.name())).or_default().extend(out.hosts());
        }
        let index = |hosts: BTreeSet<&'m str>| HostIndex::new(hosts.into_iter().map(|host| (host, ())));
        routes.hosts = hosts.into_iter().map(|(gateway, hosts)| (gateway, index(hosts))).collect();
        routes
    }

    /// Whether a rule at a Gateway is for a host.
    pub(super) fn leads_on(&self, gateway: &Object, name: &str) -> bool {
        let hosts = self.hosts.get(&(gateway.namespace(), gateway.name()));
        hosts.is_some_and(|hosts| hosts.overlapping(name).next().is_some())
    }

    /// The Services in front of a Gateway's pods.
    pub(super) fn fronts(&self, gateway: &Object) -> &[&'m Object] {
        self.fronts.get(&selector_of(gateway)).map_or(&[], Vec::as_slice)
    }

    /// The hops on from gateways that sidecars send to.
    pub(super) fn ways_on(&self) -> impl Iterator<Item = &Hop<'m>> {
        let reached: BTreeSet<(&str, &str)> =
            self.ways_in.iter().map(|way| (way.gateway.namespace(), way.gateway.name())).collect();
        let positions = reached.into_iter().filter_map(|gateway| self.of_gateways.get(&gateway)).flatten();
        positions.map(|position| &self.ways_out[*position])
    }
}

fn selector_of(gateway: &Object) -> String {
    labels::selector_text(gateway.spec().get("selector"))
}

fn services_of<'m>(mesh: &'m Mesh, gateway: &'m Object) -> Vec<&'m Object> {
    let mut services: Vec<&Object> = Vec::new();
    for pod in mesh.gateway_pods(gateway) {
        for service in mesh.services_selecting(pod.namespace(), pod.labels()) {
            if !services.iter().any(|known| std::ptr::eq(*known, service)) {
                services.push(service);
            }
        }
    }
    services
}

fn destinations(service: &Object) -> impl Iterator<Item = (&'static str, View<'_>, View<'_>, Path)> {
    ["http", "tls", "tcp"].into_iter().flat_map(move |protocol| {
        service.spec().get(protocol).items().zip(0..).flat_map(move |(rule, i)| {
            rule.get("route").items().zip(0..).map(move |(route, j)| {
                let path = Path::spec().key(protocol).index(i).key("route").index(j).key("destination").key("host");
                (protocol, rule, route.get("destination"), path)
            })
        })
    })
}
