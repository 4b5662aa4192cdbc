//! The hosts that containers are told to call, as far as their arguments and environment name them in URLs.

use std::net::IpAddr;

use super::kind::Kind;
use super::object::Object;
use super::snapshot::Mesh;
use super::view::View;

/// A host in a URL. The rest of the URL may hold a password and is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CalledHost<'m> {
    pub scheme: &'m str,
    pub name: &'m str,
    /// That of the URL, else the usual one of its scheme.
    pub port: Option<u16>,
    pub container: &'m str,
    /// The variable that names it; none for an argument.
    pub variable: Option<&'m str>,
}

/// What the injector adds.
const OF_ISTIO: [&str; 3] = ["istio-proxy", "istio-init", "istio-validation"];

/// The containers that an application brings along.
pub fn own_containers(pod: &Object) -> impl Iterator<Item = View<'_>> {
    let containers = pod.spec().get("containers").items().chain(pod.spec().get("initContainers").items());
    containers.filter(|container| !OF_ISTIO.contains(&container.get("name").text()))
}

/// The hosts that a pod's own containers are told to call. Variables that name an HTTP proxy do not count.
pub fn called_hosts(pod: &Object) -> Vec<CalledHost<'_>> {
    let mut called = Vec::new();
    for container in own_containers(pod) {
        let name = container.get("name").text();
        for text in container.get("command").texts().chain(container.get("args").texts()) {
            add(&mut called, text, name, None);
        }
        for variable in container.get("env").items() {
            let key = variable.get("name").text();
            if !key.to_ascii_lowercase().ends_with("_proxy") {
                add(&mut called, variable.get("value").text(), name, Some(key));
            }
        }
    }
    called
}

fn add<'m>(called: &mut Vec<CalledHost<'m>>, text: &'m str, container: &'m str, variable: Option<&'m str>) {
    for (at, separator) in text.match_indices("://") {
        let before = &text[..at];
        let start = before.rfind(|it: char| !it.is_ascii_alphanumeric() && !"+-.".contains(it)).map_or(0, |it| it + 1);
        let Some(scheme) = before.get(start..).filter(|scheme| !scheme.is_empty()) else { continue };
        let rest = &text[at + separator.len()..];
        let end =
            rest.find(|it: char| !it.is_ascii_alphanumeric() && !"-._:@%!$&+=~".contains(it)).unwrap_or(rest.len());
        let authority = rest[..end].rsplit('@').next().unwrap_or_default();
        let (name, port) = match authority.split_once(':') {
            Some((name, port)) => (name, port.parse().ok()),
            None => (authority, usual_port(scheme)),
        };
        if is_name(name) {
            called.push(CalledHost { scheme, name, port, container, variable });
        }
    }
}

/// Whether this is a DNS name with a dot, as those of outside hosts are.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.contains('.') && name.split('.').all(is_label) && name.parse::<IpAddr>().is_err()
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

impl Mesh {
    /// Whether a host name is one of the cluster: of a Service, in one of the forms in which pods may write it
    /// (<https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/>).
    pub fn is_cluster_host(&self, name: &str) -> bool {
        let labels: Vec<&str> = name.split('.').collect();
        let is_full = labels.last() == Some(&"local") || labels.contains(&"svc");
        is_full
            || match labels[..] {
                // The second form is that of a pod behind a headless Service.
                [service, namespace] | [_, service, namespace] => {
                    self.find(Kind::Service, namespace, service).is_some()
                }
                _ => false,
            }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{MeshBuilder, Settings};

    #[test]
    fn hosts_are_found_in_urls() {
        let text = r#"
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop}
spec:
  containers:
  - name: app
    args: ["--upstream=https://api.example.com/v1?u=http://b.example.com:8080", "plain.example.com", "ftp://10.0.0.1/"]
    env:
    - {name: URLS, value: "http://x.example.com|y, amqps://user:p@ss@mq.example.com:5671;://none.example.com"}
    - {name: HTTPS_PROXY, value: "http://proxy.example.com:3128"}
    - {name: HERE, value: "http://localhost:8080 http://[::1]:80 http://a..b/"}
  - name: istio-proxy
    env: [{name: X, value: "http://z.example.com"}]
"#;
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        builder.add_files(&[("mesh.yaml", text)]);
        let mesh = builder.build();
        let found = called_hosts(mesh.find(Kind::Pod, "shop", "cart").unwrap());
        let found: Vec<_> = found.into_iter().map(|it| (it.scheme, it.name, it.port, it.variable)).collect();
        assert_eq!(
            found,
            [
                ("https", "api.example.com", Some(443), None),
                ("http", "b.example.com", Some(8080), None),
                ("http", "x.example.com", Some(80), Some("URLS")),
                ("amqps", "mq.example.com", Some(5671), Some("URLS")),
            ]
        );
    }

    #[test]
    fn hosts_of_the_cluster_are_told_apart() {
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: shop}\n";
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        builder.add_files(&[("mesh.yaml", text)]);
        let mesh = builder.build();
        for name in ["cart.shop", "cart-0.cart.shop", "gone.shop.svc", "x.shop.svc.cluster.local", "nas.local"] {
            assert!(mesh.is_cluster_host(name), "{name}");
        }
        for name in ["api.example.com", "example.com", "cart.example", "svc-a.example.com"] {
            assert!(!mesh.is_cluster_host(name), "{name}");
        }
    }
}
