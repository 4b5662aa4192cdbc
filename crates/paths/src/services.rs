//! What a request can be sent to: Services and the hosts of `ServiceEntries`, in one form, with their endpoints.

use std::net::IpAddr;
use std::sync::OnceLock;

use mesh::{Kind, Mesh, Object, View, Workload, container_port, host, is_ready, labels, protocol};

/// A port as clients dial it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Port<'m> {
    pub number: u16,
    /// What it is declared to be; none where Envoy looks at the traffic.
    pub protocol: Option<&'static str>,
    pub view: View<'m>,
}

impl Port<'_> {
    pub(crate) fn is_http(&self) -> bool {
        self.protocol.is_some_and(protocol::is_http)
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.protocol, Some("HTTPS" | "TLS"))
    }
}

/// How the endpoints of a service are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort<'m> {
    ClusterIp,
    Headless,
    /// Another name for something else.
    Alias(&'m str),
    /// A `ServiceEntry` with addresses, or one that selects workloads.
    Static,
    /// A `ServiceEntry` whose endpoints are names.
    Dns,
    /// A `ServiceEntry` that leaves the address as the client has dialled it.
    Original,
}

/// One host.
#[derive(Debug)]
pub(crate) struct Service<'m> {
    pub object: &'m Object,
    pub host: String,
    /// The addresses under which clients reach all of it.
    pub addresses: Vec<IpAddr>,
    /// Addresses that istiod made up for proxies that answer DNS themselves; to all others they mean nothing.
    pub made_up: Vec<IpAddr>,
    pub ports: Vec<Port<'m>>,
    pub sort: Sort<'m>,
    endpoints: OnceLock<Vec<Endpoint<'m>>>,
}

/// Where requests go in the end.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint<'m> {
    /// A Pod, a `WorkloadEntry`, or the `ServiceEntry` or Service itself.
    pub object: &'m Object,
    /// An address or, of an endpoint found by DNS, a name.
    pub address: String,
    pub labels: View<'m>,
    pub is_ready: bool,
    /// Ports that are called otherwise here, by the name of the service's port.
    ports: View<'m>,
    /// Region, zone and sub-zone, as far as they are known, separated by `/`.
    pub locality: String,
    pub weight: f64,
}

/// The label by which a workload says that it takes mutual TLS.
const TLS_MODE: &str = "security.istio.io/tlsMode";

impl<'m> Endpoint<'m> {
    pub(crate) fn pod(&self) -> Option<&'m Object> {
        (self.object.kind() == Kind::Pod).then_some(self.object)
    }

    pub(crate) fn takes_mutual_tls(&self) -> bool {
        self.labels.get(TLS_MODE).text() == "istio"
    }

    /// The port here for a port of the service.
    pub(crate) fn port(&self, port: &Port<'m>) -> Option<u16> {
        if let Some(pod) = self.pod() {
            let target = port.view.field("targetPort");
            if target.is_set() || port.view.get("port").is_set() {
                return container_port(port.view, pod).and_then(|port| u16::try_from(port).ok());
            }
        }
        let own = self.ports.get(port.view.get("name").text()).integer_if_any();
        let own = own.or_else(|| port.view.field("targetPort").integer_if_any());
        own.map_or(Some(port.number), |port| u16::try_from(port).ok())
    }
}

impl<'m> Service<'m> {
    pub(crate) fn of(service: &'m Object) -> Self {
        let spec = service.spec();
        let cluster_ip = spec.field("clusterIP").text();
        let sort = match spec.get("type").text() {
            "ExternalName" => Sort::Alias(spec.field("externalName").text()),
            _ if cluster_ip == "None" => Sort::Headless,
            _ => Sort::ClusterIp,
        };
        let more = spec.field("clusterIPs").texts();
        let mut addresses: Vec<IpAddr> =
            std::iter::once(cluster_ip).chain(more).filter_map(|it| it.parse().ok()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let ports = spec.get("ports").items().filter(|port| port.get("protocol").text() != "UDP");
        let ports = ports.filter_map(|view| {
            let number = u16::try_from(view.get("port").integer()).ok()?;
            Some(Port { number, protocol: protocol::of_service_port(view), view })
        });
        Self {
            object: service,
            host: host::fqdn(service.namespace(), service.name()),
            addresses,
            made_up: Vec::new(),
            ports: ports.collect(),
            sort,
            endpoints: OnceLock::new(),
        }
    }

    /// One for each host of a `ServiceEntry`.
    pub(crate) fn of_entry(entry: &'m Object) -> impl Iterator<Item = Self> {
        let spec = entry.spec();
        let sort = match spec.get("resolution").text() {
            "STATIC" => Sort::Static,
            "DNS" | "DNS_ROUND_ROBIN" => Sort::Dns,
            _ => Sort::Original,
        };
        let addresses: Vec<IpAddr> = spec.get("addresses").texts().filter_map(|it| it.parse().ok()).collect();
        let given = entry.status().get("addresses").items().map(|it| it.get("value").text());
        let made_up: Vec<IpAddr> = given.filter_map(|address| address.parse().ok()).collect();
        let ports: Vec<Port<'m>> = spec
            .get("ports")
            .items()
            .filter_map(|view| {
                let number = u16::try_from(view.get("number").integer()).ok()?;
                let named = view.get("protocol").text();
                Some(Port { number, protocol: protocol::of_port(0, named, named, None), view })
            })
            .collect();
        spec.get("hosts").texts().map(move |host| Self {
            object: entry,
            host: host::fqdn(entry.namespace(), host),
            addresses: addresses.clone(),
            made_up: made_up.clone(),
            ports: ports.clone(),
            sort,
            endpoints: OnceLock::new(),
        })
    }

    pub(crate) fn namespace(&self) -> &'m str {
        self.object.namespace()
    }

