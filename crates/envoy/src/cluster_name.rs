//! The names that istiod gives to Envoy's clusters.

use std::cmp::Ordering;

use serde::Serialize;
use utoipa::ToSchema;

/// A cluster's name in its parts, `direction|port|subset|fqdn`. Any other name is a host alone.
///
/// Ordered by host, subset, port and direction, as istioctl lists clusters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, ToSchema)]
pub struct ClusterName {
    /// `inbound`, `outbound`, `inbound-vip` …; empty for a cluster that does not stand for a service.
    pub direction: String,
    pub port: u64,
    pub subset: String,
    pub fqdn: String,
}

impl ClusterName {
    pub fn parse(name: &str) -> Self {
        let mut parts = name.split('|');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(direction), Some(port), Some(subset), Some(fqdn)) => Self {
                direction: direction.to_owned(),
                port: port.parse().unwrap_or_default(),
                subset: subset.to_owned(),
                fqdn: fqdn.to_owned(),
            },
            _ => Self { fqdn: name.to_owned(), ..Self::default() },
        }
    }

    /// Whether the name has the parts of a service, so that port, subset and direction mean something.
    pub fn is_service(name: &str) -> bool {
        name.split('|').count() >= 4
    }

    fn key(&self) -> (&str, &str, u64, &str) {
        (&self.fqdn, &self.subset, self.port, &self.direction)
    }
}

impl Ord for ClusterName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for ClusterName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
