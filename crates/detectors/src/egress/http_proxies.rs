//! The HTTP proxies that workloads are told to use, and the `ServiceEntries` that describe them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mesh::{Kind, Mesh, Object, View, Workload, host, own_containers};

/// An HTTP proxy, as it stands in a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpProxy<'m> {
    pub host: &'m str,
    pub port: i64,
}

/// The variables that name one
/// (<https://learn.microsoft.com/azure/aks/http-proxy>).
pub(crate) const VARIABLES: [&str; 2] = ["HTTP_PROXY", "HTTPS_PROXY"];

/// The proxies that workloads of each namespace are told to use, with the first pod. Those of the cluster itself, and those
/// beside the application in its pod, are none of the outside.
pub(crate) fn http_proxies(mesh: &Mesh) -> BTreeMap<(&str, HttpProxy<'_>), &Object> {
    let mut found = BTreeMap::new();
    for pod in mesh.each(Kind::Pod).filter(|pod| Workload::of_pod(pod).has_proxy()) {
        for (_, proxy) in of_pod(pod).filter(|(_, proxy)| proxy.is_outside(mesh)) {
            found.entry((pod.namespace(), proxy)).or_insert(pod);
        }
    }
    found
}

/// The proxies that the environment of a pod names, each with the variable.
pub fn of_pod(pod: &Object) -> impl Iterator<Item = (&'static str, HttpProxy<'_>)> {
    own_containers(pod).flat_map(|container| {
        VARIABLES.into_iter().filter_map(move |name| Some((name, HttpProxy::parse(variable(container, name))?)))
    })
}

/// The value of a variable of a container, in upper or lower case.
pub fn variable<'m>(container: View<'m>, name: &str) -> &'m str {
    let mut variables = container.get("env").items();
    let found = variables.find(|variable| variable.get("name").text().eq_ignore_ascii_case(name));
    found.map_or("", |variable| variable.get("value").text())
}

impl<'m> HttpProxy<'m> {
    pub fn parse(text: &'m str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, if scheme == "https" { 443 } else { 80 }),
        };
        (!host.is_empty()).then_some(Self { host, port })
    }

    /// Neither in the cluster nor beside the application in its pod.
    pub fn is_outside(&self, mesh: &Mesh) -> bool {
        let is_here = self.host == "localhost" || ip(self.host).is_some_and(|ip| ip.is_loopback());
        let is_name = ip(self.host).is_none();
        !is_here && !(is_name && (!self.host.contains('.') || mesh.is_cluster_host(self.host)))
    }

    /// The ServiceEntry that it needs in a namespace
    /// (<https://learn.microsoft.com/azure/aks/http-proxy#istio-add-on-http-proxy-for-external-services>).
    pub fn manifest(&self, namespace: &str) -> String {
        let (host, address) = match ip(self.host) {
            // The host is not used for TCP, but there must be one.
            Some(address) if address.is_ipv4() => ("http-proxy.external", format!("{address}/32")),
            Some(address) => ("http-proxy.external", format!("{address}/128")),
            None => (self.host, format!("<address of {}>/32", self.host)),
        };
        format!(
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: http-proxy\n  namespace: \
             {namespace}\nspec:\n  hosts:\n  - {host}\n  addresses:\n  - {address}\n  ports:\n  - number: {}\n    name: \
             tcp\n    protocol: TCP\n  location: MESH_EXTERNAL\n  resolution: NONE\n",
            self.port
        )
    }

    /// The entries that are for its host or address, whatever else they say.
    pub fn entries<'e>(&self, mesh: &'e Mesh) -> Vec<&'e Object> {
        let address = ip(self.host);
        let is_for = |entry: &&Object| match address {
            Some(address) => entry.spec().get("addresses").texts().any(|range| contains(range, address)),
            None => entry.spec().get("hosts").texts().any(|known| host::is_subset(self.host, known)),
        };
        mesh.each(Kind::ServiceEntry).filter(is_for).collect()
    }
}

fn ip(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// Whether an address, or a range such as `10.0.0.0/8`, contains an address.
pub(crate) fn contains(range: &str, address: IpAddr) -> bool {
    let (start, length) = range.split_once('/').unwrap_or((range, ""));
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32_u32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let Some(start) = ip(start) else { return false };
    let ((start, width), (address, other_width)) = (bits(start), bits(address));
    let length = if length.is_empty() { Some(width) } else { length.parse().ok() };
    let Some(length) = length.filter(|length| *length <= width && width == other_width) else { return false };
    length == 0 || start >> (width - length) == address >> (width - length)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_read_from_variables() {
        let found = |text| HttpProxy::parse(text).map(|proxy| (proxy.host, proxy.port));
        assert_eq!(found("http://user:p@ss@proxy.example.com:3128/"), Some(("proxy.example.com", 3128)));
        assert_eq!(found("10.0.0.4:8080"), Some(("10.0.0.4", 8080)));
        assert_eq!(found("https://proxy.example.com"), Some(("proxy.example.com", 443)));
        assert_eq!(found(""), None);
        assert_eq!(found("http://proxy:port"), None);
    }

    #[test]
    fn ranges_contain_addresses() {
        let check = |range: &str, address: &str| contains(range, address.parse().unwrap());
        assert!(check("10.0.0.0/8", "10.1.2.3") && check("10.0.0.4", "10.0.0.4") && check("0.0.0.0/0", "1.2.3.4"));
        assert!(check("fd00::/8", "fd12::1"));
        assert!(!check("10.0.0.4/32", "10.0.0.5") && !check("10.0.0.0/33", "10.0.0.0") && !check("x", "10.0.0.1"));
        assert!(!check("::/0", "10.0.0.1"));
    }
}
