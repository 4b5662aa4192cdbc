//! `kubectl.istiod-logs`: the logs of every istiod, per pod and revision, with known lines named and unknown warnings
//! counted.

use futures::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    About, Cost, Invalid, Judgement, Permission, Step, counted,
    input::{check, duration},
    target,
};
use cluster::{self, Cluster, ContainerLog, Error, Istiod, LogQuery};
use logs::{DigestBuilder, Level, LineParser, LogDigest, LogLine, Source, digest};
use report::{Code, Finding, Read, Severity, Skipped, Subject};

static K8S0091: Code = Code {
    id: "K8S0091",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/diagnostic-tools/",
    page: include_str!("pages/K8S0091.md"),
};

static K8S0092: Code = Code {
    id: "K8S0092",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/tasks/debug/debug-application/debug-running-pod/",
    page: include_str!("pages/K8S0092.md"),
};

/// Codes that this step reports besides those of log lines.
pub(super) static CODES: &[&Code] = &[&K8S0091, &K8S0092];

/// Container of istiod.
pub(crate) const DISCOVERY: &str = "discovery";
const TAIL: u32 = 500;
const MAX_TAIL: u32 = 10_000;
/// Of one container's log.
const LIMIT_BYTES: u32 = 1024 * 1024;
const MAX_LIMIT_BYTES: u32 = 16 * 1024 * 1024;
/// Logs that are read at once.
const AT_ONCE: usize = 8;

pub struct IstiodLogs;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IstiodLogsInput {
    /// Namespaces of the control plane. Default: wherever istiod runs.
    #[param(max_items = 100)]
    pub istio_namespace: Vec<String>,
    /// Look in all namespaces; the default when none is named.
    pub all_namespaces: bool,
    /// Only this revision, or the revision that this tag points to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub revision: Option<String>,
    /// Last lines of each container (default 500). kubectl reads ten with a selector, which easily misses the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 10_000)]
    pub tail: Option<u32>,
    /// Only lines of the last while: seconds, or like `10m`, `2h30m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 20)]
    pub since: Option<String>,
    /// The logs of the containers' previous run: what one wants in a crash loop.
    pub previous: bool,
    /// Show only lines with this text (upper and lower case are the same). Findings come from all lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 200)]
    pub contains: Option<String>,
    /// Show only lines of this level and above.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub level: Option<Level>,
    /// Container (default `discovery`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub container: Option<String>,
    /// Bytes of each container's log (default 1 MiB).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1024, maximum = 16_777_216)]
    pub limit_bytes: Option<u32>,
    /// Stream the lines as they come, as server-sent events. Such a call is not recorded.
    pub follow: bool,
}

pub struct Evidence {
    pods: Vec<(Istiod, Read<ContainerLog>)>,
    skipped: Vec<Skipped>,
    looked_in: String,
}

/// The logs of istiod.
#[derive(Debug, Serialize, ToSchema)]
pub struct IstiodLogsData {
    pub pods: Vec<IstiodLog>,
}

/// The log of one istiod.
#[derive(Debug, Serialize, ToSchema)]
pub struct IstiodLog {
    pub namespace: String,
    pub pod: String,
    pub revision: String,
    pub container: String,
    pub ready: bool,
    pub restarts: i32,
    /// Why the container ended last, with its exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_terminated: Option<String>,
    /// The byte limit was reached, so that lines are missing.
    pub truncated: bool,
    /// What the lines say, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<LogDigest>,
    /// The lines that were asked for.
    pub lines: Vec<LogLine>,
}

impl IstiodLogsInput {
    pub fn container(&self) -> &str {
        self.container.as_deref().unwrap_or(DISCOVERY)
    }

    pub fn log_query(&self) -> LogQuery {
        LogQuery {
            tail: Some(self.tail.unwrap_or(TAIL)),
            since_s: self.since.as_deref().and_then(|text| duration::seconds(text).ok()),
            previous: self.previous,
            limit_bytes: Some(self.limit_bytes.unwrap_or(LIMIT_BYTES)),
        }
    }

    fn wants(&self, line: &LogLine) -> bool {
        let text = self.contains.as_ref().is_none_or(|text| line.raw.to_lowercase().contains(&text.to_lowercase()));
        let level = self.level.is_none_or(|least| line.level.is_some_and(|level| level >= least));
        text && level
    }
}

