//! Reads one end's logs, and what they say.

use std::{fmt::Write as _, sync::LazyLock};

use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use regex::Regex;

use super::{
    ApplicationLog, End, PROXY, PodLogs, SidecarLog, SidecarLogsInput, between::Between, no_proxy, place, target,
};
use crate::request_findings::{self, Client};
use cluster::{self, Cluster, ContainerLog, Error, LogQuery};
use logs::{AccessLogLine, DigestBuilder, FailureGroup, LineParser, Source, SummaryBuilder, digest, summary};
use report::{Finding, Skipped, Subject};

/// A proxy's log, read.
pub(super) struct ReadLog {
    pub(super) shown: SidecarLog,
    pub(super) access_lines: Vec<AccessLogLine>,
    pub(super) address: Option<String>,
    pub(super) subject: Subject,
}

pub(super) async fn end(
    cluster: &Cluster,
    (field, place): (&'static str, &str),
    query: &LogQuery,
    application: bool,
    skipped: &mut Vec<Skipped>,
) -> Result<End, Error> {
    let (pods, more) = place::pods(cluster, field, place).await?;
    if more > 0 {
        skipped.push(Skipped::new(format!("{more} more pods of {place}"), "only the first ten are read"));
    }
    let logs: Vec<_> = stream::iter(pods)
        .map(|pod| async move {
            let (namespace, name) = (target::namespace(&pod).to_owned(), target::name(&pod).to_owned());
            let mut logs = Vec::new();
            for container in containers(&pod, application) {
                let log = cluster.log(&namespace, &name, &container, query).await;
                logs.push((container, log));
            }
            (pod, logs)
        })
        .buffered(4)
        .collect()
        .await;
    let mut pods = Vec::new();
    for (pod, logs) in logs {
        let mut read = PodLogs { pod, proxy: None, applications: Vec::new() };
        for (container, log) in logs {
            let log = cluster::read(log)?;
            if let Err(reason) = &log {
                skipped.push(reason.clone());
            }
            if container == PROXY {
                read.proxy = Some(log);
            } else {
                read.applications.extend(log);
            }
        }
        pods.push(read);
    }
    Ok(End { pods })
}

/// The containers whose logs are read: the proxy, those of the mesh that ran before it and did not succeed at once, and
/// those of the application where they are asked for.
fn containers(pod: &Pod, application: bool) -> Vec<String> {
    let proxy = target::container(pod, PROXY).map(|container| container.name.clone());
    let own = pod.spec.iter().flat_map(|spec| &spec.containers).map(|container| container.name.clone());
    let failed = pod.status.iter().flat_map(|status| status.init_container_statuses.iter().flatten());
    let failed = failed.filter(|status| is_of_the_mesh(&status.name) && !succeeded_at_once(status));
    let failed = failed.map(|status| status.name.clone());
    proxy.into_iter().chain(failed).chain(own.filter(|name| application && name != PROXY)).collect()
}

/// An init container of Istio's, which ends before the pod's containers start.
fn is_of_the_mesh(container: &str) -> bool {
    Source::of_container(container) == Source::Init
}

fn succeeded_at_once(status: &ContainerStatus) -> bool {
    let ended = status.state.as_ref().and_then(|state| state.terminated.as_ref());
    status.restart_count == 0 && ended.is_none_or(|ended| ended.exit_code == 0)
}

/// What the applications' own lines say.
pub(super) fn judge_applications(end: &End, findings: &mut Vec<Finding>) -> Vec<ApplicationLog> {
    let mut logs = Vec::new();
    for PodLogs { pod, applications, .. } in &end.pods {
        for log in applications {
            // The mesh's own containers write lines of their own.
            let source = Some(Source::of_container(&log.container)).filter(|source| *source == Source::Init);
            let digest = digest::digest(source.unwrap_or(Source::Application), log.lines());
            findings.extend(digest::findings(&digest, &target::subject(pod).container(&log.container)));
            let (namespace, pod) = (log.namespace.clone(), log.pod.clone());
            logs.push(ApplicationLog { namespace, pod, container: log.container.clone(), digest });
        }
    }
    logs
}

/// What surrounds the logs of one end.
pub(super) struct Around<'a> {
    pub(super) input: &'a SidecarLogsInput,
    /// Where both ends are known: what is not between them stands apart.
    pub(super) between: Option<&'a Between<'a>>,
    /// Who may have sent what the destination refused.
    pub(super) clients: &'a [&'a Pod],
}

