//! What the access logs of proxies say: the failed requests of each.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use serde::Serialize;
use utoipa::ToSchema;

use super::by_path::FailedPath;
use crate::{mesh_pod::subject, target::PROXY};
use cluster::{Cluster, Error, LogQuery, read};
use logs::{DigestBuilder, FailureGroup, Side, Source, SummaryBuilder, summary};
use mesh::{Kind, Mesh, Object, Workload, is_ready};
use report::{Finding, Skipped, Subject};

/// Logs that are read at once.
const AT_ONCE: usize = 8;
/// Of one log.
const LOG_BYTES: u32 = 1 << 20;

/// A proxy whose log was read.
pub(super) struct ProxyLog {
    /// The pod, and its workload.
    pub(super) subject: Subject,
    pub(super) failures: Vec<FailureGroup>,
    pub(super) lines: u64,
}

/// The logs that were read, and those that were not.
#[derive(Default)]
pub(super) struct ProxyLogs {
    pub(super) logs: Vec<ProxyLog>,
    pub(super) skipped: Vec<Skipped>,
}

/// Requests that failed alike.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FailedRequests {
    /// `namespace/pod` whose proxy wrote the log.
    pub proxy: String,
    pub side: Side,
    pub destination: String,
    pub response_code: u16,
    pub response_flags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_code_details: Option<String>,
    /// What flag, details and reason mean together.
    pub meaning: String,
    /// How many requests failed so, of how many to this destination.
    pub count: u64,
    pub of: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<String>,
    /// What their path says: who answers, and which object and field decides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<FailedPath>,
}

/// Reads the logs of the ready proxies of some namespaces (of all where none is named): at most `most`, one of each
/// workload before a second one of any.
pub(super) async fn gather(
    cluster: &Cluster,
    mesh: &Mesh,
    namespaces: &BTreeSet<String>,
    most: usize,
    tail: u32,
) -> Result<ProxyLogs, Error> {
    let all = ready_proxies(mesh, namespaces);
    let chosen = first_of_each(&all, most);
    let mut logs = ProxyLogs::default();
    if chosen.len() < all.len() {
        let what = format!("access logs of {} of {} proxies", all.len() - chosen.len(), all.len());
        logs.skipped.push(Skipped::new(what, format!("at most {most} logs are read; one of each workload goes first")));
    }
    let query = LogQuery { tail: Some(tail), limit_bytes: Some(LOG_BYTES), ..LogQuery::default() };
    let query = &query;
    let read_logs: Vec<_> = stream::iter(chosen.into_iter().map(subject).collect::<Vec<_>>())
        .map(|subject| async move {
            let log = cluster.log(subject.namespace.as_deref().unwrap_or_default(), &subject.name, PROXY, query).await;
            (subject, log)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    for (subject, log) in read_logs {
        match read(log)? {
            Ok(log) => logs.logs.push(judge(subject, log.lines())),
            Err(skipped) => logs.skipped.push(skipped),
        }
    }
    Ok(logs)
}

fn judge<'l>(subject: Subject, lines: impl Iterator<Item = &'l str>) -> ProxyLog {
    let (mut digest, mut summary) = (DigestBuilder::new(Source::Proxy), SummaryBuilder::default());
    for line in lines {
        if let Some(access) = digest.push(line) {
            summary.push(&access);
        }
    }
    let summary = summary.finish();
    ProxyLog { subject, lines: summary.lines, failures: summary.failures }
}

fn ready_proxies<'m>(mesh: &'m Mesh, namespaces: &BTreeSet<String>) -> Vec<&'m Object> {
    let pods = mesh.each(Kind::Pod).filter(|pod| namespaces.is_empty() || namespaces.contains(pod.namespace()));
    pods.filter(|pod| Workload::of_pod(pod).has_proxy() && is_ready(pod)).collect()
}

/// One pod of each workload, then the others, as far as there is room.
fn first_of_each<'m>(pods: &[&'m Object], most: usize) -> Vec<&'m Object> {
    let mut seen = BTreeSet::new();
    let (first, others): (Vec<&Object>, Vec<&Object>) = pods.iter().partition(|pod| {
        let owner = subject(pod).owner.map_or_else(|| pod.name().to_owned(), |owner| owner.name);
        seen.insert((pod.namespace(), owner))
    });
    first.into_iter().chain(others).take(most).collect()
}

impl ProxyLog {
    pub(super) fn namespace(&self) -> &str {
        self.subject.namespace.as_deref().unwrap_or_default()
    }

    /// What is said where nothing else explains a failure.
    pub(super) fn finding(&self, failure: &FailureGroup) -> Option<Finding> {
        let alone = summary::AccessLogSummary { failures: vec![failure.clone()], ..Default::default() };
        summary::findings(&alone, &self.subject).into_iter().next()
    }

    pub(super) fn requests(&self, failure: &FailureGroup) -> FailedRequests {
        let explanation = &failure.explanation;
        let reason = explanation.reason.as_deref().map(|reason| format!("; {reason}")).unwrap_or_default();
        FailedRequests {
            proxy: format!("{}/{}", self.namespace(), self.subject.name),
            side: failure.side,
            destination: failure.destination.clone(),
            response_code: failure.response_code,
            response_flags: failure.response_flags.clone(),
            response_code_details: failure.response_code_details.clone(),
            meaning: format!("{}{reason}", explanation.meaning),
            count: failure.count,
            of: failure.of,
            last_at: failure.last_at.clone(),
            path: None,
        }
    }
}
