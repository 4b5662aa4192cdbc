//! What access logs say of requests like the one that is asked about.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use serde::Serialize;
use utoipa::ToSchema;

use crate::target::PROXY;
use cluster::{Cluster, Error, LogQuery, read};
use logs::AccessLogLine;
use mesh::{Kind, Mesh, Proxy};
use paths::{Answer, Answerer, Ending, Request};
use report::Skipped;

const AT_ONCE: usize = 8;
const TAIL: u32 = 5000;
const LOG_BYTES: u32 = 2 << 20;

/// Requests that a proxy logged, and that ended alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ObservedRequests {
    /// `namespace/pod` whose proxy wrote the log.
    pub proxy: String,
    pub response_code: u16,
    /// Envoy's flags, joined with commas; `-` where there are none.
    pub response_flags: String,
    pub count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_at: Option<String>,
}

/// The lines of some proxies' access logs.
#[derive(Debug, Default)]
pub(super) struct AccessLogs {
    /// By namespace and pod.
    lines: BTreeMap<(String, String), Vec<AccessLogLine>>,
    pub(super) skipped: Vec<Skipped>,
}

/// Reads the logs of the proxies of some pods.
pub(super) async fn gather(
    cluster: &Cluster,
    mesh: &Mesh,
    pods: &BTreeSet<(String, String)>,
) -> Result<AccessLogs, Error> {
    let with_proxy = |(namespace, name): &&(String, String)| {
        mesh.find(Kind::Pod, namespace, name).is_some_and(|pod| Proxy::of(pod).is_some())
    };
    let query = &LogQuery { tail: Some(TAIL), limit_bytes: Some(LOG_BYTES), ..LogQuery::default() };
    let pods: Vec<(String, String)> = pods.iter().filter(with_proxy).cloned().collect();
    let read_logs: Vec<_> = stream::iter(pods)
        .map(|(namespace, pod)| async move {
            let log = cluster.log(&namespace, &pod, PROXY, query).await;
            ((namespace, pod), log)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut logs = AccessLogs::default();
    for (pod, log) in read_logs {
        match read(log)? {
            Ok(log) => {
                let lines = log.lines().filter_map(parse);
                logs.lines.insert(pod, lines.collect());
            }
            Err(skipped) => logs.skipped.push(skipped),
        }
    }
    Ok(logs)
}

/// A line comes with the kubelet's time in front of it.
fn parse(line: &str) -> Option<AccessLogLine> {
    let rest = line.split_once(' ').map_or(line, |(_, rest)| rest);
    AccessLogLine::parse(rest)
}

/// The request of a line of a client's log.
pub(crate) fn request_of(line: &AccessLogLine) -> Option<Request> {
    let authority = line.authority.as_deref()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, 80),
    };
    let mut request = Request::http(host, port);
    request.method.clone_from(line.method.as_ref()?);
    request.path = line.path.as_deref()?.split('?').next()?.to_owned();
    request.path.starts_with('/').then_some(request)
}

impl AccessLogs {
    pub(super) fn lines(&self) -> impl Iterator<Item = (&(String, String), &[AccessLogLine])> {
        self.lines.iter().map(|(pod, lines)| (pod, lines.as_slice()))
    }

    /// What a proxy says of requests to this authority and path, grouped by how they ended.
    pub(super) fn like(&self, pod: &(String, String), request: &Request) -> Vec<ObservedRequests> {
        let wanted = service_name(&pod.0, &request.authority());
        let is_same_host =
            |line: &AccessLogLine| line.authority.as_deref().is_some_and(|own| service_name(&pod.0, own) == wanted);
        let is_same_path = |line: &AccessLogLine| {
            let own = line.path.as_deref().unwrap_or_default();
            own.split('?').next() == Some(request.path_only())
        };
        let same = self.lines.get(pod).into_iter().flatten().filter(|line| {
            is_same_host(line) && is_same_path(line) && line.method.as_deref() == Some(request.method.as_str())
        });
        let mut grouped: BTreeMap<(u16, String), ObservedRequests> = BTreeMap::new();
        for line in same {
            let flags = if line.response_flags.is_empty() { "-".to_owned() } else { line.response_flags.join(",") };
            let group = grouped.entry((line.response_code, flags.clone())).or_insert_with(|| ObservedRequests {
                proxy: format!("{}/{}", pod.0, pod.1),
                response_code: line.response_code,
                response_flags: flags,
                count: 0,
                last_at: None,
            });
            group.count += 1;
            group.last_at = group.last_at.take().max(line.start_time.clone());
        }
        let mut groups: Vec<ObservedRequests> = grouped.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }
}

/// A host without its port, the same for all the forms in which a service's name may be written.
fn service_name(namespace: &str, authority: &str) -> String {
    let authority = authority.to_ascii_lowercase();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => &authority,
    };
    let host = host.trim_end_matches('.');
    let short = host.strip_suffix(".svc.cluster.local").or(host.strip_suffix(".svc")).unwrap_or(host);
    if short.contains('.') { short.to_owned() } else { format!("{short}.{namespace}") }
}

/// What of the log is foretold by no outcome: the newest requests that ended in another way.
pub(super) fn contradiction(answer: &Answer, observed: &[ObservedRequests]) -> Option<String> {
    let fits = |seen: &ObservedRequests| {
        answer.outcomes.iter().any(|outcome| match outcome.ending {
            // The application answers what it will.
            Ending::Delivered => {
                seen.response_flags == "-" && seen.response_code != 0
                    || outcome.answered_by == Answerer::Application
                        && matches!(seen.response_flags.as_str(), "DC" | "UT" | "UPE")
            }
            Ending::Status(status) => seen.response_code == status,
            Ending::NoName | Ending::Refused | Ending::Reset | Ending::TimedOut | Ending::TlsFailed => {
                seen.response_code == 0 || seen.response_flags != "-"
            }
        })
    };
    let newest = observed.iter().max_by_key(|seen| seen.last_at.clone())?;
    (!fits(newest)).then(|| {
        format!(
            "{} logged {} {} for {} such requests, the last at {}",
            newest.proxy,
            newest.response_code,
            newest.response_flags,
            newest.count,
            newest.last_at.as_deref().unwrap_or("an unknown time")
        )
    })
}
