//! `mesh.diagnose`: carries out the steps that the scope needs, and says what causes what, the gravest first.
//!
//! The reasoning is the crate `diagnosis`; here is the reading: the steps share what they get from the API server, each has
//! a time of its own, and one that fails is a gap in what is known.

mod input;
mod plan;
mod scope;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use diagnosis::{Change, Checked, Diagnosis, ProxyLog};
use futures::{StreamExt as _, future::BoxFuture, stream};
use serde::Serialize;
use tokio::task::JoinSet;
use utoipa::ToSchema;

pub use input::{Depth, DiagnoseInput};

use crate::{
    About, Cost, Invalid, Judgement, Outcome, Permission, Prepared, Step, changes, counted, mesh_pod::subject,
    misconfiguration::access_logs::ProxyLogs,
};
use cluster::{Cluster, Error, chain, sharing_reads};
use mesh::{Extent, Kind, Mesh, Object, Workload, is_finished, is_gateway, is_ready, one_of_each};
use report::{Finding, Format, Skipped};

/// Steps at once: they share the processor and the API server.
const AT_ONCE: usize = 4;
/// For one step.
const STEP_TIME: Duration = Duration::from_secs(45);
/// Proxies whose logs are read, and lines of each.
const PROXIES: usize = 80;
const TAIL: u32 = 1000;

/// The step.
pub struct Diagnose;

/// The causes, and what they rest on.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiagnoseData {
    #[serde(flatten)]
    pub diagnosis: Diagnosis,
    pub depth: Depth,
    pub looked_at: DiagnoseLookedAt,
}

#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct DiagnoseLookedAt {
    pub objects: usize,
    pub findings: usize,
    /// Proxies whose log was read, and the requests in them.
    pub proxies: usize,
    pub requests: u64,
    pub steps: Vec<String>,
}

pub struct Evidence {
    cluster_id: String,
    mesh: Mesh,
    outcomes: Vec<(&'static str, Outcome)>,
    logs: ProxyLogs,
    changes: Vec<Change>,
    skipped: Vec<Skipped>,
}

impl Step for Diagnose {
    const ABOUT: About = About {
        id: "mesh.diagnose",
        title: "Diagnosis",
        description: "One call: carries out the steps that the scope needs and answers with the causes, the gravest first, \
            each with what it explains, who suffers since when, what to do and how to see that it worked.",
        guide: "mesh/1-diagnose",
        method: "POST",
        endpoint: "/v1/diagnose",
        mutating: false,
        permissions: &[
            Permission::core("list", "namespaces"),
            Permission::core("list", "pods"),
            Permission::core("get", "pods/log"),
            Permission::core("create", "pods/portforward"),
            Permission::core("list", "services"),
            Permission::core("list", "events"),
            Permission::core("list", "configmaps"),
            Permission::core("list", "secrets"),
            Permission { verb: "list", group: "*", resource: "*" },
        ],
        cost: Cost::High,
        command: "meshtriage diagnose",
        docs: "https://istio.io/latest/docs/ops/common-problems/",
    };
    type Input = DiagnoseInput;
    type Evidence = Evidence;
    type Data = DiagnoseData;

    fn check(input: &DiagnoseInput) -> Vec<Invalid> {
        input.check()
    }

    async fn gather(cluster: &Cluster, input: &DiagnoseInput) -> Result<Evidence, Error> {
        let cluster = &cluster.through(sharing_reads(cluster.client()));
        let kinds = Kind::readable().collect();
        let mesh = cluster.whole_mesh(kinds).await?.within(Extent::Whole).build();
        let mut skipped = Vec::new();
        let steps: Vec<_> = plan::steps(input.depth).into_iter().map(|step| one(step, cluster.clone())).collect();
        let carried: Vec<_> = stream::iter(steps).buffered(AT_ONCE).collect().await;
        let mut outcomes = Vec::new();
        for (step, result) in carried {
            match result {
                Ok(outcome) => outcomes.push((step, outcome)),
                Err(why) => skipped.push(Skipped::new(format!("step {step}"), why)),
            }
        }
        let mut logs = ProxyLogs::default();
        let chosen = proxies(&mesh, input.depth, &mut skipped);
        logs.read(cluster, chosen, TAIL).await?;
        let changes = match changes::read(cluster).await {
            Ok((changes, missing)) => {
                skipped.extend(missing);
                changes
            }
            Err(error) => {
                skipped.push(Skipped::new("changes of objects", chain(&error)));
                Vec::new()
            }
        };
        Ok(Evidence { cluster_id: cluster.id().to_owned(), mesh, outcomes, logs, changes, skipped })
    }

