//! Finds ports in front of gateways on which no Gateway has a server, so that nothing listens.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{GatewayService, Kind, Mesh, Object, Server, container_port, host, labels};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/no-listener",
        reads: &[Kind::Service, Kind::Pod, Kind::Gateway, Kind::KubernetesGateway],
        reports: &[&GWY0005],
        by_default: true,
        run,
    },
};

static GWY0005: Code = Code {
    id: "GWY0005",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-ingress-gateway",
    page: include_str!("pages/GWY0005.md"),
};

/// The health check of a gateway, which is always open.
const STATUS_PORT: i64 = 15021;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let served = ports_of_pods(mesh);
    let attached = ports_of_addresses(mesh);
    for gateway in mesh.gateway_services() {
        // Istio gives the Services that it makes itself a port for each listener.
        if gateway.pods.is_empty() || gateway.is_managed() || !is_open_to_outside(gateway.service) {
            continue;
        }
        let closed = closed_ports(&gateway, &served, attached.get(&name_of(gateway.service)));
        let Some((closed, all)) = closed else { continue };
        if !closed.is_empty() {
            let is_meant = gateway.pods.iter().any(|pod| served.contains_key(&(pod.namespace(), pod.name())));
            messages.report(nothing_listens(&gateway, &closed, is_meant && closed.len() == all));
        }
    }
}

/// The ports of all servers, by the pods that they are for.
fn ports_of_pods(mesh: &Mesh) -> HashMap<(&str, &str), BTreeSet<i64>> {
    let mut ports: HashMap<(&str, &str), BTreeSet<i64>> = HashMap::new();
    for group in mesh.server_groups() {
        let of_servers: BTreeSet<i64> = group.servers.iter().copied().map(Server::port).collect();
        for pod in group.pods {
            ports.entry((pod.namespace(), pod.name())).or_default().extend(&of_servers);
        }
    }
    ports
}

/// The ports of listeners of the Gateway API that use an existing Service
/// (<https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/#manual-deployment>).
fn ports_of_addresses(mesh: &Mesh) -> BTreeMap<String, BTreeSet<i64>> {
    let mut ports: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for gateway in mesh.each(Kind::KubernetesGateway) {
        for address in gateway.spec().get("addresses").items() {
            let name = host::fqdn(gateway.namespace(), address.get("value").text());
            let listeners = gateway.spec().get("listeners").items();
            ports.entry(name).or_default().extend(listeners.map(|listener| listener.get("port").integer()));
        }
    }
    ports
}

fn name_of(service: &Object) -> String {
    host::fqdn(service.namespace(), service.name())
}

/// Gateways inside of the mesh, such as those for outbound traffic, often have ports in reserve.
fn is_open_to_outside(service: &Object) -> bool {
    matches!(service.spec().get("type").text(), "LoadBalancer" | "NodePort")
}

/// The ports on which no pod listens, and how many ports for traffic there are.
fn closed_ports(
    gateway: &GatewayService<'_>,
    served: &HashMap<(&str, &str), BTreeSet<i64>>,
    attached: Option<&BTreeSet<i64>>,
) -> Option<(BTreeSet<i64>, usize)> {
    let ports = gateway.service.spec().get("ports").items();
    let ports: Vec<_> = ports.filter(|port| port.get("port").integer() != STATUS_PORT).collect();
    let is_served = |number: i64, target: Option<i64>, pod: &Object| {
        // A server may name the Service's port, which Istio then translates, or that of the container.
        let servers = served.get(&(pod.namespace(), pod.name()));
        let has =
            |ports: &BTreeSet<i64>| ports.contains(&number) || target.is_some_and(|target| ports.contains(&target));
        servers.is_some_and(has) || attached.is_some_and(has)
    };
    let closed = ports.iter().filter(|port| {
        let number = port.get("port").integer();
        !gateway.pods.iter().any(|pod| is_served(number, container_port(**port, pod), pod))
    });
    let closed: BTreeSet<i64> = closed.map(|port| port.get("port").integer()).collect();
    (!ports.is_empty()).then_some((closed, ports.len()))
}

/// `is_cut_off` where Gateways are for these proxies, and all their servers are on ports that the Service does not have.
fn nothing_listens<'m>(gateway: &GatewayService<'m>, closed: &BTreeSet<i64>, is_cut_off: bool) -> Message<'m> {
    let closed: Vec<String> = closed.iter().map(i64::to_string).collect();
    let closed = closed.join(", ");
    let text = format!(
        "No Gateway has a server on port {closed} for the proxies behind this Service: connections are refused."
    );
    let labels = labels::selector_text(gateway.service.spec().get("selector"));
    let remedy = format!(
        "Add a server for the port to a Gateway whose selector fits the pods ({labels}), and bind a VirtualService to \
         it. Nothing is wrong where the port is meant to stay closed: kubectl get gateways.networking.istio.io -A"
    );
    let mut message = Message::new(&GWY0005, gateway.service, text).remedy(remedy);
    if !is_cut_off {
        // Many gateways serve one port of several on purpose, and one that nobody uses yet is idle, not broken.
        message.severity = Severity::Info;
    }
    message
}
