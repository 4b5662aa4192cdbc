//! `istioctl.bug-report`: what a bug report would collect, and the words of its answer. The collection itself writes an
//! archive and is carried out by [`crate::runs::bug_report`].

mod config_file;
mod input;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use config_file::ConfigFile;
pub use input::{BugReportInput, ReportLayout, Wanted};

use super::{
    About, Cost, Invalid, Judgement, Permission, Step, counted, istiod_logs::DISCOVERY, lean_pod::LeanPod,
    resource_status::quoted, target,
};
use cluster::{self, Cluster, Error, Listed, Resource, Scope};
use report::{Counts, Read, Skipped, Verdict};
use selection::{Candidate, Selection};

pub struct BugReport;

pub struct Evidence {
    wanted: Wanted,
    pods: Read<Listed<LeanPod>>,
    control_plane: Vec<String>,
    skipped: Vec<Skipped>,
}

/// What a bug report collected, and what the steps found in it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct BugReportData {
    pub plan: BugReportPlan,
    /// The archive that was written; none after a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<BugReportArchive>,
    /// The steps that were carried out over what was collected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<ReportedStep>,
    /// The logs with the most errors, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<WeighedLog>,
}

/// What is to be collected, as far as it can be told beforehand.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BugReportPlan {
    /// The namespaces that are listed; null is all.
    pub namespaces: Option<Vec<String>>,
    /// Where istiod runs.
    pub control_plane: Vec<String>,
    pub pods: usize,
    pub istiods: usize,
    /// Pods with a sidecar, gateways and waypoints, each of which is asked for its pages.
    pub proxies: usize,
    /// A rough guess, unpacked.
    pub estimated_bytes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BugReportArchive {
    /// Its name among the run's artifacts.
    pub name: String,
    pub layout: ReportLayout,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
    pub files: usize,
    /// Secrets that were replaced.
    pub redacted: u64,
}

/// A step over what was collected.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReportedStep {
    pub step: String,
    /// Its inputs, where it had any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    pub verdict: Verdict,
    pub summary: String,
    pub counts: Counts,
    /// Fingerprints of what it found. What several steps find stands once among the findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WeighedLog {
    /// The file in the archive.
    pub file: String,
    /// 1000 for each fatal line, 100 for each error and 10 for each warning.
    pub importance: u64,
}

impl Step for BugReport {
    const ABOUT: About = About {
        id: "istioctl.bug-report",
        title: "Bug report",
        description: "Collects objects, logs and the pages of istiod and of every proxy into one archive without secrets, \
            and carries out every step over it. Runs in the background.",
        guide: "istioctl/6-bug-report",
        method: "POST",
        endpoint: "/v1/istioctl/bug-report",
        mutating: false,
        permissions: &[
            Permission::core("list", "pods"),
            Permission::core("get", "pods/log"),
            Permission::core("create", "pods/portforward"),
            Permission::core("get", "pods/portforward"),
            Permission { verb: "list", group: "*", resource: "*" },
        ],
        cost: Cost::High,
        command: "istioctl bug-report --istioNamespace aks-istio-system --include <namespace>",
        docs: "https://istio.io/latest/docs/reference/commands/istioctl/#istioctl-bug-report",
    };
    type Input = BugReportInput;
    type Evidence = Evidence;
    type Data = BugReportData;

    fn check(input: &BugReportInput) -> Vec<Invalid> {
        input.wanted(jiff::Timestamp::UNIX_EPOCH).err().unwrap_or_default()
    }

