//! What is said about CoreDNS and about the look-ups of the mesh.

use super::super::{
    counted, mesh_pod,
    pod_usage::{ContainerUse, cpu_text, memory_text},
    proxy_status::age,
    target::PROXY,
};
use super::codes::{
    DNS0100, DNS0101, DNS0102, DNS0103, DNS0104, DNS0105, DNS0106, DNS0107, DNS0108, DNS0109, DNS0110, DNS0111, DNS0112,
};
use super::configuration::NAMESPACE;
use super::data::{CorednsLoad, CorednsPod, EntryQueries, LoadPeriod, MeshDns, ProxyDns};
use super::gather::CONTAINER;
use super::input::CorednsThresholds;
use mesh::{Object, quantity};
use report::{Code, Evidence, Finding, Severity, Subject};

/// Answers from which on a share of them says something.
const ENOUGH_ANSWERS: f64 = 100.0;
/// Queries a second from which on it matters how they are shared.
const BUSY_PER_S: f64 = 10.0;
/// `ServiceEntry`s that a finding names.
const SHOWN: usize = 3;

fn deployment() -> Subject {
    Subject::namespaced("Deployment", NAMESPACE, "coredns")
}

/// `in the last 10 s`, or `since its start 2 h ago`.
fn when(load: &CorednsLoad) -> String {
    match load.period {
        LoadPeriod::Window => format!("in the last {:.0} s", load.seconds),
        LoadPeriod::SinceStart => format!("on average over the {} since its start", length(load.seconds)),
    }
}

fn length(seconds: f64) -> String {
    age(quantity::whole(seconds).cast_signed())
}

/// What is over, or averages away, is not as urgent as what happens now.
fn severity(code: &Code, load: &CorednsLoad) -> Severity {
    match load.period {
        LoadPeriod::Window => code.severity,
        LoadPeriod::SinceStart => code.severity.min(Severity::Warning),
    }
}

pub(super) fn of_load(load: &CorednsLoad, thresholds: &CorednsThresholds) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |code: &'static Code, message: String| {
        findings.push(Finding::new(code, deployment(), message).severity(severity(code, load)));
    };
    let answers: f64 = load.responses.values().sum();
    let enough = answers >= ENOUGH_ANSWERS;
    if let Some(p99) = load.p99_ms.filter(|p99| enough && *p99 > thresholds.p99_ms.into()) {
        let upstream = load.upstream_p99_ms.map(|ms| format!("; the servers it forwards to took up to {ms} ms"));
        let upstream = upstream.unwrap_or_default();
        report(&DNS0100, format!("one answer of a hundred took more than {p99} ms {}{upstream}", when(load)));
    }
    let over = |percent: Option<f64>, least: u32| percent.filter(|percent| enough && *percent >= least.into());
    if let Some(percent) = over(load.servfail_percent, thresholds.servfail_percent) {
        report(&DNS0101, format!("{percent} % of {answers} answers were SERVFAIL {}", when(load)));
    }
    if let Some(percent) = over(load.nxdomain_percent, thresholds.nxdomain_percent) {
        let made_up = match load.template_matches {
            matches if matches > 0.0 => {
                format!("; the plugin template of the Corefile made {matches} of them")
            }
            _ => String::new(),
        };
        report(&DNS0103, format!("{percent} % of {answers} answers were NXDOMAIN {}{made_up}", when(load)));
    }
    findings
}

