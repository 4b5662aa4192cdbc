//! What containers use of CPU and memory, as the metrics API has it
//! (<https://kubernetes.io/docs/tasks/debug/debug-cluster/resource-metrics-pipeline/#metrics-api>), and what they may use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use cluster::{self, Cluster, Error, Resource, Scope};
use mesh::{Object, View, Workload, quantity};
use report::{Read, Skipped};

/// Use of all pods, by namespace, pod and container.
#[derive(Debug, Default)]
pub(super) struct PodUsage {
    containers: BTreeMap<(String, String, String), Usage>,
    /// Namespaces that may not be read.
    pub(super) skipped: Vec<Skipped>,
}

/// Use of one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) cpu_millicores: u64,
    pub(super) memory_bytes: u64,
}

/// Where a figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UseSource {
    /// The metrics API (`metrics.k8s.io`): the container as a whole, as the kubelet measured it.
    MetricsApi,
    /// Envoy's page `/memory`: Envoy alone, without the agent beside it.
    Envoy,
    /// The process itself, by its own metrics.
    Process,
}

/// Use of one resource against what the container asked for and may have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct ResourceUse {
    /// Absent where nothing tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<UseSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// Absent where the node is the only limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Use in percent of the limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_limit: Option<u64>,
    /// Use in percent of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_request: Option<u64>,
}

/// CPU (thousandths of a core) and memory (bytes) of one container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct ContainerUse {
    pub cpu_millicores: ResourceUse,
    pub memory_bytes: ResourceUse,
}

/// Reads the metrics API. A cluster without one is no error.
pub(super) async fn read(cluster: &Cluster, scope: &Scope) -> Result<Read<PodUsage>, Error> {
    #[derive(Deserialize)]
    struct PodMetrics {
        metadata: Metadata,
        #[serde(default)]
        containers: Vec<Container>,
    }

    #[derive(Deserialize)]
    struct Metadata {
        name: String,
        #[serde(default)]
        namespace: String,
    }

    #[derive(Deserialize)]
    struct Container {
        name: String,
        #[serde(default)]
        usage: BTreeMap<String, String>,
    }

    let resource = Resource::known("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", true);
    let listed = cluster.list::<PodMetrics>(&resource, scope, None).await;
    if let Err(Error::NotFound { .. }) = listed {
        let why = "this cluster has no metrics API (metrics.k8s.io): metrics-server is not installed";
        return Ok(Err(Skipped::new("use of CPU and memory by all containers", why)));
    }
    let listed = match cluster::read(listed)? {
        Ok(listed) => listed,
        Err(reason) => {
            return Ok(Err(Skipped::new("use of CPU and memory by all containers (metrics.k8s.io)", reason.why)));
        }
    };
    let mut usage = PodUsage { skipped: listed.skipped, ..PodUsage::default() };
    for pod in listed.items {
        for container in pod.containers {
            let amount = |name: &str| container.usage.get(name).map(String::as_str);
            let cpu = amount("cpu").and_then(quantity::millicores);
            let memory = amount("memory").and_then(quantity::bytes);
            if let (Some(cpu_millicores), Some(memory_bytes)) = (cpu, memory) {
                let key = (pod.metadata.namespace.clone(), pod.metadata.name.clone(), container.name);
                usage.containers.insert(key, Usage { cpu_millicores, memory_bytes });
            }
        }
    }
    Ok(Ok(usage))
}

impl PodUsage {
    pub(super) fn of(&self, namespace: &str, pod: &str, container: &str) -> Option<Usage> {
        self.containers.get(&(namespace.to_owned(), pod.to_owned(), container.to_owned())).copied()
    }
}

impl ContainerUse {
    /// What a container of a pod asks for and may have, with its use where the metrics API tells it.
    pub(super) fn new(pod: &Object, container: &str, usage: &Read<PodUsage>) -> Self {
        let mut containers = Workload::of_pod(pod).containers();
        let found = containers.find(|found| found.get("name").text() == container).unwrap_or(View::MISSING);
        let amount = |list: &str, name: &str| found.path(&["resources", list]).get(name).written().to_owned();
        let part = |name: &str, read: fn(&str) -> Option<u64>| ResourceUse {
            request: read(&amount("requests", name)),
            limit: read(&amount("limits", name)),
            ..ResourceUse::default()
        };
        let mut this =
            Self { cpu_millicores: part("cpu", quantity::millicores), memory_bytes: part("memory", quantity::bytes) };
        if let Some(usage) = usage.as_ref().ok().and_then(|all| all.of(pod.namespace(), pod.name(), container)) {
            this.cpu_millicores.set(usage.cpu_millicores, UseSource::MetricsApi);
            this.memory_bytes.set(usage.memory_bytes, UseSource::MetricsApi);
        }
        this
    }
}

impl ResourceUse {
    pub(super) fn set(&mut self, used: u64, from: UseSource) {
        let percent = |of: Option<u64>| of.and_then(|of| quantity::share(used, of)).map(|s| quantity::whole(s * 100.0));
        self.percent_of_limit = percent(self.limit);
        self.percent_of_request = percent(self.request);
        self.used = Some(used);
        self.from = Some(from);
    }

    /// The same from a second source, where the first told nothing.
    pub(super) fn set_if_unknown(&mut self, used: u64, from: UseSource) {
        if self.used.is_none() {
            self.set(used, from);
        }
    }
}

/// An amount of memory for people.
pub(super) fn memory_text(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes < MIB { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", (bytes + MIB / 2) / MIB) }
}

/// An amount of CPU for people, as Kubernetes writes it.
pub(super) fn cpu_text(millicores: u64) -> String {
    format!("{millicores}m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_compared_with_what_is_allowed() {
        let mut memory = ResourceUse { request: Some(100), limit: Some(400), ..ResourceUse::default() };
        memory.set_if_unknown(300, UseSource::Envoy);
        memory.set_if_unknown(1, UseSource::Process);
        assert_eq!((memory.percent_of_limit, memory.percent_of_request), (Some(75), Some(300)));
        assert_eq!((memory.used, memory.from), (Some(300), Some(UseSource::Envoy)));
        assert_eq!([memory_text(300 << 10), memory_text(19_852_094), cpu_text(1500)], ["300 KiB", "19 MiB", "1500m"]);
    }
}