    pub(crate) fn port(&self, number: u16) -> Option<&Port<'m>> {
        self.ports.iter().find(|port| port.number == number)
    }

    /// Whether proxies have a listener for its own addresses, and not one for all.
    pub(crate) fn has_own_address(&self, with_made_up: bool) -> bool {
        !self.addresses.is_empty() || with_made_up && !self.made_up.is_empty()
    }

    pub(crate) fn is_entry(&self) -> bool {
        self.object.kind() == Kind::ServiceEntry
    }

    /// Everything behind it, ready or not.
    pub(crate) fn endpoints(&self, mesh: &'m Mesh) -> &[Endpoint<'m>] {
        self.endpoints
            .get_or_init(|| if self.is_entry() { of_entry(mesh, self) } else { of_service(mesh, self.object) })
    }
}

fn of_pod<'m>(mesh: &Mesh, pod: &'m Object, counts_not_ready: bool) -> Option<Endpoint<'m>> {
    let address = pod.status().get("podIP").text();
    let is_going = !pod.metadata().get("deletionTimestamp").is_empty();
    (!address.is_empty()).then(|| Endpoint {
        object: pod,
        address: address.to_owned(),
        labels: pod.labels(),
        is_ready: counts_not_ready || is_ready(pod) && !is_going,
        ports: View::MISSING,
        locality: locality_of(mesh, pod),
        weight: 1.0,
    })
}

/// Region and zone of a pod: labels of its own, else those of its node
/// (<https://istio.io/latest/docs/tasks/traffic-management/locality-load-balancing/>).
pub(crate) fn locality_of(mesh: &Mesh, pod: &Object) -> String {
    const LABELS: [&str; 3] =
        ["topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"];
    if let Some(own) = pod.label("istio-locality") {
        return own.replace('.', "/");
    }
    let node = mesh.find(Kind::Node, "", pod.spec().field("nodeName").text());
    let parts = LABELS.map(|key| node.and_then(|node| node.label(key)).or_else(|| pod.label(key)).unwrap_or_default());
    parts.join("/").trim_end_matches('/').to_owned()
}

fn of_service<'m>(mesh: &'m Mesh, service: &'m Object) -> Vec<Endpoint<'m>> {
    let counts_not_ready = service.spec().field("publishNotReadyAddresses").truth();
    if !service.spec().get("selector").is_empty() {
        return mesh
            .pods_of_service(service)
            .into_iter()
            .filter_map(|pod| of_pod(mesh, pod, counts_not_ready))
            .collect();
    }
    // Somebody else looks after the endpoints of a Service without a selector.
    let slices = mesh.in_namespace(Kind::EndpointSlice, service.namespace());
    let own = slices.filter(|slice| slice.label("kubernetes.io/service-name") == Some(service.name()));
    let endpoints = own.flat_map(|slice| slice.root().get("endpoints").items());
    let each = endpoints.flat_map(|endpoint| {
        let is_ready = endpoint.path(&["conditions", "ready"]).written() != "false";
        endpoint.get("addresses").texts().map(move |address| (address, is_ready))
    });
    let each = each.map(|(address, is_ready)| Endpoint {
        object: service,
        address: address.to_owned(),
        labels: View::MISSING,
        is_ready,
        ports: View::MISSING,
        locality: String::new(),
        weight: 1.0,
    });
    each.collect()
}

fn of_entry<'m>(mesh: &'m Mesh, service: &Service<'m>) -> Vec<Endpoint<'m>> {
    let spec = service.object.spec();
    let selector = spec.path(&["workloadSelector", "labels"]);
    if !selector.is_empty() {
        let pods = mesh.labelled(Kind::Pod, selector, Some(service.namespace()));
        let pods = pods.into_iter().filter_map(|pod| of_pod(mesh, pod, false));
        let entries = mesh.in_namespace(Kind::WorkloadEntry, service.namespace());
        let entries = entries.filter(|entry| labels::matches(selector, entry.spec().get("labels")));
        return pods.chain(entries.map(|entry| inline(entry, entry.spec()))).collect();
    }
    let endpoints: Vec<_> = spec.get("endpoints").items().map(|view| inline(service.object, view)).collect();
    if !endpoints.is_empty() || service.sort != Sort::Dns {
        return endpoints;
    }
    // DNS looks up the host itself.
    vec![Endpoint { address: service.host.clone(), ..inline(service.object, View::MISSING) }]
}

fn inline<'m>(object: &'m Object, view: View<'m>) -> Endpoint<'m> {
    let weight = view.get("weight").number();
    Endpoint {
        object,
        address: view.get("address").text().to_owned(),
        labels: view.get("labels"),
        is_ready: true,
        ports: view.get("ports"),
        locality: view.get("locality").text().to_owned(),
        weight: if weight > 0.0 { weight } else { 1.0 },
    }
}

/// Whether the container behind a port declares it. Declaring a port is documentation only, so that nothing follows where
/// no port is declared at all.
pub(crate) fn declares(pod: &Object, port: u16) -> Option<bool> {
    let workload = Workload::of_pod(pod);
    let own = workload.containers().filter(|container| container.get("name").text() != "istio-proxy");
    let mut declared = own.flat_map(|container| container.get("ports").items()).peekable();
    declared.peek()?;
    Some(declared.any(|it| it.field("containerPort").integer() == i64::from(port)))
}
