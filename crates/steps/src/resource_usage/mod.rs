//! `misc.resource-usage`: what proxies and istiod use against what they may use, how much configuration each proxy holds
//! and how much of it its namespace calls, and what would make it less. Guide section misc/1.

pub(crate) mod codes;
mod concurrency;
mod data;
mod discovery_selectors;
mod facts;
mod findings;
mod gather;
mod input;
mod judge;
mod manifest;
mod scope;
mod statistics;
mod tables;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
mod virtual_services;

pub(super) use codes::CODES;
pub use data::ResourceUsageData;
pub(crate) use gather::Evidence;
pub use input::ResourceUsageInput;

use super::{About, Cost, Invalid, Judgement, Permission, Step};
use cluster::{Cluster, Error};

/// Resource usage of the mesh.
pub struct ResourceUsage;

impl Step for ResourceUsage {
    const ABOUT: About = About {
        id: "misc.resource-usage",
        title: "Resource usage of proxies and istiod",
        description: "Memory and CPU of proxies and istiod against their requests and limits, how much configuration and \
            how many statistics each proxy has, worker threads against the CPU limit; and which clusters a namespace \
            really calls, with the Sidecar that would leave the others out and the traffic that it would cut off.",
        guide: "misc/1-resource-usage",
        method: "GET",
        endpoint: "/v1/misc/resource-usage",
        mutating: false,
        permissions: &[
            Permission::core("list", "pods"),
            Permission::core("list", "services"),
            Permission::core("list", "namespaces"),
            Permission::core("list", "configmaps"),
            Permission::core("get", "pods/log"),
            Permission::core("create", "pods/portforward"),
            Permission { verb: "list", group: "metrics.k8s.io", resource: "pods" },
            Permission { verb: "list", group: "networking.istio.io", resource: "*" },
        ],
        cost: Cost::High,
        command: "kubectl top pod --containers --all-namespaces",
        docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-general-troubleshooting",
    };
    type Input = ResourceUsageInput;
    type Evidence = Evidence;
    type Data = ResourceUsageData;

    fn check(input: &ResourceUsageInput) -> Vec<Invalid> {
        input.check()
    }

    async fn gather(cluster: &Cluster, input: &ResourceUsageInput) -> Result<Evidence, Error> {
        gather::gather(cluster, input).await
    }

    fn judge(input: &ResourceUsageInput, evidence: Evidence) -> Judgement<ResourceUsageData> {
        judge::judge(input, evidence)
    }

    fn raw(_: &ResourceUsageInput, data: &ResourceUsageData) -> Option<String> {
        Some(tables::text(data))
    }
}