impl Step for IstiodLogs {
    const ABOUT: About = About {
        id: "kubectl.istiod-logs",
        title: "Logs of istiod",
        description: "Logs of every istiod, per pod and revision. Known lines are named with cause and remedy, unknown \
            warnings and errors are counted.",
        guide: "kubectl/1-istiod-logs",
        method: "GET",
        endpoint: "/v1/kubectl/istiod-logs",
        mutating: false,
        permissions: &[Permission::core("list", "pods"), Permission::core("get", "pods/log")],
        cost: Cost::Medium,
        command: "kubectl logs --selector app=istiod --namespace <namespace> --tail 500",
        docs: "https://kubernetes.io/docs/reference/kubectl/generated/kubectl_logs/",
    };
    type Input = IstiodLogsInput;
    type Evidence = Evidence;
    type Data = IstiodLogsData;

    fn check(input: &IstiodLogsInput) -> Vec<Invalid> {
        let mut invalid = check::place_of_istio(&input.istio_namespace, input.all_namespaces);
        invalid.extend(check::name("revision", input.revision.as_deref()));
        invalid.extend(check::name("container", input.container.as_deref()));
        invalid.extend(check::range("tail", input.tail, 1, MAX_TAIL));
        invalid.extend(check::range("limit_bytes", input.limit_bytes, 1024, MAX_LIMIT_BYTES));
        invalid.extend(duration::check("since", input.since.as_deref()));
        invalid.extend(check::text("contains", input.contains.as_deref(), 200));
        invalid
    }

