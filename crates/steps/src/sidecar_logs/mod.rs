//! `kubectl.sidecar-logs`: the proxies' logs of a source and of a destination in one call, their access-log lines
//! parsed, counted and joined by request id.

mod between;
mod place;
mod read;

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::Pod;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    About, Cost, Invalid, Judgement, Permission, Step, counted,
    input::{check, duration},
    target::{self, PROXY},
};
use between::Between;
use cluster::{Cluster, ContainerLog, Error, LogQuery};
use logs::{
    AccessLogLine, AccessLogSummary, LogDigest, LogLine,
    pairing::{self, DestinationLog, PairingSummary},
};
use report::{Code, Finding, Read, Severity, Skipped};

static ENV0008: Code = Code {
    id: "ENV0008",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/common-problems/injection/",
    page: include_str!("../pages/ENV0008.md"),
};

/// Codes that this step reports besides those of log lines and of response flags.
pub(super) static CODES: &[&Code] = &[&ENV0008];

const TAIL: u32 = 1000;
const MAX_TAIL: u32 = 10_000;
const LIMIT_BYTES: u32 = 8 * 1024 * 1024;
/// Lines that are shown: what failed is counted and grouped, so that a few tell what lines look like.
const SHOWN: u32 = 20;
const MAX_SHOWN: u32 = 1000;

pub struct SidecarLogs;

#[derive(Debug, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SidecarLogsInput {
    /// Who calls: `namespace/pod`, or another object with pods as `namespace/type/name`, such as `shop/deployment/cart`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 330)]
    pub source: Option<String>,
    /// Who is called, in the same form. At least one of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 330)]
    pub destination: Option<String>,
    /// Last lines of each proxy (default 1000).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 10_000)]
    pub tail: Option<u32>,
    /// Only lines of the last while: seconds, or like `10m`, `2h30m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 20)]
    pub since: Option<String>,
    /// The logs of the containers' previous run.
    pub previous: bool,
    /// Read the logs of the application's containers too, and say what is known of their lines: a name that does not
    /// resolve never reaches the proxy.
    pub application: bool,
    /// Show only requests with this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 100)]
    pub request_id: Option<String>,
    /// Show only failed requests (a response flag, or status 400 and above).
    pub failed: bool,
    /// Lines of each proxy that are shown, the last ones: requests, and other lines, each (default 20; findings and counts
    /// come from all).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0, maximum = 1000)]
    pub lines: Option<u32>,
}

/// One end of the connection: its pods with their logs.
pub(super) struct End {
    pods: Vec<PodLogs>,
}

/// The logs of one pod: of its proxy, where it has one, of init containers of the mesh that failed, and of its other
/// containers, where they are asked for.
pub(super) struct PodLogs {
    pod: Pod,
    proxy: Option<Read<ContainerLog>>,
    applications: Vec<ContainerLog>,
}

pub struct Evidence {
    source: Option<End>,
    destination: Option<End>,
    skipped: Vec<Skipped>,
}

/// Both ends of a connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct SidecarLogsData {
    pub source: Vec<SidecarLog>,
    pub destination: Vec<SidecarLog>,
    /// Logs of the applications, where they were asked for, and of the mesh's init containers that did not succeed at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applications: Vec<ApplicationLog>,
    /// Requests of the source at the destination, where both were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairingSummary>,
    /// Failed requests that are not between the two ends, where both were given: what was not asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
}

/// The log of one container beside the proxy.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApplicationLog {
    pub namespace: String,
    pub pod: String,
    pub container: String,
    pub digest: LogDigest,
}

/// The log of one proxy.
#[derive(Debug, Serialize, ToSchema)]
pub struct SidecarLog {
    pub namespace: String,
    pub pod: String,
    /// The proxy is an init container that keeps running.
    pub native_sidecar: bool,
    pub truncated: bool,
    pub digest: LogDigest,
    pub access: AccessLogSummary,
    /// Access-log lines that were asked for.
    pub requests: Vec<AccessLogLine>,
    /// The other lines.
    pub lines: Vec<LogLine>,
    /// All lines in order, for `format=raw`.
    #[serde(skip)]
    pub text: Vec<String>,
}

impl SidecarLogsInput {
    fn log_query(&self) -> LogQuery {
        LogQuery {
            tail: Some(self.tail.unwrap_or(TAIL)),
            since_s: self.since.as_deref().and_then(|text| duration::seconds(text).ok()),
            previous: self.previous,
            limit_bytes: Some(LIMIT_BYTES),
        }
    }

    /// How many lines of each kind are shown. Whoever asks for certain requests wants them all.
    fn shown(&self) -> usize {
        let certain = self.request_id.is_some() || self.failed;
        let shown = self.lines.unwrap_or(if certain { MAX_SHOWN } else { SHOWN });
        usize::try_from(shown).unwrap_or(usize::MAX)
    }

    fn wants(&self, line: &AccessLogLine) -> bool {
        let id = self.request_id.as_ref().is_none_or(|id| line.request_id.as_ref() == Some(id));
        id && (!self.failed || !line.response_flags.is_empty() || line.response_code >= 400)
    }
}

impl Step for SidecarLogs {
    const ABOUT: About = About {
        id: "kubectl.sidecar-logs",
        title: "Logs of two sidecars",
        description: "The proxies' logs of a source and of a destination in one call. Access-log lines are parsed, failures \
            counted by flag, route and upstream, and requests joined by x-request-id, so that it comes out which side \
            failed.",
        guide: "kubectl/7-sidecar-logs",
        method: "GET",
        endpoint: "/v1/kubectl/sidecar-logs",
        mutating: false,
        permissions: &[
            Permission::core("get", "pods"),
            Permission::core("list", "pods"),
            Permission::core("get", "pods/log"),
        ],
        cost: Cost::Medium,
        command: "kubectl logs <pod> --namespace <namespace> --container istio-proxy",
        docs: "https://istio.io/latest/docs/tasks/observability/logs/access-log/",
    };
    type Input = SidecarLogsInput;
    type Evidence = Evidence;
    type Data = SidecarLogsData;

