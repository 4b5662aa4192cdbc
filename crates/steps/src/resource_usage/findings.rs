//! What is said about proxies and istiod. Each function builds the findings of one rule.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::{
    counted, mesh_pod,
    pod_usage::{ContainerUse, ResourceUse, UseSource, cpu_text, memory_text},
    proxy_sample::{ProxyPod, container_status},
    proxy_status::age,
    resource_status::{codes::CONTAINER_RAN_OUT_OF_MEMORY, judge::container::memory_remedy},
};
use super::codes::{RES0100, RES0101, RES0102, RES0103, RES0104, RES0105, RES0106, RES0107, RES0108, RES0109};
use super::data::{IstiodUse, NamespaceScope, ProxySize, ProxyStatistics, ProxyUse, ProxyWorkers};
use super::input::ResourceThresholds;
use mesh::{Kind, Mesh, Object, View, Workload, host, sidecars};
use report::{Evidence, Finding, Severity, Subject};

const MIB: u64 = 1 << 20;
/// A thread that uses this much has no CPU left, in thousandths of a core.
const BUSY_MILLICORES: u64 = 900;
/// A kill within this time is news.
const RECENTLY_S: i64 = 3600;
/// Hosts that a finding names.
const SHOWN: usize = 5;

/// The end of the present or the last run of a container, where the kernel killed it for its memory.
pub(super) fn memory_end<'m>(pod: &'m Object, container: &str) -> Option<View<'m>> {
    let status = container_status(pod, container);
    let ends = ["state", "lastState"].map(|state| status.path(&[state, "terminated"]));
    ends.into_iter().find(|end| end.get("reason").text() == "OOMKilled")
}

/// A container that was killed for its memory. One that runs again is not down, and what is long over is no news.
pub(super) fn out_of_memory(pod: &Object, container: &str, used: &ContainerUse, now: Timestamp) -> Option<Finding> {
    let end = memory_end(pod, container)?;
    let bound = match used.memory_bytes.limit {
        Some(limit) => format!("its limit of {}", memory_text(limit)),
        None => "what the node had (it has no limit)".to_owned(),
    };
    let message = format!("container was killed for using more memory than {bound}");
    let finished = end.get("finishedAt").text();
    let is_recent = |time: Timestamp| now.as_second() - time.as_second() < RECENTLY_S;
    let is_down = !container_status(pod, container).path(&["state", "running"]).is_set();
    let severity = match finished.parse().map(is_recent) {
        _ if is_down => Severity::Error,
        Ok(false) => Severity::Info,
        Ok(true) | Err(_) => Severity::Warning,
    };
    let mut evidence = Evidence::new("last run", format!("OOMKilled (exit code {})", end.get("exitCode").written()));
    evidence.last_seen = Some(finished.to_owned()).filter(|time| !time.is_empty());
    let finding = Finding::new(&CONTAINER_RAN_OUT_OF_MEMORY, mesh_pod::subject(pod).container(container), message);
    let remedy = memory_remedy(pod.label("app") == Some("istiod"), container);
    Some(finding.severity(severity).evidence(evidence).remedy(remedy))
}

pub(super) fn of_use(proxy: &ProxyPod, row: &ProxyUse, thresholds: &ResourceThresholds) -> Vec<Finding> {
    let mut findings = Vec::new();
    let memory = &row.used.memory_bytes;
    if let Some(used) = memory.used
        && (is_near(memory, thresholds.memory_percent) || used >= thresholds.memory_mib * MIB)
    {
        let size = row.size.as_ref().map(|size| format!("; it holds {}", size_text(size))).unwrap_or_default();
        let message = format!("proxy uses {} of memory{}{size}", memory_text(used), against(memory, memory_text));
        findings.push(Finding::new(&RES0100, proxy.subject(), message).evidence(source(memory)));
    }
    let cpu = &row.used.cpu_millicores;
    if let Some(used) = cpu.used.filter(|_| is_near(cpu, thresholds.cpu_percent)) {
        let message = format!("proxy uses {} of CPU{}", cpu_text(used), against(cpu, cpu_text));
        findings.push(Finding::new(&RES0101, proxy.subject(), message).evidence(source(cpu)));
    }
    if let Some(used) = cpu.used.filter(|used| row.workers.running == Some(1) && *used >= BUSY_MILLICORES) {
        let message = format!("proxy has one worker thread and uses {} of CPU", cpu_text(used));
        findings.push(Finding::new(&RES0109, proxy.subject(), message).evidence(source(cpu)));
    }
    findings
}

fn is_near(used: &ResourceUse, percent: u64) -> bool {
    used.percent_of_limit.is_some_and(|own| own >= percent)
}

