//! `misc.access-logging`: does each proxy log its requests, where, in which format, by whose word, and what would switch
//! it on. What is configured is checked against the proxy's own listeners.

mod judge;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    About, Cost, Invalid, Judgement, Permission, Step,
    input::check,
    mesh_pod::{self, MeshWorkload},
};
use cluster::{Cluster, Error, pod_http::Place, read};
use envoy::{
    access_loggers::{AccessLoggers, access_loggers},
    config_dump::ConfigDump,
    proxy_config,
};
use mesh::{AccessLogging, Kind, KindSet, Mesh, Perspective};
use problems::{Problem, all_named};
use report::{Code, Read, Skipped};

/// Problems of the catalogue that this step names.
const PROBLEMS: &[&Problem] = &all_named([
    "obs/access-log-off",
    "obs/access-log-partial",
    "obs/access-log-format",
    "obs/telemetry-wrong-root",
    "obs/telemetry-blocked",
    "meshcfg/provider-undefined",
    "meshcfg/provider-service-missing",
]);

/// Proxies that are asked, unless the caller says otherwise.
const PROXIES: u32 = 50;
const AT_ONCE: usize = 8;

pub(super) static CODES: &[&Code] = judge::CODES;

/// The step.
pub struct AccessLogs;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccessLogsInput {
    /// Namespaces to look at. Default: all.
    #[param(max_items = 100)]
    pub namespace: Vec<String>,
    /// Look at all namespaces; the default when none is named.
    pub all_namespaces: bool,
    /// Only workloads of this revision, or of the revision that this tag points to. Default: every revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub revision: Option<String>,
    /// Believe the configuration, and ask no proxy for its listeners.
    pub without_listeners: bool,
    /// Proxies that are asked, one of each workload (default 50).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub proxies: Option<u32>,
}

/// Who logs.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccessLogsData {
    pub workloads: Vec<WorkloadLogging>,
    pub counts: LoggingCounts,
    /// A Telemetry that has the whole mesh log.
    pub manifest: String,
}

/// Workloads by whether they log.
#[derive(Debug, Default, Clone, Copy, Serialize, ToSchema)]
pub struct LoggingCounts {
    /// At both ends; gateways at their only one.
    pub logging: usize,
    /// At one end.
    pub partly: usize,
    pub silent: usize,
}

/// What one workload logs.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkloadLogging {
    pub namespace: String,
    pub kind: String,
    pub name: String,
    pub revision: String,
    /// A gateway, which is the client's end alone.
    pub gateway: bool,
    /// Of requests that it sends.
    pub client: AccessLogging,
    /// Of requests that it gets; null for a gateway.
    pub server: Option<AccessLogging>,
    /// What the listeners of one of its proxies have; null where none was asked, or none answered.
    pub listeners: Option<AccessLoggers>,
    /// Whether the listeners log as configured; null where that is not known.
    pub as_configured: Option<bool>,
    /// A Telemetry that has this workload log, where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

pub struct Evidence {
    mesh: Mesh,
    workloads: Vec<MeshWorkload>,
    /// The listeners by `namespace/pod`.
    /// By pod, as `namespace/name`; a pod that could not be read is not there, but skipped.
    loggers: BTreeMap<String, AccessLoggers>,
    skipped: Vec<Skipped>,
}

impl Step for AccessLogs {
    const ABOUT: About = About {
        id: "misc.access-logging",
        title: "Find which proxies log their requests",
        description: "For each workload and gateway whether its proxy logs requests, where, in which format and by which \
            setting (mesh configuration, Telemetry), checked against its listeners, and what would switch it on.",
        guide: "misc/6-access-logging",
        method: "GET",
        endpoint: "/v1/misc/access-logging",
        mutating: false,
        permissions: &[
            Permission::core("list", "namespaces"),
            Permission::core("list", "pods"),
            Permission::core("list", "configmaps"),
            Permission { verb: "list", group: "telemetry.istio.io", resource: "telemetries" },
            Permission::core("create", "pods/portforward"),
        ],
        cost: Cost::High,
        command: "kubectl get telemetries -A; istioctl proxy-config listeners <pod> -n <namespace> -o json",
        docs: "https://istio.io/latest/docs/tasks/observability/logs/access-log/",
    };
    type Input = AccessLogsInput;
    type Evidence = Evidence;
    type Data = AccessLogsData;

    fn check(input: &AccessLogsInput) -> Vec<Invalid> {
        let mut invalid = check::place(&input.namespace, input.all_namespaces);
        invalid.extend(check::name("revision", input.revision.as_deref()));
        invalid.extend(check::range("proxies", input.proxies, 1, 500));
        invalid
    }

    async fn gather(cluster: &Cluster, input: &AccessLogsInput) -> Result<Evidence, Error> {
        let kinds: KindSet = detectors::kinds(&detectors::that_detect(PROBLEMS)).with(Kind::Pod).with(Kind::Telemetry);
        let perspective = Perspective { compatible: false, revision: input.revision.clone() };
        let mesh = cluster.whole_mesh(kinds).await?.build().seen_from(perspective);
        let workloads = mesh_pod::workloads(&mesh, &input.namespace, input.revision.as_deref());
        let mut evidence = Evidence { mesh, workloads, loggers: BTreeMap::new(), skipped: Vec::new() };
        if !input.without_listeners {
            evidence.ask(cluster, input.proxies.unwrap_or(PROXIES) as usize).await?;
        }
        Ok(evidence)
    }

    fn judge(_: &AccessLogsInput, evidence: Evidence) -> Judgement<AccessLogsData> {
        judge::judge(evidence)
    }
}

impl Evidence {
    /// Asks one ready proxy of each workload for its listeners.
    async fn ask(&mut self, cluster: &Cluster, most: usize) -> Result<(), Error> {
        let ready: Vec<Place> = self.workloads.iter().filter_map(|workload| workload.envoy(&self.mesh)).collect();
        if ready.len() > most {
            let what = format!("listeners of {} workloads", ready.len() - most);
            self.skipped.push(Skipped::new(what, format!("at most {most} proxies are asked")));
        }
        let path = format!("/{}", proxy_config::Kind::Listener.page());
        let path = path.as_str();
        let mut pages = stream::iter(ready.into_iter().take(most))
            .map(|place| async move {
                let pod = format!("{}/{}", place.namespace, place.pod);
                (pod, cluster.port_at(place).page(path).await)
            })
            .buffer_unordered(AT_ONCE);
        // One page after the other, as each may be large.
        while let Some((pod, page)) = pages.next().await {
            self.add(pod, read(page)?);
        }
        Ok(())
    }

    fn add(&mut self, pod: String, page: Read<Bytes>) {
        let found = page.and_then(|page| {
            let found = ConfigDump::parse(&page).and_then(|dump| access_loggers(&dump));
            found.map_err(|error| Skipped::new(format!("listeners of {pod}"), error.to_string()))
        });
        match found {
            Ok(found) => drop(self.loggers.insert(pod, found)),
            Err(skipped) => self.skipped.push(skipped),
        }
    }
}
