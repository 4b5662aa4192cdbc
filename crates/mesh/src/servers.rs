//! What the Gateways of the same proxies add up to: all their servers
//! (<https://istio.io/latest/docs/reference/config/networking/gateway/>).

use std::collections::{BTreeMap, HashMap};

use super::host;
use super::kind::Kind;
use super::labels;
use super::object::Object;
use super::services::is_finished;
use super::snapshot::Mesh;
use super::view::View;

/// One server of a Gateway.
#[derive(Debug, Clone, Copy)]
pub struct Server<'m> {
    pub gateway: &'m Object,
    /// Its place among the Gateway's servers.
    pub index: usize,
    pub view: View<'m>,
}

/// What a server does with a connection, and so which routes it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// Plain HTTP: `http` routes.
    Http,
    /// HTTP after TLS: `http` routes.
    Https,
    /// Bytes after TLS: `tcp` routes.
    TerminatedTls,
    /// TLS as it comes, by its server name: `tls` routes.
    Passthrough,
    /// Plain bytes: `tcp` routes.
    Tcp,
}

impl Handling {
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::TerminatedTls | Self::Passthrough)
    }
}

/// Proxies that the same Gateways configure.
#[derive(Debug)]
pub struct ServerGroup<'m> {
    pub pods: Vec<&'m Object>,
    pub servers: Vec<Server<'m>>,
}

impl<'m> Server<'m> {
    /// The servers of a Gateway.
    pub fn all(gateway: &'m Object) -> impl Iterator<Item = Self> {
        gateway.spec().get("servers").items().zip(0..).map(move |(view, index)| Self { gateway, index, view })
    }

    pub fn port(self) -> i64 {
        self.view.path(&["port", "number"]).integer()
    }

    /// As it is written, in upper case or not.
    pub fn protocol(self) -> &'m str {
        self.view.path(&["port", "protocol"]).text()
    }

    pub fn tls(self) -> View<'m> {
        self.view.get("tls")
    }

    /// Its TLS mode; none where it has no TLS. A `tls` block without a mode passes TLS through.
    pub fn tls_mode(self) -> Option<&'m str> {
        self.tls().is_map().then(|| self.tls().get("mode").text_if_any().unwrap_or("PASSTHROUGH"))
    }

    pub fn redirects_to_https(self) -> bool {
        self.tls().field("httpsRedirect").truth()
    }

    pub fn handling(self) -> Handling {
        let protocol = self.protocol().to_ascii_uppercase();
        if matches!(protocol.as_str(), "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB" | "HTTP_PROXY") {
            return Handling::Http;
        }
        match self.tls_mode() {
            None => Handling::Tcp,
            Some("PASSTHROUGH" | "AUTO_PASSTHROUGH") => Handling::Passthrough,
            Some(_) if protocol == "HTTPS" => Handling::Https,
            Some(_) => Handling::TerminatedTls,
        }
    }

    /// Its hosts, each with the namespace whose `VirtualService`s may bind to it, `*` for all.
    pub fn hosts(self) -> impl Iterator<Item = (&'m str, &'m str)> {
        let own = self.gateway.namespace();
        self.view.get("hosts").texts().map(move |host| match host::of_server(host) {
            (".", host) => (own, host),
            found => found,
        })
    }

    /// The names of the Secrets with its certificates.
    pub fn credentials(self) -> impl Iterator<Item = &'m str> {
        let one = self.tls().field("credentialName").text_if_any().filter(|name| !name.is_empty());
        one.into_iter().chain(self.tls().field("credentialNames").texts())
    }

    /// Whether a `VirtualService` that names the Gateway has a host that this server takes.
    pub fn takes(self, service: &Object) -> bool {
        self.hosts().any(|(scope, host)| {
            (scope == "*" || scope == service.namespace())
                && service.spec().get("hosts").texts().any(|wanted| host::overlap(wanted, host))
        })
    }
}