/// Reads the logs of one end. What its requests to others show goes to `elsewhere`.
pub(super) fn judge_end(
    around: &Around<'_>,
    end: &End,
    findings: &mut Vec<Finding>,
    elsewhere: &mut Vec<String>,
    commands: &mut Vec<String>,
) -> Vec<ReadLog> {
    let input = around.input;
    let mut logs = Vec::new();
    for PodLogs { pod, proxy, .. } in &end.pods {
        match proxy {
            None => findings.push(no_proxy(pod)),
            Some(Err(_)) => commands.push(command(input, pod)),
            Some(Ok(log)) => {
                commands.push(command(input, pod));
                let read = judge_log(input, pod, log);
                findings.extend(digest::findings(&read.shown.digest, &read.subject));
                let found = summary::findings(&read.shown.access, &read.subject);
                for (failure, finding) in read.shown.access.failures.iter().zip(found) {
                    if around.between.is_none_or(|between| between.holds(&failure.sample)) {
                        findings.push(amended(failure, finding, around.clients));
                    } else {
                        elsewhere.push(format!("{}: {}", read.subject.name, finding.message));
                    }
                }
                findings.extend(summary::access_log_empty(&read.shown.digest, &read.subject));
                logs.push(read);
            }
        }
    }
    logs
}

/// What is known beyond the one log: whether all requests fail so, and who the client is.
fn amended(failure: &FailureGroup, finding: Finding, clients: &[&Pod]) -> Finding {
    let finding = request_findings::closed_connections(failure, finding);
    let remote = failure.sample.downstream_remote_address.as_deref().unwrap_or_default();
    let address = |pod: &Pod| pod.status.as_ref().and_then(|status| status.pod_ip.clone());
    let client = clients.iter().find(|pod| address(pod).is_some_and(|own| remote.starts_with(&format!("{own}:"))));
    match client {
        Some(pod) => request_findings::plain_text_client(failure, &Client::of_pod(pod), finding),
        None => finding,
    }
}

fn judge_log(input: &SidecarLogsInput, pod: &Pod, log: &ContainerLog) -> ReadLog {
    let mut builder = DigestBuilder::new(Source::Proxy);
    let mut summary = SummaryBuilder::default();
    let mut parser = LineParser::default();
    let (mut access_lines, mut lines, mut text) = (Vec::new(), Vec::new(), Vec::new());
    for raw in log.lines() {
        let line = parser.parse(raw);
        if let Some(access) = builder.push(raw) {
            summary.push(&access);
            if input.wants(&access) {
                text.push(masked(&line.raw));
            }
            access_lines.push(access);
        } else {
            text.push(line.raw.clone());
            lines.push(line);
        }
    }
    let requests: Vec<_> = access_lines.iter().filter(|line| input.wants(line)).cloned().collect();
    let init = pod.spec.as_ref().and_then(|spec| spec.init_containers.as_ref());
    let shown = SidecarLog {
        namespace: target::namespace(pod).to_owned(),
        pod: target::name(pod).to_owned(),
        native_sidecar: init.is_some_and(|all| all.iter().any(|container| container.name == PROXY)),
        truncated: log.truncated,
        digest: builder.finish(),
        access: summary.finish(),
        requests: last(requests, input.shown()),
        lines: last(lines, input.shown()),
        text,
    };
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
    ReadLog { shown, access_lines, address, subject: target::subject(pod).container(PROXY) }
}

fn last<T>(mut all: Vec<T>, shown: usize) -> Vec<T> {
    all.drain(..all.len().saturating_sub(shown));
    all
}

fn command(input: &SidecarLogsInput, pod: &Pod) -> String {
    let (namespace, name) = (target::namespace(pod), target::name(pod));
    let mut command = format!("kubectl logs {name} --namespace {namespace} --container {PROXY}");
    if let Some(tail) = input.tail {
        let _ = write!(command, " --tail {tail}");
    }
    if let Some(since) = input.log_query().since_s {
        let _ = write!(command, " --since {since}s");
    }
    if input.previous {
        command.push_str(" --previous");
    }
    command
}

/// One proxy's log for a terminal.
pub(super) fn printed(side: &str, log: &SidecarLog) -> String {
    let mut text = format!("==> {side} {}/{}\n", log.namespace, log.pod);
    for line in &log.text {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// An access-log line without the queries of its URLs, which may hold tokens.
fn masked(line: &str) -> String {
    static QUERY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\?[^\s"]+"#).expect("the pattern is valid"));
    QUERY.replace_all(line, "?…").into_owned()
}