    async fn gather(cluster: &Cluster, input: &BugReportInput) -> Result<Evidence, Error> {
        let wanted = input.wanted(cluster.now()).map_err(|invalid| {
            let why = invalid.first().map(|invalid| invalid.message.clone()).unwrap_or_default();
            Error::Input { field: "include", why }
        })?;
        let set: Vec<String> = wanted.istio_namespace.iter().cloned().collect();
        let mut skipped = Vec::new();
        let control_plane = match cluster::read(cluster.control_plane(&set).await)? {
            Ok(found) => found.namespaces(),
            Err(why) => {
                skipped.push(why);
                set
            }
        };
        let scope = match wanted.selection.namespaces() {
            Some(named) => Scope::Namespaces(named.into_iter().chain(control_plane.iter().cloned()).collect()),
            None => Scope::All,
        };
        let pods = cluster::read(cluster.list(&Resource::pods(), &scope, None).await)?;
        Ok(Evidence { wanted, pods, control_plane, skipped })
    }

    fn judge(_: &BugReportInput, evidence: Evidence) -> Judgement<BugReportData> {
        let Evidence { wanted, pods, control_plane, mut skipped } = evidence;
        let commands = vec![command(&wanted.selection, &control_plane)];
        let mut allowed = None;
        let pods = match pods {
            Ok(listed) => {
                // Not everything may be listed: what came is what may be.
                if !listed.skipped.is_empty() {
                    let names = listed.items.iter().map(|pod| target::namespace(&pod.0).to_owned());
                    allowed = Some(names.collect::<BTreeSet<_>>());
                }
                skipped.extend(listed.skipped);
                listed.items
            }
            Err(why) => {
                skipped.push(why);
                Vec::new()
            }
        };
        let namespaces = wanted.selection.namespaces().or(allowed).map(|mut names| {
            names.extend(control_plane.iter().cloned());
            names.into_iter().collect()
        });
        let plan = plan(&wanted.selection, &pods, namespaces, control_plane);
        let summary = format!(
            "{}, {} and {} to collect",
            counted(plan.pods, "pod"),
            counted(plan.istiods, "istiod"),
            counted(plan.proxies, "proxy")
        );
        let data = BugReportData { plan, archive: None, steps: Vec::new(), logs: Vec::new() };
        Judgement { data, findings: Vec::new(), skipped, commands, summary }
    }
}

/// Bytes that one pod's part is guessed at.
const ISTIOD_BYTES: u64 = 8 << 20;
const PROXY_BYTES: u64 = 3 << 20;
const POD_BYTES: u64 = 32 << 10;

fn plan(
    selection: &Selection,
    pods: &[LeanPod],
    namespaces: Option<Vec<String>>,
    control_plane: Vec<String>,
) -> BugReportPlan {
    let mut plan = BugReportPlan { namespaces, control_plane, pods: 0, istiods: 0, proxies: 0, estimated_bytes: 0 };
    for LeanPod(pod) in pods {
        let candidate = Candidate {
            namespace: target::namespace(pod).to_owned(),
            workload: target::subject(pod).owner.map(|owner| owner.name),
            pod: target::name(pod).to_owned(),
            labels: pod.metadata.labels.clone().unwrap_or_default(),
            annotations: pod.metadata.annotations.clone().unwrap_or_default(),
        };
        let spec = pod.spec.iter();
        let mut names = spec.flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
        if target::container(pod, DISCOVERY).is_some() {
            plan.istiods += 1;
            plan.estimated_bytes += ISTIOD_BYTES;
        } else if names.any(|container| selection.takes(&candidate, &container.name)) {
            if target::container(pod, target::PROXY).is_some() {
                plan.proxies += 1;
                plan.estimated_bytes += PROXY_BYTES;
            }
        } else {
            continue;
        }
        plan.pods += 1;
        plan.estimated_bytes += POD_BYTES;
    }
    plan
}

/// What a person would type. The control plane's namespace has two flags, of which the parts of istioctl read one each.
fn command(selection: &Selection, control_plane: &[String]) -> String {
    let mut command = "istioctl bug-report".to_owned();
    if let Some(namespace) = control_plane.first() {
        command = format!("{command} --istio-namespace {namespace} --istioNamespace {namespace}");
    }
    for (flag, specs) in [("--include", &selection.include), ("--exclude", &selection.exclude)] {
        for spec in specs {
            command = format!("{command} {flag} {}", quoted(&spec.to_string()));
        }
    }
    command
}