/// `, 85 % of its limit of 1024 MiB`.
fn against(used: &ResourceUse, text: fn(u64) -> String) -> String {
    match (used.percent_of_limit, used.limit) {
        (Some(percent), Some(limit)) => format!(", {percent} % of its limit of {}", text(limit)),
        _ => " and has no limit".to_owned(),
    }
}

fn source(used: &ResourceUse) -> Evidence {
    let (from, text) = match used.from {
        Some(UseSource::Envoy) => ("Envoy's /memory", "Envoy alone, without the agent in the same container"),
        Some(UseSource::Process) => ("the process's own metrics", "process_resident_memory_bytes"),
        Some(UseSource::MetricsApi) | None => ("metrics.k8s.io", "the container, as the kubelet measured it"),
    };
    Evidence::new(from, text)
}

pub(super) fn of_istiod(subject: Subject, row: &IstiodUse, thresholds: &ResourceThresholds) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (memory, cpu) = (&row.used.memory_bytes, &row.used.cpu_millicores);
    let knows = match (row.proxies, row.services) {
        (Some(proxies), Some(services)) => format!("; it has {proxies} proxies and knows {services} services"),
        _ => String::new(),
    };
    if let Some(used) = memory.used {
        let beyond_request = memory.limit.is_none() && memory.request.is_some_and(|request| used > request);
        if is_near(memory, thresholds.memory_percent) || beyond_request {
            let asked = memory.request.filter(|_| beyond_request).map(|request| format!(" ({})", memory_text(request)));
            let bound = match asked {
                Some(asked) => format!(", more than it asked for{asked}, without a limit"),
                None => against(memory, memory_text),
            };
            let message = format!("istiod uses {} of memory{bound}{knows}", memory_text(used));
            let finding = Finding::new(&RES0102, subject.clone(), message).discriminator("memory");
            findings.push(finding.evidence(source(memory)));
        }
    }
    if let Some(used) = cpu.used.filter(|_| is_near(cpu, thresholds.cpu_percent)) {
        let message = format!("istiod uses {} of CPU{}{knows}", cpu_text(used), against(cpu, cpu_text));
        findings.push(Finding::new(&RES0102, subject, message).discriminator("cpu").evidence(source(cpu)));
    }
    findings
}

pub(super) fn of_size(proxy: &ProxyPod, size: &ProxySize, thresholds: &ResourceThresholds) -> Option<Finding> {
    let endpoints = size.endpoints.unwrap_or_default();
    let dump_mib = size.dump_bytes >> 20;
    let is_large = size.clusters > thresholds.clusters
        || size.listeners > thresholds.listeners
        || endpoints > thresholds.endpoints
        || size.dump_bytes > thresholds.dump_mib << 20;
    let message = || format!("proxy holds {}, {dump_mib} MiB in all", size_text(size));
    is_large.then(|| Finding::new(&RES0103, proxy.subject(), message()))
}

fn size_text(size: &ProxySize) -> String {
    let mut text = format!("{}, {}", counted(size.clusters, "cluster"), counted(size.listeners, "listener"));
    if let Some(endpoints) = size.endpoints {
        text = format!("{text}, {}", counted(endpoints, "endpoint"));
    }
    text
}

pub(super) fn of_statistics(
    proxy: &ProxyPod,
    statistics: &ProxyStatistics,
    thresholds: &ResourceThresholds,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if statistics.total > thresholds.stats {
        let message = format!("proxy keeps {} statistics", statistics.total);
        let mut finding = Finding::new(&RES0106, proxy.subject(), message);
        if !statistics.included.is_empty() {
            let patterns = statistics.included.join(", ");
            finding =
                finding.evidence(Evidence::new("stats_matcher of Envoy's bootstrap, beyond Istio's own", patterns));
        }
        findings.push(finding);
    }
    let label = statistics.labels.first().filter(|label| label.values > thresholds.label_values);
    if statistics.istio_series > thresholds.series || label.is_some() {
        let widest = label.map(|label| format!("; label {} has {} values", label.label, label.values));
        let message =
            format!("Istio's metrics have {} series here{}", statistics.istio_series, widest.unwrap_or_default());
        let mut finding = Finding::new(&RES0107, proxy.subject(), message);
        for metric in &statistics.metrics {
            finding = finding.evidence(Evidence::new(metric.metric.as_str(), counted(metric.series, "series")));
        }
        findings.push(finding);
    }
    findings
}

