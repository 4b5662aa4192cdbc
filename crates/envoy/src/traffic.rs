//! Where a proxy sends traffic, by its own counters: those of `/clusters` are there whatever statistics are switched off.
//! They begin anew when an endpoint is replaced, so they show what was used of late, and not that nothing else is.

use super::cluster_name::ClusterName;
use super::clusters_page::Clusters;

/// What a proxy has sent, and how many endpoints it knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Outbound destinations with at least one connection, by host and port.
    pub used: Vec<UsedCluster>,
    /// Hosts of all clusters.
    pub endpoints: usize,
    /// Clusters that have hosts of no kind.
    pub without_hosts: Vec<String>,
}

/// An outbound cluster that has been used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsedCluster {
    pub host: String,
    pub port: u64,
    pub requests: u64,
    pub connections: u64,
}

impl Traffic {
    pub fn of(page: &Clusters) -> Self {
        let mut traffic = Self::default();
        for cluster in &page.clusters {
            traffic.endpoints += cluster.hosts.len();
            if cluster.hosts.is_empty() {
                traffic.without_hosts.push(cluster.name.clone());
            }
            let name = ClusterName::parse(&cluster.name);
            if name.direction != "outbound" {
                continue;
            }
            let requests = cluster.hosts.iter().map(|host| host.stats.rq_total).sum();
            let connections = cluster.hosts.iter().map(|host| host.stats.cx_total).sum();
            if requests > 0 || connections > 0 {
                traffic.used.push(UsedCluster { host: name.fqdn, port: name.port, requests, connections });
            }
        }
        traffic
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn outbound_clusters_with_traffic_are_used() {
        let page = "outbound|80||cart.shop::added_via_api::true\n\
            outbound|80||cart.shop::10.0.0.1:8080::cx_total::2\noutbound|80||cart.shop::10.0.0.1:8080::rq_total::7\n\
            outbound|80||idle.shop::added_via_api::true\noutbound|80||idle.shop::10.0.0.2:8080::cx_total::0\n\
            inbound|8080||::added_via_api::true\ninbound|8080||::10.0.0.3:8080::cx_total::9\n\
            outbound|443||api.example.com::added_via_api::true\n";
        let traffic = Traffic::of(&Clusters::parse(page.as_bytes()).unwrap());
        let cart = UsedCluster { host: "cart.shop".to_owned(), port: 80, requests: 7, connections: 2 };
        assert_eq!(traffic.used, [cart]);
        assert_eq!((traffic.endpoints, traffic.without_hosts), (3, vec!["outbound|443||api.example.com".to_owned()]));
    }
}