    async fn gather(cluster: &Cluster, input: &IstiodLogsInput) -> Result<Evidence, Error> {
        let control_plane = cluster.control_plane_of(&input.istio_namespace, input.revision.as_deref()).await?;
        let query = input.log_query();
        let pods: Vec<_> = stream::iter(control_plane.istiods)
            .map(|istiod| {
                let query = &query;
                async move {
                    let (namespace, name) = (target::namespace(&istiod.pod), target::name(&istiod.pod));
                    let log = cluster.log(namespace, name, input.container(), query).await;
                    (istiod, log)
                }
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut skipped = control_plane.skipped;
        let mut read = Vec::new();
        for (istiod, log) in pods {
            let log = cluster::read(log)?;
            if let Err(reason) = &log
                && !(input.previous && restarts(&istiod, input.container()) == 0)
            {
                skipped.push(reason.clone());
            }
            read.push((istiod, log));
        }
        let looked_in = match input.istio_namespace.as_slice() {
            [] => "any namespace".to_owned(),
            names => format!("namespace {}", names.join(", ")),
        };
        Ok(Evidence { pods: read, skipped, looked_in })
    }

    fn judge(input: &IstiodLogsInput, evidence: Evidence) -> Judgement<IstiodLogsData> {
        let Evidence { pods, skipped, looked_in } = evidence;
        let mut findings = Vec::new();
        if pods.is_empty() && skipped.is_empty() {
            findings.push(no_istiod(&looked_in));
        }
        let mut logs = Vec::new();
        for (istiod, log) in &pods {
            let (shown, found) = judge_pod(input, istiod, log);
            logs.push(shown);
            findings.extend(found);
        }
        let mut revisions: Vec<_> = pods.iter().map(|(istiod, _)| istiod.revision.as_str()).collect();
        revisions.sort_unstable();
        revisions.dedup();
        let summary = format!("{} in {}", counted(pods.len(), "istiod pod"), counted(revisions.len(), "revision"));
        let commands = commands(input, &pods);
        Judgement { data: IstiodLogsData { pods: logs }, findings, skipped, commands, summary }
    }

    fn raw(_: &IstiodLogsInput, data: &IstiodLogsData) -> Option<String> {
        // As kubectl prints them: pod after pod, without a prefix.
        let lines = data.pods.iter().flat_map(|pod| &pod.lines).map(|line| line.raw.clone() + "\n");
        Some(lines.collect())
    }
}

fn judge_pod(input: &IstiodLogsInput, istiod: &Istiod, log: &Read<ContainerLog>) -> (IstiodLog, Vec<Finding>) {
    let container = input.container();
    let status = target::container_status(&istiod.pod, container);
    let ended = status.and_then(|status| status.last_state.as_ref()).and_then(|state| state.terminated.as_ref());
    let mut findings: Vec<Finding> = not_ready(istiod, container).into_iter().collect();
    let mut shown = IstiodLog {
        namespace: target::namespace(&istiod.pod).to_owned(),
        pod: target::name(&istiod.pod).to_owned(),
        revision: istiod.revision.clone(),
        container: container.to_owned(),
        ready: target::is_ready(&istiod.pod),
        restarts: restarts(istiod, container),
        last_terminated: ended.map(|ended| {
            format!("{} (exit code {})", ended.reason.as_deref().unwrap_or("Terminated"), ended.exit_code)
        }),
        truncated: false,
        digest: None,
        lines: Vec::new(),
    };
    let Ok(log) = log else { return (shown, findings) };
    shown.truncated = log.truncated;
    let mut builder = DigestBuilder::new(Source::of_container(container));
    let mut parser = LineParser::default();
    for raw in log.lines() {
        builder.push(raw);
        let line = parser.parse(raw);
        if input.wants(&line) {
            shown.lines.push(line);
        }
    }
    let read = builder.finish();
    let subject = target::subject(&istiod.pod).container(container);
    findings.extend(digest::findings(&read, &subject));
    shown.digest = Some(read);
    (shown, findings)
}

/// A replica that does not serve is said to be so, whatever its log says: that of the present run may hold no error yet.
fn not_ready(istiod: &Istiod, container: &str) -> Option<Finding> {
    if target::is_ready(&istiod.pod) {
        return None;
    }
    let name = target::name(&istiod.pod);
    let status = target::container_status(&istiod.pod, container);
    let waiting = status.and_then(|s| s.state.as_ref()?.waiting.as_ref()?.reason.clone());
    let ended = status.and_then(|s| s.last_state.as_ref()?.terminated.as_ref());
    let mut message = format!("istiod {name} is not ready");
    if let Some(waiting) = waiting {
        message = format!("{message}: {waiting}");
    }
    let count = restarts(istiod, container);
    if count > 0 {
        message = format!("{message}, {}", counted(usize::try_from(count).unwrap_or(0), "restart"));
    }
    if let Some(ended) = ended {
        let reason = ended.reason.as_deref().unwrap_or("an unknown reason");
        message = format!("{message}, ended last with {reason} (exit code {})", ended.exit_code);
    }
    Some(Finding::new(&K8S0092, target::subject(&istiod.pod).container(container), message))
}

fn restarts(istiod: &Istiod, container: &str) -> i32 {
    target::container_status(&istiod.pod, container).map_or(0, |status| status.restart_count)
}

fn no_istiod(looked_in: &str) -> Finding {
    let message = format!("there is no pod with label app=istiod in {looked_in}");
    Finding::new(&K8S0091, Subject::cluster_wide("Deployment", "istiod"), message).remedy(
        "See whether Istio is installed (on AKS: az aks show --query serviceMeshProfile), whether its Deployment has \
         replicas (kubectl.resource-status), and whether the right namespace was given.",
    )
}

fn commands(input: &IstiodLogsInput, pods: &[(Istiod, Read<ContainerLog>)]) -> Vec<String> {
    let mut options = format!(" --tail {}", input.tail.unwrap_or(TAIL));
    if let Some(since) = input.log_query().since_s {
        options = format!("{options} --since {since}s");
    }
    if input.previous {
        options.push_str(" --previous");
    }
    let mut commands: Vec<_> = pods
        .iter()
        .map(|(istiod, _)| {
            let namespace = target::namespace(&istiod.pod);
            let selector = match istiod.pod.metadata.labels.as_ref().and_then(|labels| labels.get("istio.io/rev")) {
                Some(revision) => format!("app=istiod,istio.io/rev={revision}"),
                None => "app=istiod".to_owned(),
            };
            format!(
                "kubectl logs --selector {selector} --namespace {namespace} --container {}{options}",
                input.container()
            )
        })
        .collect();
    commands.sort();
    commands.dedup();
    commands
}
