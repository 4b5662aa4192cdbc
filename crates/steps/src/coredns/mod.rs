//! `misc.coredns`: whether the cluster's DNS keeps up, and what the mesh asks of it. Guide section misc/3.

mod capture;
pub(crate) mod codes;
mod configuration;
mod data;
mod findings;
mod gather;
mod input;
mod judge;
mod load;
mod metrics;
mod tables;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;

pub(super) use codes::CODES;
pub use data::CorednsData;
pub(crate) use gather::Evidence;
pub use input::CorednsInput;

use super::{About, Cost, Invalid, Judgement, Permission, Step};
use cluster::{Cluster, Error};

/// The cluster's DNS.
pub struct Coredns;

impl Step for Coredns {
    const ABOUT: About = About {
        id: "misc.coredns",
        title: "CoreDNS and what the mesh asks of it",
        description: "Configuration, replicas, load, cache and errors of CoreDNS, from its own metrics and logs; and how \
            many look-ups the ServiceEntries with DNS resolution make, times the proxies that know them.",
        guide: "misc/3-coredns",
        method: "GET",
        endpoint: "/v1/misc/coredns",
        mutating: false,
        permissions: &[
            Permission::core("list", "pods"),
            Permission::core("list", "configmaps"),
            Permission::core("list", "namespaces"),
            Permission::core("get", "pods/log"),
            Permission::core("create", "pods/portforward"),
            Permission { verb: "list", group: "apps", resource: "deployments" },
            Permission { verb: "list", group: "metrics.k8s.io", resource: "pods" },
            Permission { verb: "list", group: "networking.istio.io", resource: "*" },
        ],
        cost: Cost::Medium,
        command: "kubectl logs --namespace kube-system --selector k8s-app=kube-dns",
        docs: "https://learn.microsoft.com/azure/aks/coredns-troubleshoot",
    };
    type Input = CorednsInput;
    type Evidence = Evidence;
    type Data = CorednsData;

    fn check(input: &CorednsInput) -> Vec<Invalid> {
        input.check()
    }

    async fn gather(cluster: &Cluster, input: &CorednsInput) -> Result<Evidence, Error> {
        gather::gather(cluster, input).await
    }

    fn judge(input: &CorednsInput, evidence: Evidence) -> Judgement<CorednsData> {
        judge::judge(input, evidence)
    }

    fn raw(_: &CorednsInput, data: &CorednsData) -> Option<String> {
        Some(tables::text(data))
    }
}
