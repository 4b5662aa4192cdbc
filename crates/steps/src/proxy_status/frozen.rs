//! Whether a proxy still sends requests to pods that are gone: it has missed what happened since, whatever it says of its
//! health.

use std::{collections::BTreeSet, net::IpAddr};

use envoy::{clusters_page::Clusters, config_dump::ConfigDump};
use jiff::Timestamp;

/// Endpoints that a message names.
const NAMED: usize = 3;

/// What a proxy has and Kubernetes has not.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    /// Address and destination of each endpoint that belongs to no pod.
    pub(super) endpoints: Vec<(String, String)>,
    /// All endpoints of Services that the proxy holds for healthy.
    pub(super) of: usize,
    /// When it took its configuration last.
    pub(super) since: Option<Timestamp>,
}

impl Gone {
    /// Healthy endpoints of Services in the page, against the addresses of all pods.
    pub(super) fn find(page: &Clusters, pods: &BTreeSet<IpAddr>) -> Self {
        let mut gone = Self::default();
        for cluster in page.clusters.iter().filter(|cluster| cluster.eds_service_name.is_some()) {
            let mut parts = cluster.name.splitn(4, '|');
            let (Some("outbound"), Some(port), Some(_), Some(host)) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            // Hosts outside the cluster have addresses of their own.
            if !host.contains(".svc.") {
                continue;
            }
            for endpoint in cluster.hosts.iter().filter(|endpoint| endpoint.health.is_healthy()) {
                let Ok(address) = endpoint.address.address.parse::<IpAddr>() else { continue };
                gone.of += 1;
                if !pods.contains(&address) {
                    gone.endpoints.push((endpoint.address.text(), format!("{host}:{port}")));
                }
            }
        }
        gone
    }

    /// `3 of its 40 healthy endpoints belong to no pod any more (10.0.0.9:8080 of cart.shop.svc.cluster.local:80 …)`.
    pub(super) fn words(&self) -> Option<String> {
        if self.endpoints.is_empty() {
            return None;
        }
        let named: Vec<String> =
            self.endpoints.iter().take(NAMED).map(|(address, host)| format!("{address} of {host}")).collect();
        let more = if self.endpoints.len() > NAMED { " …" } else { "" };
        let since = self.since.map(|since| format!(", so it is frozen since {since:.0}")).unwrap_or_default();
        Some(format!(
            "{} of its {} healthy endpoints belong to no pod any more ({}{more}){since}",
            self.endpoints.len(),
            self.of,
            named.join(", ")
        ))
    }
}

/// When the proxy took clusters or listeners last.
pub(super) fn last_update(dump: &[u8]) -> Option<Timestamp> {
    ConfigDump::parse(dump).ok()?.last_update()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const PAGE: &str = "\
outbound|80||cart.shop.svc.cluster.local::default_priority::max_connections::1\n\
outbound|80||cart.shop.svc.cluster.local::eds_service_name::outbound|80||cart.shop.svc.cluster.local\n\
outbound|80||cart.shop.svc.cluster.local::10.0.0.2:8080::health_flags::healthy\n\
outbound|80||cart.shop.svc.cluster.local::10.0.0.9:8080::health_flags::healthy\n\
outbound|80||cart.shop.svc.cluster.local::10.0.0.8:8080::health_flags::/failed_outlier_check\n\
outbound|443||api.example.com::eds_service_name::outbound|443||api.example.com\n\
outbound|443||api.example.com::203.0.113.1:443::health_flags::healthy\n";

    fn gone(pods: &[&str]) -> Gone {
        let pods = pods.iter().map(|address| address.parse().unwrap()).collect();
        Gone::find(&Clusters::parse(PAGE.as_bytes()).unwrap(), &pods)
    }

    #[test]
    fn endpoints_without_a_pod_are_found() {
        let found = gone(&["10.0.0.2"]);
        let expected = ("10.0.0.9:8080".to_owned(), "cart.shop.svc.cluster.local:80".to_owned());
        assert_eq!((found.endpoints.as_slice(), found.of), ([expected].as_slice(), 2));
        assert!(found.words().unwrap().starts_with("1 of its 2 healthy endpoints"));
    }

    #[test]
    fn endpoints_with_a_pod_and_those_outside_are_well() {
        assert_eq!(gone(&["10.0.0.2", "10.0.0.9"]).words(), None);
    }

    #[test]
    fn the_last_update_is_the_newest() {
        let dump = r#"{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
            "dynamic_active_clusters": [{"cluster": {"name": "a"}, "last_updated": "2026-03-01T10:00:00Z"},
            {"cluster": {"name": "b"}, "last_updated": "2026-03-02T10:00:00Z"}]}]}"#;
        assert_eq!(last_update(dump.as_bytes()), "2026-03-02T10:00:00Z".parse().ok());
        assert_eq!(last_update(b"{}"), None);
    }
}
