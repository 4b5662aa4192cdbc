//! `misc.startup-race`: can applications start before their proxy, and did they.

mod judge;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
mod workload;

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use workload::{EarlyExit, HoldSetting, Protection};

use super::{About, Cost, Invalid, Judgement, Permission, Step, input::check};
use cluster::{Cluster, Error, LogQuery, read};
use mesh::{Kind, KindSet, Mesh, Object, Perspective};
use problems::{Problem, all_named};
use report::{Code, Skipped};

/// Problems of the catalogue that this step names.
const PROBLEMS: &[&Problem] = &all_named([
    "inject/race-app-first",
    "inject/init-needs-network",
    "inject/native-sidecar-expected",
    "inject/outdated-settings",
    "meshcfg/wrong-level",
    "meshcfg/unknown-field",
    "meshcfg/overridden",
    "meshcfg/bad-yaml",
    "meshcfg/no-mesh-key",
    "meshcfg/shared-misnamed",
]);

/// Previous logs that are read.
const MAX_LOGS: usize = 20;
const LOG_LINES: u32 = 200;
const LOG_BYTES: u32 = 256 * 1024;

pub(super) static CODES: &[&Code] = judge::CODES;

/// The step.
pub struct StartupRace;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StartupRaceInput {
    /// Namespaces to look at. Default: all.
    #[param(max_items = 100)]
    pub namespace: Vec<String>,
    /// Look at all namespaces; the default when none is named.
    pub all_namespaces: bool,
    /// Only workloads of this revision, or of the revision that this tag points to. Default: every revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub revision: Option<String>,
}

/// Who may start before his proxy.
#[derive(Debug, Serialize, ToSchema)]
pub struct StartupRaceData {
    pub revisions: Vec<RevisionStart>,
    /// Workloads with a sidecar, those with trouble first.
    pub workloads: Vec<WorkloadStart>,
}

/// What new pods of a revision get.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevisionStart {
    pub revision: String,
    /// `holdApplicationUntilProxyStarts` in its mesh configuration.
    pub hold: HoldSetting,
    /// `ENABLE_NATIVE_SIDECARS` of istiod, where it is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_sidecars: Option<bool>,
    /// Pods of this revision by what protects them now.
    pub pods: ProtectionCounts,
    /// What to apply so that applications wait: for the whole revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, Serialize, ToSchema)]
pub struct ProtectionCounts {
    pub native_sidecar: usize,
    pub held: usize,
    pub none: usize,
}

/// A workload with a sidecar.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkloadStart {
    pub namespace: String,
    pub kind: String,
    pub name: String,
    /// The revision that injected its pods.
    pub revision: String,
    pub pods: usize,
    /// What protects its pods now: the weakest of them.
    pub protection: Protection,
    /// What the mesh and its annotations say for pods that are created now. Native sidecars need none of it.
    pub hold: HoldSetting,
    /// The setting asks for more than the pods have: they were created before it.
    pub needs_restart: bool,
    pub early_exits: Vec<EarlyExit>,
}

pub struct Evidence {
    mesh: Mesh,
    /// By `namespace/pod/container`: the line of the previous log that tells of a failed connection.
    lines: Vec<(String, Option<String>)>,
    skipped: Vec<Skipped>,
}

impl StartupRaceInput {
    fn namespaces(&self) -> BTreeSet<String> {
        self.namespace.iter().cloned().collect()
    }

    fn covers(&self, namespace: &str) -> bool {
        self.namespace.is_empty() || self.namespace.iter().any(|covered| covered == namespace)
    }
}

impl Step for StartupRace {
    const ABOUT: About = About {
        id: "misc.startup-race",
        title: "Find applications that start before their proxy",
        description: "What keeps each workload from starting before its sidecar (native sidecars, or \
            holdApplicationUntilProxyStarts by mesh and annotation), which pods ended at once because of it, and what to set.",
        guide: "misc/4-race",
        method: "GET",
        endpoint: "/v1/misc/startup-race",
        mutating: false,
        permissions: &[
            Permission::core("list", "namespaces"),
            Permission::core("list", "pods"),
            Permission::core("list", "configmaps"),
            Permission::core("list", "events"),
            Permission::core("get", "pods/log"),
            Permission { verb: "list", group: "apps", resource: "deployments" },
        ],
        cost: Cost::Medium,
        command: "kubectl get configmap istio-shared-configmap-<revision> -n aks-istio-system -o jsonpath='{.data.mesh}'",
        docs: "https://istio.io/latest/docs/ops/common-problems/injection/\
            #pod-or-containers-start-with-network-issues-if-istio-proxy-is-not-ready",
    };
    type Input = StartupRaceInput;
    type Evidence = Evidence;
    type Data = StartupRaceData;

    fn check(input: &StartupRaceInput) -> Vec<Invalid> {
        let mut invalid = check::place(&input.namespace, input.all_namespaces);
        invalid.extend(check::name("revision", input.revision.as_deref()));
        invalid
    }

    async fn gather(cluster: &Cluster, input: &StartupRaceInput) -> Result<Evidence, Error> {
        let kinds: KindSet = detectors::kinds(&detectors::that_detect(PROBLEMS)).with(Kind::Pod);
        let perspective = Perspective { compatible: false, revision: input.revision.clone() };
        let mesh = cluster.whole_mesh(kinds).await?.build().seen_from(perspective);
        let suspects = suspects(&mesh, input);
        let mut skipped = Vec::new();
        if suspects.len() > MAX_LOGS {
            let what = format!("previous logs of {} containers", suspects.len() - MAX_LOGS);
            skipped.push(Skipped::new(what, format!("at most {MAX_LOGS} are read")));
        }
        let query =
            LogQuery { tail: Some(LOG_LINES), previous: true, limit_bytes: Some(LOG_BYTES), ..LogQuery::default() };
        let query = &query;
        let logs: Vec<_> = stream::iter(suspects.into_iter().take(MAX_LOGS))
            .map(|(namespace, exit)| async move {
                let log = cluster.log(&namespace, &exit.pod, &exit.container, query).await;
                (judge::key(&namespace, &exit), log)
            })
            .buffered(8)
            .collect()
            .await;
        let mut lines = Vec::new();
        for (key, log) in logs {
            match read(log)? {
                Ok(log) => {
                    let line = log.lines().filter(|line| workload::is_about_connections(line)).last();
                    lines.push((key, line.map(|line| line.chars().take(300).collect())));
                }
                Err(part) => skipped.push(part),
            }
        }
        Ok(Evidence { mesh, lines, skipped })
    }

    fn judge(input: &StartupRaceInput, evidence: Evidence) -> Judgement<StartupRaceData> {
        judge::judge(input, evidence)
    }
}

/// Containers that ended at once, before their proxy can have been ready, each with its namespace.
fn suspects(mesh: &Mesh, input: &StartupRaceInput) -> Vec<(String, EarlyExit)> {
    let pods = mesh.each(Kind::Pod).filter(|pod| input.covers(pod.namespace()));
    pods.filter(|pod| may_race(pod))
        .flat_map(|pod| workload::early_exits(pod).into_iter().map(|exit| (pod.namespace().to_owned(), exit)))
        .collect()
}

fn may_race(pod: &Object) -> bool {
    workload::protection(pod) == Some(Protection::None)
}
