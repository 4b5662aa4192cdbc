//! What a gateway listens on: servers of Istio's Gateways and listeners of the Gateway API's, in one form, by the port of the pod.

use crate::network::Network;
use mesh::{GATEWAY_NAME, Handling, Kind, KubernetesListener, Object, Server, View, container_port, host, secret_of};

/// One server or listener.
#[derive(Debug, Clone)]
pub(crate) struct Gate<'m> {
    pub object: &'m Object,
    /// The way to it.
    pub path: String,
    /// The port as the object has it; a client dials it at the gateway's Service.
    pub number: u16,
    /// The port on which the pod listens for it.
    pub port: u16,
    pub handling: Handling,
    /// Each with the namespace whose routes it takes, `*` for all.
    pub hosts: Vec<(&'m str, &'m str)>,
    pub demands_certificate: bool,
    pub redirects_to_https: bool,
    pub is_automatic: bool,
    /// The Secrets with its certificates: namespace and name.
    pub secrets: Vec<(&'m str, &'m str)>,
    /// The listener, of the Gateway API.
    pub listener: Option<KubernetesListener<'m>>,
}

impl<'m> Gate<'m> {
    /// How near its hosts come to a name: the longer the better, a whole name best of all.
    pub(crate) fn nearness(&self, name: &str) -> Option<usize> {
        self.hosts.iter().filter_map(|(_, wanted)| nearness(wanted, name)).max()
    }

    /// `namespace/name` of its object.
    pub(crate) fn reference(&self) -> String {
        self.object.full_name()
    }
}

/// How near a host with or without a wildcard comes to a name, if it covers it.
pub(crate) fn nearness(wanted: &str, name: &str) -> Option<usize> {
    if wanted.eq_ignore_ascii_case(name) {
        return Some(usize::MAX);
    }
    wanted.strip_prefix('*').filter(|ending| name.ends_with(&ending.to_ascii_lowercase())).map(str::len)
}

impl<'m> Network<'m> {
    /// All that a gateway's pod listens on.
    pub(crate) fn gates(&self, pod: &'m Object) -> Vec<Gate<'m>> {
        let services = self.mesh.services_selecting(pod.namespace(), pod.labels());
        // A port of a Gateway is that of the gateway's Service; the pod listens on where that leads to.
        let listens = |number: i64| {
            let ports = services.iter().flat_map(|service| service.spec().get("ports").items());
            let mut leading = ports.filter(|port| port.get("port").integer() == number);
            let target = leading.find_map(|port| container_port(port, pod)).unwrap_or(number);
            u16::try_from(target).ok()
        };
        let group = self.server_groups.iter().find(|group| group.pods.iter().any(|own| std::ptr::eq(*own, pod)));
        let servers = group.map(|group| group.servers.as_slice()).unwrap_or_default().iter();
        let mut gates: Vec<Gate<'m>> = servers.filter_map(|server| of_server(*server, pod, &listens)).collect();
        gates.extend(self.kubernetes_gateways(pod, &services).into_iter().flat_map(|gateway| {
            KubernetesListener::all(gateway).filter_map(|listener| of_listener(listener, &listens)).collect::<Vec<_>>()
        }));
        gates
    }

    /// The Gateways of the Gateway API that a pod serves: the one it was made for, and those that name its Service.
    fn kubernetes_gateways(&self, pod: &'m Object, services: &[&'m Object]) -> Vec<&'m Object> {
        let own = pod.label(GATEWAY_NAME).or_else(|| pod.label("istio.io/gateway-name"));
        let all = self.mesh.each(Kind::KubernetesGateway).filter(|gateway| self.mesh.is_istio_gateway(gateway));
        let serves = |gateway: &&Object| {
            let mut addresses = gateway.spec().get("addresses").items();
            gateway.namespace() == pod.namespace() && own == Some(gateway.name())
                || addresses.any(|address| {
                    let named = host::fqdn(gateway.namespace(), address.get("value").text());
                    services
                        .iter()
                        .any(|service| named.starts_with(&format!("{}.{}.", service.name(), service.namespace())))
                })
        };
        all.filter(serves).collect()
    }

    /// Whether all the Secrets of a gate are there; unknown where Secrets could not be read.
    pub(crate) fn has_certificates(&self, gate: &Gate<'m>) -> Option<bool> {
        if gate.secrets.iter().all(|(namespace, name)| self.mesh.find(Kind::Secret, namespace, name).is_some()) {
            return Some(true);
        }
        self.mesh.provided().contains(Kind::Secret).then_some(false)
    }
}

fn of_server<'m>(server: Server<'m>, pod: &'m Object, listens: &dyn Fn(i64) -> Option<u16>) -> Option<Gate<'m>> {
    let secrets = server.credentials().filter_map(|name| secret_of(name, pod.namespace()));
    let mode = server.tls_mode().unwrap_or_default();
    Some(Gate {
        object: server.gateway,
        path: format!("spec.servers[{}]", server.index),
        number: u16::try_from(server.port()).ok()?,
        port: listens(server.port())?,
        handling: server.handling(),
        hosts: server.hosts().collect(),
        demands_certificate: matches!(mode, "MUTUAL" | "ISTIO_MUTUAL"),
        redirects_to_https: server.redirects_to_https(),
        is_automatic: mode == "AUTO_PASSTHROUGH",
        secrets: secrets.collect(),
        listener: None,
    })
}

fn of_listener<'m>(listener: KubernetesListener<'m>, listens: &dyn Fn(i64) -> Option<u16>) -> Option<Gate<'m>> {
    let number = listener.view.get("port").integer();
    let handling = match (listener.view.get("protocol").text(), listener.ends_tls()) {
        ("HTTP", _) => Handling::Http,
        ("HTTPS", _) => Handling::Https,
        ("TLS", true) => Handling::TerminatedTls,
        ("TLS", false) => Handling::Passthrough,
        _ => Handling::Tcp,
    };
    let validation: View<'_> = listener.view.get("tls").path(&["frontendValidation", "caCertificateRefs"]);
    Some(Gate {
        object: listener.gateway,
        path: format!("spec.listeners[{}]", listener.index),
        number: u16::try_from(number).ok()?,
        port: listens(number)?,
        handling,
        hosts: vec![("*", listener.host())],
        demands_certificate: !validation.is_empty(),
        redirects_to_https: false,
        is_automatic: false,
        secrets: if handling.is_tls() { listener.secrets().collect() } else { Vec::new() },
        listener: Some(listener),
    })
}
