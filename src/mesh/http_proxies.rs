//! HTTP proxies that pods are told of by their environment, and whether the mesh knows them.
//!
//! An application asks such a proxy with `CONNECT`, which a sidecar must pass on as plain TCP
//! (<https://learn.microsoft.com/azure/aks/http-proxy#istio-add-on-http-proxy-for-external-services>).

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::host;
use super::kind::Kind;
use super::object::Object;
use super::snapshot::Mesh;

/// What a proxy listens on, told apart from others by host and port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpProxy {
    pub host: String,
    pub port: u16,
}

/// What the environment of a pod says. User names and passwords are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyEnvironment {
    /// The variable and the proxy that it names.
    pub proxies: BTreeSet<(String, HttpProxy)>,
    /// What goes past the proxy; `None` where no variable says so.
    pub bypass: Option<Vec<String>>,
}

/// A ServiceEntry for a proxy, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct ProxyEntry<'m> {
    pub entry: &'m Object,
    /// Empty for one that does.
    pub problems: Vec<String>,
}

impl std::fmt::Display for HttpProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl ProxyEnvironment {
    /// Reads the variables of all containers. What comes from a Secret or a ConfigMap is not known.
    pub fn of(pod: &Object) -> Self {
        let mut found = Self::default();
        let containers = pod.spec().get("containers").items();
        for variable in containers.flat_map(|container| container.get("env").items()) {
            let (name, value) = (variable.get("name").text(), variable.get("value").text());
            match name.to_ascii_uppercase().as_str() {
                "HTTP_PROXY" | "HTTPS_PROXY" | "ALL_PROXY" => {
                    found.proxies.extend(HttpProxy::parse(value).map(|proxy| (name.to_owned(), proxy)));
                }
                "NO_PROXY" => {
                    let entries = value.split(',').map(str::trim).filter(|entry| !entry.is_empty());
                    found.bypass.get_or_insert_default().extend(entries.map(str::to_owned));
                }
                _ => {}
            }
        }
        found
    }

    /// Whether a name or an address goes past the proxy: entries are names, endings of names, addresses or networks.
    pub fn bypasses(&self, target: &str) -> bool {
        let address: Option<IpAddr> = target.parse().ok();
        self.bypass.iter().flatten().any(|entry| {
            let ending = entry.trim_start_matches('*').trim_start_matches('.');
            entry == "*"
                || ending == target
                || target.strip_suffix(ending).is_some_and(|rest| rest.ends_with('.') && !ending.is_empty())
                || address.is_some_and(|address| contains(entry, address))
        })
    }
}

impl HttpProxy {
    /// Reads `http://user:password@proxy.example.com:3128`; the scheme may be missing.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = url::Url::parse(&with_scheme).ok()?;
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        (!host.is_empty()).then_some(Self { host, port })
    }

    fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl Mesh {
    /// The ServiceEntries that a namespace sees for a proxy.
    pub fn entries_for(&self, proxy: &HttpProxy, namespace: &str) -> Vec<ProxyEntry<'_>> {
        let entries = self.each(Kind::ServiceEntry).filter(|entry| names(entry, proxy) && is_visible(entry, namespace));
        entries.map(|entry| ProxyEntry { entry, problems: problems(entry, proxy) }).collect()
    }

    /// Whether a proxy is a Service of the cluster, which the mesh knows by itself.
    pub fn is_service(&self, proxy: &HttpProxy, namespace: &str) -> bool {
        let name =
            proxy.host.strip_suffix(".svc").map_or(proxy.host.clone(), |name| format!("{name}.svc.cluster.local"));
        if let Some((service, place)) = name.split_once('.')
            && self.find(Kind::Service, place, service).is_some()
        {
            return true;
        }
        self.service_of_host(namespace, &name).is_some()
    }
}

fn names(entry: &Object, proxy: &HttpProxy) -> bool {
    let by_host = entry.spec().get("hosts").texts().any(|host| host::is_subset(&proxy.host, host));
    let address = proxy.address();
    by_host || address.is_some_and(|address| entry.spec().get("addresses").texts().any(|it| contains(it, address)))
}