/// Settings that ask for so many workers are reported from the objects, by the detectors.
pub(super) fn of_workers(
    proxy: &ProxyPod,
    workers: &ProxyWorkers,
    cpu: &ResourceUse,
    thresholds: &ResourceThresholds,
) -> Option<Finding> {
    let running = workers.running?;
    let too_many = cpu.limit.is_some_and(|limit| running > limit.div_ceil(1000) + 1) || running > thresholds.workers;
    let is_asked_for = workers.configured.is_some_and(|wanted| wanted == running || wanted == 0);
    if !too_many || is_asked_for || workers.by_cpu == Some(running) {
        return None;
    }
    let limit = cpu.limit.map_or("no CPU limit".to_owned(), |limit| format!("a CPU limit of {}", cpu_text(limit)));
    let why = match (&workers.configured_by, workers.configured, workers.by_cpu) {
        (Some(by), Some(wanted), _) => format!("{by} says {wanted}, so it was started before that"),
        (_, _, Some(by_cpu)) => format!("by its CPU settings it would have {by_cpu}, so it was started before them"),
        _ => "nothing limits them, so they are as many as the node has cores".to_owned(),
    };
    let message =
        format!("Envoy runs {} with {limit}: {why}", counted(usize::try_from(running).ok()?, "worker thread"));
    Some(Finding::new(&RES0108, proxy.subject(), message))
}

/// A namespace whose proxies hold much more than they call.
pub(super) fn of_scope(scope: &NamespaceScope, thresholds: &ResourceThresholds) -> Option<Finding> {
    let proposal = scope.proposal.as_ref()?;
    let saved = scope.outbound_clusters - proposal.clusters_left;
    if saved < thresholds.saved_clusters {
        return None;
    }
    let message = format!(
        "proxies hold {}, and the {} that were asked have called {}: a Sidecar would leave {}",
        counted(scope.outbound_clusters, "outbound cluster"),
        scope.proxies_asked,
        counted(scope.called.len(), "host"),
        proposal.clusters_left
    );
    let called: Vec<&str> = scope.called.iter().map(|called| called.host.as_str()).take(SHOWN).collect();
    let dots = if scope.called.len() > SHOWN { " …" } else { "" };
    let mut finding = Finding::new(&RES0104, Subject::cluster_wide("Namespace", &scope.namespace), message)
        .evidence(Evidence::new("called", format!("{}{dots}", called.join(", "))))
        .evidence(Evidence::new("Sidecar to apply", proposal.manifest.trim_end()));
    if let Some(seconds) = scope.observed_s {
        finding = finding.evidence(Evidence::new(
            "counted since",
            format!("{} ago, when a proxy started", age(seconds.cast_signed())),
        ));
    }
    Some(finding)
}

/// Services of the mesh that a proxy was asked for and does not know, while a `Sidecar` limits what it knows.
pub(super) fn hidden(mesh: &Mesh, proxy: &ProxyPod, pod: &Object, unknown: &BTreeMap<String, u64>) -> Vec<Finding> {
    let Some(sidecar) = mesh.sidecar_scope(Workload::of_pod(pod)) else { return Vec::new() };
    let mut findings = Vec::new();
    for (name, lines) in unknown {
        let Some((namespace, service)) = service_of(mesh, &proxy.namespace, name) else { continue };
        if sidecars::imports(sidecars::egress_hosts(sidecar), &proxy.namespace, &namespace, &service) {
            continue;
        }
        let message = format!(
            "{} was called {}, but {} hides it from the proxy",
            service,
            counted(usize::try_from(*lines).unwrap_or(usize::MAX), "time"),
            sidecar.origin()
        );
        let mut finding = Finding::new(&RES0105, proxy.subject(), message)
            .discriminator(&service)
            .evidence(Evidence::new(format!("access log of {}", proxy.place()), format!("authority {name:?}")))
            .remedy(format!("Add \"{namespace}/{service}\" to egress.hosts of {}.", sidecar.origin()));
        if mesh.config_of(&proxy.namespace).setting(&["outboundTrafficPolicy", "mode"]).value.text() != "REGISTRY_ONLY"
            && sidecar.spec().path(&["outboundTrafficPolicy", "mode"]).text() != "REGISTRY_ONLY"
        {
            // Such calls may get through, in plain text.
            finding = finding.severity(Severity::Warning);
        }
        findings.push(finding);
    }
    findings
}

/// The service that a client means by a name: `pay`, `pay.bank`, `pay.bank.svc`, or in full.
fn service_of(mesh: &Mesh, home: &str, name: &str) -> Option<(String, String)> {
    let full = match name.split('.').collect::<Vec<_>>()[..] {
        [_] => host::fqdn(home, name),
        [_, _] => format!("{name}.svc.cluster.local"),
        [_, _, "svc"] => format!("{name}.cluster.local"),
        _ => name.to_owned(),
    };
    let (namespace, service) = host::service_of("", &full);
    if !namespace.is_empty() && mesh.find(Kind::Service, namespace, service).is_some() {
        return Some((namespace.to_owned(), full.clone()));
    }
    let known = mesh.hosts().look_up(home, std::iter::empty(), name)?;
    let is_entry = known.object.kind() == Kind::ServiceEntry;
    is_entry.then(|| (known.object.namespace().to_owned(), name.to_owned()))
}
