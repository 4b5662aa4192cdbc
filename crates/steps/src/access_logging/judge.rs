//! What is configured, what the listeners have, and whether that is the same.

use super::{AccessLogsData, Evidence, LoggingCounts, MeshWorkload, PROBLEMS, WorkloadLogging};
use crate::{Judgement, counted};
use analyzers::Options;
use detectors::{self, detect};
use envoy::access_loggers::{AccessLogger, AccessLoggers};
use mesh::{AccessLogging, End, Kind, LogSinkKind, Mesh, Workload};
use report::{Code, Finding, Severity, Subject};

pub(super) static CODES: &[&Code] = &[&NOT_AS_CONFIGURED];

static NOT_AS_CONFIGURED: Code = Code {
    id: "OBS0080",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/tasks/observability/logs/access-log/",
    page: include_str!("../pages/OBS0080.md"),
};

pub(super) fn judge(evidence: Evidence) -> Judgement<AccessLogsData> {
    let Evidence { mesh, workloads, mut loggers, mut skipped } = evidence;
    let mut shown = Vec::new();
    for workload in &workloads {
        let pod = workload.ready_pod.as_ref().map(|pod| format!("{}/{pod}", workload.namespace));
        let listeners = pod.and_then(|pod| loggers.remove(&pod));
        shown.extend(logging(&mesh, workload, listeners));
    }
    let mut findings: Vec<Finding> = shown.iter().filter_map(not_as_configured).collect();
    let analysis = detect(&mesh, &detectors::that_detect(PROBLEMS), &Options::default());
    findings.extend(analysis.findings());
    skipped.extend(analysis.skipped);

    let counts = counts(&shown);
    let summary = format!(
        "{} with a proxy: {} log requests, {} at one end only, {} not at all",
        counted(shown.len(), "workload"),
        counts.logging,
        counts.partly,
        counts.silent
    );
    let root = &mesh.config().root_namespace;
    let commands = vec![
        "kubectl get telemetries -A -o yaml".to_owned(),
        format!("kubectl get configmap -n {} -o yaml", mesh.istio_namespace()),
    ];
    let data = AccessLogsData { workloads: shown, counts, manifest: manifest("mesh-access-logs", root, &[]) };
    Judgement { data, findings, skipped, commands, summary }
}

fn logging(mesh: &Mesh, workload: &MeshWorkload, listeners: Option<AccessLoggers>) -> Option<WorkloadLogging> {
    let pod = mesh.find(Kind::Pod, &workload.namespace, &workload.pod)?;
    let of = |end| mesh.access_logging(Workload::of_pod(pod), end);
    let client = of(End::Client);
    let server = (!workload.is_gateway).then(|| of(End::Server));
    let is_silent = client.sinks.is_empty() || server.as_ref().is_some_and(|server| server.sinks.is_empty());
    let as_configured = listeners.as_ref().map(|listeners| {
        agrees(&client, &listeners.client) && server.as_ref().is_none_or(|server| agrees(server, &listeners.server))
    });
    let labels = workload.selector.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<Vec<_>>();
    Some(WorkloadLogging {
        namespace: workload.namespace.clone(),
        kind: workload.kind.clone(),
        name: workload.name.clone(),
        revision: workload.revision.clone(),
        gateway: workload.is_gateway,
        client,
        server,
        as_configured,
        manifest: (is_silent && !labels.is_empty())
            .then(|| manifest(&format!("{}-access-logs", workload.name), &workload.namespace, &labels)),
        listeners,
    })
}

/// Whether files are written where they should be, and nothing is written where nothing should. Other sinks go by names
/// that a provider does not tell.
fn agrees(configured: &AccessLogging, loggers: &std::collections::BTreeSet<AccessLogger>) -> bool {
    let has_file = |path: &str| loggers.iter().any(|logger| logger.path.as_deref() == Some(path));
    let mut sinks = configured.sinks.iter().filter(|sink| sink.kind != LogSinkKind::Unknown).peekable();
    if sinks.peek().is_none() {
        return loggers.is_empty();
    }
    sinks.all(|sink| match sink.kind {
        LogSinkKind::File => has_file(&sink.target),
        LogSinkKind::Grpc | LogSinkKind::OpenTelemetry | LogSinkKind::Unknown => !loggers.is_empty(),
    })
}

fn counts(workloads: &[WorkloadLogging]) -> LoggingCounts {
    let mut counts = LoggingCounts::default();
    for workload in workloads {
        let ends = [Some(&workload.client), workload.server.as_ref()];
        let (mut logging, mut silent) = (0, 0);
        for end in ends.into_iter().flatten() {
            if end.sinks.is_empty() { silent += 1 } else { logging += 1 }
        }
        match (logging, silent) {
            (_, 0) => counts.logging += 1,
            (0, _) => counts.silent += 1,
            _ => counts.partly += 1,
        }
    }
    counts
}

/// The Telemetry that switches on the built-in provider
/// (<https://istio.io/latest/docs/tasks/observability/logs/access-log/#using-telemetry-api>).
fn manifest(name: &str, namespace: &str, labels: &[(&str, &str)]) -> String {
    let mut text = format!(
        "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n"
    );
    if !labels.is_empty() {
        text.push_str("  selector:\n    matchLabels:\n");
        for (key, value) in labels {
            text.push_str("      ");
            text.push_str(key);
            text.push_str(": \"");
            text.push_str(value);
            text.push_str("\"\n");
        }
    }
    text.push_str("  accessLogging:\n  - providers:\n    - name: envoy\n");
    text
}

fn not_as_configured(workload: &WorkloadLogging) -> Option<Finding> {
    if workload.as_configured != Some(false) {
        return None;
    }
    let listeners = workload.listeners.as_ref()?;
    let ends = [
        ("client", Some(&workload.client), &listeners.client),
        ("server", workload.server.as_ref(), &listeners.server),
    ];
    let (end, configured, loggers) = ends.into_iter().find_map(|(end, configured, loggers)| {
        let configured = configured.filter(|configured| !agrees(configured, loggers))?;
        Some((end, configured, loggers))
    })?;
    let wanted = match configured.sinks.as_slice() {
        [] => "nothing".to_owned(),
        sinks => sinks.iter().map(|sink| sink.target.as_str()).collect::<Vec<_>>().join(", "),
    };
    let has = if loggers.is_empty() {
        "log nothing".to_owned()
    } else {
        let paths = loggers.iter().map(|logger| logger.path.as_deref().unwrap_or(&logger.name));
        format!("log to {}", paths.collect::<Vec<_>>().join(", "))
    };
    let message = format!(
        "by {} its proxy logs to {wanted} as the {end} of requests, but its listeners {has}",
        configured.set_by
    );
    let remedy = format!(
        "Look whether its proxy has what istiod sent (GET /v1/istioctl/proxy-status), and for an EnvoyFilter that changes \
         access logs (kubectl get envoyfilters -A). A setting of the mesh configuration takes effect at once, \
         those of defaultConfig after a restart of {} {}/{}.",
        workload.kind, workload.namespace, workload.name
    );
    let subject = Subject::namespaced(&workload.kind, &workload.namespace, &workload.name);
    Some(Finding::new(&NOT_AS_CONFIGURED, subject, message).remedy(remedy))
}