/// Counters of faults: what they counted in the window, else since the start.
pub(super) fn of_faults(load: &CorednsLoad) -> Vec<Finding> {
    let faults: [(&'static Code, f64, &str); 5] = [
        (&DNS0102, load.rejects, "queries were refused, because too many were being forwarded"),
        (&DNS0106, load.no_healthy_upstream, "times no server to forward to was healthy"),
        (&DNS0106, load.failed_health_checks, "health checks of servers to forward to failed"),
        (&DNS0108, load.panics, "panics"),
        (&DNS0109, load.failed_reloads, "changes of the configuration could not be loaded"),
    ];
    let period = match load.period {
        LoadPeriod::Window => format!("in the last {:.0} s", load.seconds),
        LoadPeriod::SinceStart => format!("since its start {} ago", length(load.seconds)),
    };
    let found = faults.into_iter().filter(|(_, count, _)| *count > 0.0);
    let finding = |(code, count, what): (&'static Code, f64, &str)| {
        let message = format!("{count} {what} {period}");
        Finding::new(code, deployment(), message).severity(severity(code, load)).discriminator(what)
    };
    found.map(finding).collect()
}

pub(super) fn of_shares(pods: &[CorednsPod], thresholds: &CorednsThresholds) -> Option<Finding> {
    let rates = || pods.iter().filter_map(|pod| Some((pod.load.as_ref()?.requests_per_s, pod.pod.as_str())));
    let most = rates().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let least = rates().min_by(|a, b| a.0.total_cmp(&b.0))?;
    if most.0 < BUSY_PER_S || most.0 < least.0 * f64::from(thresholds.uneven) {
        return None;
    }
    let message =
        format!("replica {} answers {} queries a second, replica {} answers {}", most.1, most.0, least.1, least.0);
    Some(Finding::new(&DNS0104, deployment(), message))
}

pub(super) fn of_use(pod: &Object, used: &ContainerUse, thresholds: &CorednsThresholds) -> Vec<Finding> {
    let (memory, cpu) = (&used.memory_bytes, &used.cpu_millicores);
    let mut findings = Vec::new();
    for (name, part, text) in [("memory", memory, memory_text as fn(u64) -> String), ("CPU", cpu, cpu_text)] {
        let (Some(amount), Some(limit), Some(percent)) = (part.used, part.limit, part.percent_of_limit) else {
            continue;
        };
        if percent >= thresholds.use_percent.into() {
            let message = format!("uses {} of {name}, {percent} % of its limit of {}", text(amount), text(limit));
            findings
                .push(Finding::new(&DNS0105, mesh_pod::subject(pod).container(CONTAINER), message).discriminator(name));
        }
    }
    findings
}

pub(super) fn none_found() -> Finding {
    let message = "there is no pod with the label k8s-app=kube-dns in kube-system";
    Finding::new(&DNS0112, Subject::namespaced("Service", NAMESPACE, "kube-dns"), message)
}

/// The mesh's own look-ups, where they are much of what CoreDNS answers now. How many they are in themselves is told from
/// the objects, by the detectors.
pub(super) fn of_mesh(mesh: &MeshDns, load: Option<&CorednsLoad>, thresholds: &CorednsThresholds) -> Option<Finding> {
    let load = load.filter(|load| load.period == LoadPeriod::Window)?;
    let percent = mesh.percent_of_load.filter(|percent| *percent >= thresholds.mesh_percent.into())?;
    if mesh.queries_per_s < BUSY_PER_S {
        return None;
    }
    let message = format!(
        "{} with DNS resolution make about {} queries a second in {} with a TTL of {} s ({} with 60 s, {} with 5 s); CoreDNS \
         answers {} a second, of which that would be {percent} %",
        counted(mesh.entries.len(), "ServiceEntry"),
        mesh.queries_per_s,
        counted(mesh.proxies, "proxy"),
        mesh.assumed_ttl_s,
        mesh.least_queries_per_s,
        mesh.most_queries_per_s,
        load.requests_per_s
    );
    let mut finding = Finding::new(&DNS0107, Subject::cluster_wide("Mesh", ""), message);
    for entry in mesh.entries.iter().take(SHOWN) {
        let from = format!("ServiceEntry {}/{}", entry.namespace, entry.name);
        let times = format!("{} in {}", counted(entry.look_ups, "look-up"), counted(entry.proxies, "proxy"));
        finding = finding.evidence(Evidence::new(from, times));
    }
    Some(finding)
}

pub(super) fn of_entry(entry: &EntryQueries, mesh: &MeshDns) -> Option<Finding> {
    if entry.unresolved_in == 0 {
        return None;
    }
    let rates: Vec<&str> = mesh.refresh_rates.iter().map(|rate| rate.value.as_str()).collect();
    let message = format!(
        "{} did not resolve in {} of {} that were asked; each tries again after dnsRefreshRate ({})",
        entry.hosts.join(", "),
        entry.unresolved_in,
        counted(entry.asked, "proxy"),
        rates.first().copied().unwrap_or("60s")
    );
    Some(Finding::new(&DNS0111, Subject::namespaced("ServiceEntry", &entry.namespace, &entry.name), message))
}

pub(super) fn of_capture(pod: &Object, dns: &ProxyDns, thresholds: &CorednsThresholds) -> Option<Finding> {
    let capture = dns.capture.as_ref().filter(|capture| capture.upstream_requests > 0.0)?;
    let percent = capture.upstream_failures / capture.upstream_requests * 100.0;
    if percent < thresholds.servfail_percent.into() {
        return None;
    }
    let message = format!(
        "{} of {} look-ups that the sidecar passed on to the cluster's DNS failed",
        capture.upstream_failures, capture.upstream_requests
    );
    Some(Finding::new(&DNS0110, mesh_pod::subject(pod).container(PROXY), message))
}