fn is_visible(entry: &Object, namespace: &str) -> bool {
    let scopes = host::scopes(entry.namespace(), entry.spec().field("exportTo").texts());
    scopes.iter().any(|scope| *scope == "*" || *scope == namespace)
}

fn problems(entry: &Object, proxy: &HttpProxy) -> Vec<String> {
    let mut problems = Vec::new();
    let spec = entry.spec();
    let port = spec.get("ports").items().find(|port| port.get("number").integer() == i64::from(proxy.port));
    match port {
        None => problems.push(format!("it has no port {}", proxy.port)),
        Some(port) if port.get("protocol").text() != "TCP" => {
            let protocol = port.get("protocol").text();
            problems.push(format!("port {} has the protocol {protocol:?}, and CONNECT needs TCP", proxy.port));
        }
        Some(_) => {}
    }
    if spec.get("location").text() == "MESH_INTERNAL" {
        problems.push("its location is MESH_INTERNAL, so that mutual TLS is tried".to_owned());
    }
    let has_addresses = !spec.get("addresses").is_empty() || !entry.status().get("addresses").is_empty();
    if !has_addresses {
        problems.push(format!("it has no addresses, so that it takes all traffic to port {}", proxy.port));
    }
    problems
}

/// Whether an address, or a network such as `10.0.0.0/16`, holds an address.
fn contains(network: &str, address: IpAddr) -> bool {
    let Some((base, bits)) = network.split_once('/') else { return network.parse() == Ok(address) };
    let (Ok(base), Ok(bits)) = (base.parse::<IpAddr>(), bits.parse::<u32>()) else { return false };
    let same = |a: u128, b: u128, width: u32| bits <= width && (bits == 0 || (a ^ b) >> (width - bits) == 0);
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => same(u32::from(base).into(), u32::from(address).into(), 32),
        (IpAddr::V6(base), IpAddr::V6(address)) => same(base.into(), address.into(), 128),
        _ => false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read_without_passwords() {
        let read = |text| HttpProxy::parse(text).map(|proxy| proxy.to_string());
        assert_eq!(read("http://user:secret@proxy.corp:3128/").as_deref(), Some("proxy.corp:3128"));
        assert_eq!(read("10.1.2.3:8080").as_deref(), Some("10.1.2.3:8080"));
        assert_eq!(read("https://proxy.corp").as_deref(), Some("proxy.corp:443"));
        assert_eq!(read("http://[fd00::1]:3128").as_deref(), Some("fd00::1:3128"));
        assert_eq!(read(""), None);
    }

    #[test]
    fn bypass_lists_are_read_as_clients_read_them() {
        let environment = ProxyEnvironment {
            bypass: Some(
                [".svc", "cluster.local", "10.0.0.0/16", "*.corp", "169.254.169.254"].map(str::to_owned).into(),
            ),
            ..ProxyEnvironment::default()
        };
        for (target, expected) in [
            ("cart.shop.svc", true),
            ("cart.shop.svc.cluster.local", true),
            ("cart.shop", false),
            ("git.corp", true),
            ("10.0.255.1", true),
            ("10.1.0.1", false),
            ("169.254.169.254", true),
            ("example.com", false),
        ] {
            assert_eq!(environment.bypasses(target), expected, "{target}");
        }
        assert!(!ProxyEnvironment::default().bypasses("cart"));
    }

    #[test]
    fn networks_hold_addresses() {
        let holds = |network, address: &str| contains(network, address.parse().unwrap());
        assert!(holds("0.0.0.0/0", "1.2.3.4") && holds("10.1.2.3/32", "10.1.2.3") && holds("fd00::/8", "fd12::1"));
        assert!(
            !holds("10.1.2.3/32", "10.1.2.4") && !holds("10.0.0.0/40", "10.0.0.1") && !holds("fd00::/8", "10.0.0.1")
        );
    }
}
