//! Which requests are between the two ends that were asked for. A source calls others as well, and a destination is called
//! by others: what is said of those stands apart.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;

use super::{End, target};
use logs::{AccessLogLine, Side};

/// The two ends, by their addresses, and by what Services of the destination may be called.
pub(super) struct Between<'e> {
    source: BTreeSet<&'e str>,
    destination: Vec<&'e Pod>,
    addresses: BTreeSet<&'e str>,
    /// Name and namespace of the destination as it was asked for, where that is a Service.
    service: Option<(&'e str, &'e str)>,
}

impl<'e> Between<'e> {
    pub(super) fn new(source: &'e End, destination: &'e End, place: &'e str) -> Self {
        let service = match place.split('/').collect::<Vec<_>>().as_slice() {
            [namespace, "service" | "services" | "svc", name] => Some((*name, *namespace)),
            _ => None,
        };
        let pods: Vec<&Pod> = destination.pods.iter().map(|logs| &logs.pod).collect();
        let addresses = pods.iter().filter_map(|pod| address(pod)).collect();
        let source = source.pods.iter().filter_map(|logs| address(&logs.pod)).collect();
        Self { source, destination: pods, addresses, service }
    }

    /// Whether a line of either end is about the other one.
    pub(super) fn holds(&self, line: &AccessLogLine) -> bool {
        match line.side() {
            Side::Inbound => {
                line.downstream_remote_address.as_deref().is_none_or(|at| self.source.contains(host_of(at)))
            }
            Side::Outbound => match line.upstream_host.as_deref().map(host_of) {
                Some(address) if self.addresses.contains(address) => true,
                _ => self.is_called(line),
            },
        }
    }

    /// Whether a request names a Service that may have the destination's pods; one that reached no pod has only a name.
    fn is_called(&self, line: &AccessLogLine) -> bool {
        let of_cluster = line.upstream_cluster.as_ref().and_then(|cluster| cluster.host.as_deref());
        let Some(host) = of_cluster.or(line.authority.as_deref()) else { return false };
        let mut labels = host_of(host).split('.');
        let (name, namespace) = (labels.next().unwrap_or_default(), labels.next());
        if let Some((own, place)) = self.service {
            return name == own && namespace.is_none_or(|namespace| namespace == place);
        }
        self.destination.iter().any(|pod| {
            let app = pod.metadata.labels.as_ref().and_then(|labels| labels.get("app"));
            let has_name = app.is_some_and(|app| app == name)
                || target::name(pod).strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
            has_name && namespace.is_none_or(|namespace| namespace == target::namespace(pod))
        })
    }
}

fn address(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.pod_ip.as_deref()
}

/// The address without its port.
fn host_of(address: &str) -> &str {
    let host = match address.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => address,
    };
    host.trim_matches(['[', ']'])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::{super::PodLogs, *};

    fn end(name: &str, ip: &str) -> End {
        let pod = json!({"metadata": {"name": name, "namespace": "shop"}, "status": {"podIP": ip}});
        End { pods: vec![PodLogs { pod: serde_json::from_value(pod).unwrap(), proxy: None, applications: Vec::new() }] }
    }

    fn line(upstream: &str, cluster: &str, remote: &str) -> AccessLogLine {
        let text = format!(
            r#"[2026-03-01T10:00:00.000Z] "GET / HTTP/1.1" 503 UH no_healthy_upstream - "-" 0 95 2 - "-" "curl" "1" "x" "{upstream}" {cluster} 10.0.0.1:1 10.1.0.1:80 {remote} - default"#
        );
        AccessLogLine::parse(&text).unwrap()
    }

    #[test]
    fn requests_of_other_pairs_stand_apart() {
        let (source, destination) = (end("web-1", "10.0.0.1"), end("cart-7d9-x", "10.0.0.2"));
        let between = Between::new(&source, &destination, "shop/cart-7d9-x");
        let holds = |upstream: &str, cluster: &str, remote: &str| between.holds(&line(upstream, cluster, remote));
        assert!(holds("10.0.0.2:80", "outbound|80||other.bank.svc.cluster.local", "10.0.0.1:2"));
        assert!(holds("-", "outbound|80||cart.shop.svc.cluster.local", "10.0.0.1:2"), "it reached no pod");
        assert!(!holds("10.0.0.9:80", "outbound|80||till.shop.svc.cluster.local", "10.0.0.1:2"));
        assert!(!holds("-", "outbound|80||cart.bank.svc.cluster.local", "10.0.0.1:2"), "of another namespace");
        assert!(holds("10.0.0.2:80", "inbound|80||", "10.0.0.1:2"));
        assert!(!holds("10.0.0.2:80", "inbound|80||", "10.0.0.7:2"), "another client");
    }

    #[test]
    fn a_service_is_known_by_its_name() {
        let (source, destination) = (end("web-1", "10.0.0.1"), end("cart-7d9-x", "10.0.0.2"));
        let between = Between::new(&source, &destination, "shop/service/basket");
        assert!(between.holds(&line("-", "outbound|80||basket.shop.svc.cluster.local", "10.0.0.1:2")));
        assert!(!between.holds(&line("-", "outbound|80||cart.shop.svc.cluster.local", "10.0.0.1:2")));
    }
}