impl Mesh {
    /// The proxies that Gateways configure, by which Gateways these are.
    pub fn server_groups(&self) -> Vec<ServerGroup<'_>> {
        // Many Gateways share one selector.
        let mut by_selector: BTreeMap<String, Vec<&Object>> = BTreeMap::new();
        for gateway in self.each(Kind::Gateway) {
            let selector = labels::selector_text(gateway.spec().get("selector"));
            by_selector.entry(selector).or_default().push(gateway);
        }
        let gateways: Vec<Vec<&Object>> = by_selector.into_values().collect();
        let mut selectors_of: HashMap<(&str, &str, &str), usize> = HashMap::new();
        let mut pods: Vec<(Vec<usize>, &Object)> = Vec::new();
        for (index, sharing) in gateways.iter().enumerate() {
            let Some(gateway) = sharing.first() else { continue };
            for pod in self.gateway_pods(gateway).into_iter().filter(|pod| !is_finished(pod)) {
                let key = (pod.cluster(), pod.namespace(), pod.name());
                let at = *selectors_of.entry(key).or_insert_with(|| {
                    pods.push((Vec::new(), pod));
                    pods.len() - 1
                });
                pods[at].0.push(index);
            }
        }
        let mut groups: BTreeMap<Vec<usize>, Vec<&Object>> = BTreeMap::new();
        for (selectors, pod) in pods {
            groups.entry(selectors).or_default().push(pod);
        }
        let groups = groups.into_iter().map(|(selectors, pods)| {
            let merged = selectors.iter().flat_map(|index| &gateways[*index]);
            ServerGroup { pods, servers: merged.copied().flat_map(Server::all).collect() }
        });
        groups.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MeshBuilder, Settings};

    fn mesh(text: &str) -> Mesh {
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        builder.add_files(&[("mesh.yaml", text)]);
        let mesh = builder.build();
        assert!(mesh.malformed().is_empty(), "{:?}", mesh.malformed());
        mesh
    }

    const GATEWAYS: &str = r"
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: shop, namespace: shop}
spec:
  selector: {istio: ingress}
  servers:
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: [./shop.example.com], tls: {mode: SIMPLE}}
  - {port: {number: 80, name: http, protocol: http}, hosts: ['*.example.com']}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: bank, namespace: bank}
spec:
  selector: {istio: ingress, zone: a}
  servers:
  - {port: {number: 443, name: tls, protocol: TLS}, hosts: [bank.example.com], tls: {}}
  - {port: {number: 444, name: tls-end, protocol: TLS}, hosts: ['*'], tls: {mode: MUTUAL, credentialName: bank}}
  - {port: {number: 9000, name: tcp, protocol: TCP}, hosts: ['*']}
---
apiVersion: v1
kind: Pod
metadata: {name: both, namespace: ingress, labels: {istio: ingress, zone: a}}
---
apiVersion: v1
kind: Pod
metadata: {name: one, namespace: ingress, labels: {istio: ingress, zone: b}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: bank}
spec: {hosts: [shop.example.com]}
";

    #[test]
    fn gateways_of_the_same_proxies_add_up() {
        let mesh = mesh(GATEWAYS);
        let groups = mesh.server_groups();
        let shown: Vec<(Vec<&str>, Vec<i64>)> = groups
            .iter()
            .map(|group| {
                let pods = group.pods.iter().map(|pod| pod.name()).collect();
                (pods, group.servers.iter().map(|server| server.port()).collect())
            })
            .collect();
        assert_eq!(shown, [(vec!["one"], vec![443, 80]), (vec!["both"], vec![443, 80, 443, 444, 9000])]);
    }

    #[test]
    fn servers_say_what_they_take() {
        let mesh = mesh(GATEWAYS);
        let servers: Vec<Server<'_>> = mesh.each(Kind::Gateway).flat_map(Server::all).collect();
        let handling: Vec<Handling> = servers.iter().map(|server| server.handling()).collect();
        let expected = [Handling::Passthrough, Handling::TerminatedTls, Handling::Tcp, Handling::Https, Handling::Http];
        assert_eq!(handling, expected);
        let taken: Vec<bool> = mesh
            .each(Kind::VirtualService)
            .flat_map(|service| servers.iter().map(move |server| server.takes(service)))
            .collect();
        // The HTTPS server is for VirtualServices of its own namespace.
        assert_eq!(taken, [false, true, true, false, true]);
        assert_eq!(servers[1].credentials().collect::<Vec<_>>(), ["bank"]);
    }
}