    fn judge(input: &DiagnoseInput, evidence: Evidence) -> Judgement<DiagnoseData> {
        let Evidence { cluster_id, mesh, outcomes, logs, changes, mut skipped } = evidence;
        let (mut findings, mut checked): (Vec<Finding>, Vec<Checked>) = (Vec::new(), Vec::new());
        for (step, outcome) in outcomes {
            checked.push(Checked { step: step.to_owned(), summary: outcome.summary });
            findings.extend(outcome.findings.into_iter().map(|finding| found_by(finding, step)));
            for part in outcome.skipped {
                if !skipped.contains(&part) {
                    skipped.push(part);
                }
            }
        }
        skipped.extend(logs.skipped);
        let read = |log: crate::misconfiguration::access_logs::ProxyLog| {
            let said = logs::digest::findings(&log.digest, &log.subject);
            findings.extend(said.into_iter().map(|finding| found_by(finding, "kubectl.sidecar-logs")));
            ProxyLog { subject: log.subject, failures: log.failures, requests: log.lines, first_at: log.first_at }
        };
        let logs: Vec<ProxyLog> = logs.logs.into_iter().map(read).collect();
        let looked_at = DiagnoseLookedAt {
            objects: mesh.len(),
            findings: findings.len(),
            proxies: logs.len(),
            requests: logs.iter().map(|log| log.requests).sum(),
            steps: checked.iter().map(|it| it.step.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
        };
        let scope = scope::scope(input, &mesh);
        let evidence =
            diagnosis::Evidence { mesh: &mesh, findings, logs, changes, checked, skipped: skipped.clone(), scope };
        let diagnosis = diagnosis::diagnose(evidence, &cluster_id);
        let findings = diagnosis.causes.iter().map(|cause| cause.finding.clone()).collect();
        let summary = format!(
            "{} {}, {} and {} looked at",
            diagnosis.headline,
            counted(looked_at.objects, "object"),
            counted(usize::try_from(looked_at.requests).unwrap_or(usize::MAX), "request"),
            counted(looked_at.steps.len(), "step"),
        );
        let data = DiagnoseData { diagnosis, depth: input.depth, looked_at };
        Judgement { data, findings, skipped, commands: vec!["meshtriage diagnose".to_owned()], summary }
    }

    fn raw(_: &DiagnoseInput, data: &DiagnoseData) -> Option<String> {
        Some(diagnosis::text(&data.diagnosis))
    }
}

/// In a task of its own, which ends with the diagnosis: a mistake in one is not the end of the others.
fn one(step: Arc<dyn Prepared>, cluster: Cluster) -> BoxFuture<'static, (&'static str, Result<Outcome, String>)> {
    let id = step.about().id;
    Box::pin(async move {
        let mut task = JoinSet::new();
        task.spawn(async move { step.execute(&cluster, Format::Json).await });
        let result = match tokio::time::timeout(STEP_TIME, task.join_next()).await {
            Ok(Some(Ok(outcome))) => outcome.map_err(|error| chain(&error)),
            Ok(_) => Err("a mistake of the service".to_owned()),
            Err(_) => Err(format!("it took longer than {} s", STEP_TIME.as_secs())),
        };
        (id, result)
    })
}

fn found_by(mut finding: Finding, step: &str) -> Finding {
    if !finding.found_by.iter().any(|known| known == step) {
        finding.found_by.push(step.to_owned());
    }
    finding
}

/// The proxies whose logs are read: those that are not ready and gateways first, then one of each workload, then the others.
fn proxies(mesh: &Mesh, depth: Depth, skipped: &mut Vec<Skipped>) -> Vec<report::Subject> {
    let has_log = |pod: &&Object| Workload::of_pod(pod).has_proxy() && !is_finished(pod);
    let all: Vec<&Object> = mesh.each(Kind::Pod).filter(has_log).collect();
    let urgent = |pod: &&Object| is_gateway(pod) || !is_ready(pod);
    let mut chosen: Vec<&Object> = all.iter().copied().filter(urgent).collect();
    if depth == Depth::Full {
        chosen.extend(one_of_each(all.iter().copied()));
        chosen.extend(all.iter().copied());
    }
    let mut seen = BTreeSet::new();
    chosen.retain(|pod| seen.insert((pod.namespace(), pod.name())));
    chosen.truncate(PROXIES);
    if chosen.len() < all.len() {
        let what = format!("access logs of {} of {} proxies", all.len() - chosen.len(), all.len());
        let why = match depth {
            Depth::Quick => "a quick diagnosis reads those of gateways, and of proxies that are not ready".to_owned(),
            Depth::Full => format!("at most {PROXIES} logs are read; one of each workload goes first"),
        };
        skipped.push(Skipped::new(what, why));
    }
    chosen.into_iter().map(subject).collect()
}