    fn check(input: &SidecarLogsInput) -> Vec<Invalid> {
        let mut invalid = place::check("source", input.source.as_deref());
        invalid.extend(place::check("destination", input.destination.as_deref()));
        if input.source.is_none() && input.destination.is_none() {
            invalid.push(Invalid::new("source", "required", "name a source, a destination, or both"));
        }
        invalid.extend(check::range("tail", input.tail, 1, MAX_TAIL));
        invalid.extend(check::range("lines", input.lines, 0, MAX_SHOWN));
        invalid.extend(duration::check("since", input.since.as_deref()));
        invalid.extend(check::text("request_id", input.request_id.as_deref(), 100));
        invalid
    }

    async fn gather(cluster: &Cluster, input: &SidecarLogsInput) -> Result<Evidence, Error> {
        let mut skipped = Vec::new();
        let query = input.log_query();
        let source = match &input.source {
            Some(place) => Some(read::end(cluster, ("source", place), &query, input.application, &mut skipped).await?),
            None => None,
        };
        let destination = match &input.destination {
            Some(place) => {
                Some(read::end(cluster, ("destination", place), &query, input.application, &mut skipped).await?)
            }
            None => None,
        };
        Ok(Evidence { source, destination, skipped })
    }

    fn judge(input: &SidecarLogsInput, evidence: Evidence) -> Judgement<SidecarLogsData> {
        let Evidence { source, destination, skipped } = evidence;
        let mut findings = Vec::new();
        let mut commands = Vec::new();
        let applications = [&source, &destination].into_iter().flatten();
        let applications = applications.flat_map(|end| read::judge_applications(end, &mut findings)).collect();
        let between = match (&source, &destination, &input.destination) {
            (Some(source), Some(destination), Some(place)) => Some(Between::new(source, destination, place)),
            _ => None,
        };
        let clients: Vec<&Pod> = source.iter().flat_map(|end| &end.pods).map(|logs| &logs.pod).collect();
        let around = read::Around { input, between: between.as_ref(), clients: &clients };
        let mut elsewhere = Vec::new();
        let mut judge_end = |end: &End| read::judge_end(&around, end, &mut findings, &mut elsewhere, &mut commands);
        let read_source = source.as_ref().map(&mut judge_end);
        let read_destination = destination.as_ref().map(judge_end);
        let pairs = match (&read_source, &read_destination, &between) {
            (Some(source), Some(destination), Some(between)) => Some(pair(source, destination, between)),
            _ => None,
        };
        let (source, destination) = (read_source, read_destination);
        if let (Some(pairs), Some(client)) = (&pairs, source.as_ref().and_then(|logs| logs.first())) {
            findings.extend(pairing::findings(pairs, &client.subject));
        }
        let shown = |logs: Option<Vec<read::ReadLog>>| -> Vec<SidecarLog> {
            logs.into_iter().flatten().map(|log| log.shown).collect()
        };
        let (source, destination) = (shown(source), shown(destination));
        let requests: u64 = source.iter().chain(&destination).map(|log| log.access.lines).sum();
        let mut summary =
            format!("{requests} access-log lines of {}", counted(source.len() + destination.len(), "proxy"));
        if let Some(pairs) = &pairs {
            summary = format!("{summary}; {} requests between them, {} seen by both", pairs.requests, pairs.paired);
        }
        Judgement {
            data: SidecarLogsData { source, destination, applications, pairs, elsewhere },
            findings,
            skipped,
            commands,
            summary,
        }
    }

    fn raw(_: &SidecarLogsInput, data: &SidecarLogsData) -> Option<String> {
        let mut text = String::new();
        for (side, logs) in [("source", &data.source), ("destination", &data.destination)] {
            for log in logs {
                text.push_str(&read::printed(side, log));
            }
        }
        for pair in data.pairs.iter().flat_map(|pairs| &pairs.pairs) {
            let _ = writeln!(text, "{}: {}", pair.request_id, pair.text);
        }
        if !data.elsewhere.is_empty() {
            text.push_str("---\n");
        }
        for words in &data.elsewhere {
            let _ = writeln!(text, "elsewhere: {words}");
        }
        Some(text)
    }
}

fn pair(source: &[read::ReadLog], destination: &[read::ReadLog], between: &Between<'_>) -> PairingSummary {
    let lines = source.iter().flat_map(|log| &log.access_lines).filter(|line| between.holds(line));
    let lines: Vec<_> = lines.cloned().collect();
    let destinations: Vec<_> = destination
        .iter()
        .map(|log| DestinationLog {
            pod: &log.shown.pod,
            address: log.address.as_deref(),
            lines: &log.access_lines,
            first_at: log.shown.digest.first_at.as_deref(),
            last_at: log.shown.digest.last_at.as_deref(),
        })
        .collect();
    pairing::pair(&lines, &destinations)
}

fn no_proxy(pod: &Pod) -> Finding {
    let (namespace, name) = (target::namespace(pod), target::name(pod));
    Finding::new(&ENV0008, target::subject(pod), format!("pod {namespace}/{name} has no sidecar")).remedy(format!(
        "If it should be in the mesh, see why it was not injected (istioctl.check-inject), set the right label on \
         namespace {namespace} (on AKS istio.io/rev=<revision>) and restart the workload."
    ))
}
