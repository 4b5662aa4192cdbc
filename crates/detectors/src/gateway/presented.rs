//! Which Secret a gateway presents for which hosts: of Istio's Gateways, and of those of the Gateway API.

use std::collections::{BTreeMap, BTreeSet};

use analyzers::Path;
use mesh::{Handling, Kind, KubernetesListener, Mesh, Object, Server, labels, secret_of};

/// What [`presented`] asks the mesh for.
pub(super) const READS: &[Kind] =
    &[Kind::Gateway, Kind::KubernetesGateway, Kind::GatewayClass, Kind::Pod, Kind::Secret];

/// A server that ends TLS with the certificates of Secrets, of which it presents the one that fits.
pub(super) struct Presented<'m> {
    /// Of either kind.
    pub(super) gateway: &'m Object,
    /// Where in it the Secret is named.
    pub(super) path: Path,
    /// The hosts that clients ask for; `*` for any.
    pub(super) hosts: Vec<&'m str>,
    /// Those that are there, at least one.
    pub(super) secrets: Vec<&'m Object>,
}

/// Every server that has a Secret to present, Gateway by Gateway.
pub(super) fn presented(mesh: &Mesh) -> Vec<Presented<'_>> {
    let mut found = of_servers(mesh);
    found.extend(of_listeners(mesh));
    found
}

/// The same by Secret, each with the Gateways that present it, as messages name them.
pub(super) fn by_secret(mesh: &Mesh) -> Vec<(&Object, String)> {
    let mut by_secret: BTreeMap<(&str, &str), (&Object, BTreeSet<String>)> = BTreeMap::new();
    for Presented { gateway, secrets, .. } in presented(mesh) {
        for secret in secrets {
            let entry = by_secret.entry((secret.namespace(), secret.name())).or_insert((secret, BTreeSet::new()));
            entry.1.insert(gateway.full_name());
        }
    }
    let named = by_secret.into_values().map(|(secret, gateways)| {
        let word = if gateways.len() == 1 { "Gateway" } else { "Gateways" };
        let gateways: Vec<String> = gateways.into_iter().collect();
        (secret, format!("{word} {}", gateways.join(", ")))
    });
    named.collect()
}

/// A server of an Istio Gateway that ends TLS with Secrets, which must be where its proxies are.
pub(super) struct Named<'m> {
    pub(super) server: Server<'m>,
    pub(super) credentials: Vec<&'m str>,
    /// Where in the Gateway they are named.
    pub(super) path: Path,
    /// The namespaces of its proxies.
    pub(super) namespaces: BTreeSet<&'m str>,
}

impl<'m> Named<'m> {
    /// The namespace and name of each Secret that it asks for, whether there or not.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&'m str, &'m str)> {
        let in_namespace = |namespace: &'m str| {
            let named = self.credentials.iter().filter_map(move |credential| secret_of(credential, namespace));
            named.collect::<Vec<_>>()
        };
        self.namespaces.iter().copied().flat_map(in_namespace)
    }
}

pub(super) fn named(mesh: &Mesh) -> Vec<Named<'_>> {
    let mut namespaces_of: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut found = Vec::new();
    for gateway in mesh.each(Kind::Gateway) {
        // Many Gateways share one selector.
        let selector = labels::selector_text(gateway.spec().get("selector"));
        let namespaces = namespaces_of
            .entry(selector)
            .or_insert_with(|| mesh.gateway_pods(gateway).into_iter().map(Object::namespace).collect());
        let ends_tls = |server: &Server<'_>| matches!(server.handling(), Handling::Https | Handling::TerminatedTls);
        for server in Server::all(gateway).filter(ends_tls) {
            let path = Path::spec().key("servers").index(server.index).key("tls").key("credentialName");
            let credentials = server.credentials().collect();
            found.push(Named { server, credentials, path, namespaces: namespaces.clone() });
        }
    }
    found
}

fn of_servers(mesh: &Mesh) -> Vec<Presented<'_>> {
    let mut found = Vec::new();
    for named in named(mesh) {
        let secrets = named.secrets().filter_map(|(namespace, name)| mesh.find(Kind::Secret, namespace, name));
        let secrets: Vec<&Object> = secrets.collect();
        if !secrets.is_empty() {
            let hosts = named.server.hosts().map(|(_, host)| host).collect();
            found.push(Presented { gateway: named.server.gateway, path: named.path, hosts, secrets });
        }
    }
    found
}

fn of_listeners(mesh: &Mesh) -> Vec<Presented<'_>> {
    let mut found = Vec::new();
    let gateways = mesh.each(Kind::KubernetesGateway).filter(|gateway| mesh.is_istio_gateway(gateway));
    for listener in gateways.flat_map(KubernetesListener::all).filter(|listener| listener.ends_tls()) {
        let secrets = listener.secrets().filter_map(|(namespace, name)| mesh.find(Kind::Secret, namespace, name));
        let secrets: Vec<&Object> = secrets.collect();
        if !secrets.is_empty() {
            let path = Path::spec().key("listeners").index(listener.index).key("tls").key("certificateRefs");
            found.push(Presented { gateway: listener.gateway, path, hosts: vec![listener.host()], secrets });
        }
    }
    found
}
