//! Puts load, configuration, look-ups of the mesh and findings together.

use super::super::{
    Judgement, counted, mesh_pod,
    pod_usage::{ContainerUse, UseSource},
    proxy_sample::container_status,
};
use super::{
    CorednsInput,
    configuration::{self, NAMESPACE},
    data::{CorednsData, CorednsLoad, CorednsPod, LoadPeriod, MeshDns, ProxyDns},
    findings,
    gather::{CONTAINER, Evidence, Replica},
    load,
    metrics::DnsMetrics,
};
use analyzers::Options;
use detectors::{self, Area};
use envoy::cluster_name::ClusterName;
use logs::digest;
use mesh::{Kind, Object, Perspective, quantity};
use report::{Read, Skipped};

/// What a replica counted, in the period that its readings cover.
struct Counted {
    metrics: DnsMetrics,
    period: LoadPeriod,
    seconds: f64,
    /// From the start of the process, whatever the period is.
    total: DnsMetrics,
    total_seconds: f64,
}

pub(super) fn judge(input: &CorednsInput, evidence: Evidence) -> Judgement<CorednsData> {
    let thresholds = input.thresholds();
    let Evidence { mesh, usage, replicas, proxies, answers, mut skipped, now } = evidence;
    let mesh = mesh.seen_from(Perspective { compatible: false, revision: input.revision.clone() });
    let mut found = Vec::new();
    if replicas.is_empty() && mesh.provided().contains(Kind::Pod) {
        found.push(findings::none_found());
    }

    let (mut pods, mut counted_by) = (Vec::new(), Vec::new());
    for replica in &replicas {
        let Some(pod) = mesh.find(Kind::Pod, NAMESPACE, &replica.pod) else { continue };
        let own = counted_of(replica, now.as_second(), &mut skipped);
        let mut used = ContainerUse::new(pod, CONTAINER, &usage);
        if let Some(own) = own.as_ref().filter(|own| own.total.memory_bytes > 0.0) {
            used.memory_bytes.set_if_unknown(quantity::whole(own.total.memory_bytes), UseSource::Process);
        }
        found.extend(findings::of_use(pod, &used, &thresholds));
        if let Some(Ok(log)) = &replica.log {
            found.extend(digest::findings(log, &mesh_pod::subject(pod).container(CONTAINER)));
        }
        skipped.extend(replica.log.iter().filter_map(|log| log.as_ref().err().cloned()));
        pods.push(row(pod, used, own.as_ref(), replica));
        counted_by.extend(own);
    }
    let total = together(&counted_by);
    if let Some(load) = &total {
        found.extend(findings::of_load(load, &thresholds));
        let past = since_start(&counted_by).filter(|_| load.period == LoadPeriod::Window);
        let now = findings::of_faults(load);
        // What happens now is not told once more as something of the past.
        let past = past
            .iter()
            .flat_map(findings::of_faults)
            .filter(|past| now.iter().all(|one| (&one.code, &one.discriminator) != (&past.code, &past.discriminator)));
        let past: Vec<_> = past.collect();
        found.extend(now.into_iter().chain(past));
    }
    found.extend(findings::of_shares(&pods, &thresholds));

    let running: Vec<_> = proxies.into_iter().filter(|proxy| proxy.is_running).collect();
    let mut dns = load::queries(&mesh, &running, input.ttl());
    // A part of the replicas answers a part of the queries.
    let all = total.as_ref().filter(|_| counted_by.len() == pods.len());
    dns.percent_of_load = all.and_then(|load| percent(dns.queries_per_s, load.requests_per_s));
    for (proxy, answer) in answers {
        match answer {
            Ok(answer) => {
                let pod = mesh.find(Kind::Pod, &proxy.namespace, &proxy.name);
                found.extend(pod.and_then(|pod| findings::of_capture(pod, &answer, &thresholds)));
                note_unresolved(&mut dns, &answer);
                dns.asked.push(answer);
            }
            Err(reason) => skipped.push(reason),
        }
    }
    found.extend(findings::of_mesh(&dns, total.as_ref(), &thresholds));
    found.extend(dns.entries.iter().filter_map(|entry| findings::of_entry(entry, &dns)));

    let options = Options { namespaces: input.namespace.iter().cloned().collect(), ..Options::default() };
    let analysis = detectors::detect(&mesh, &detectors::of_areas(&[Area::Dns]), &options);
    found.extend(analysis.findings());
    skipped.extend(analysis.skipped.iter().cloned());
    for kind in [Kind::Pod, Kind::ServiceEntry, Kind::Sidecar] {
        let is_named = skipped.iter().any(|part| part.what == kind.plural());
        if !mesh.provided().contains(kind) && !is_named {
            skipped.push(Skipped::new(kind.plural(), mesh.why_unreadable(kind).unwrap_or("it was not read")));
        }
    }
    match usage {
        Ok(usage) => skipped.extend(usage.skipped),
        Err(reason) => skipped.push(Skipped { silences: vec!["CPU of CoreDNS".to_owned()], ..reason }),
    }

    let summary = format!(
        "{} of CoreDNS, {} with DNS resolution in {}",
        counted(pods.len(), "replica"),
        counted(dns.entries.len(), "ServiceEntry"),
        counted(dns.proxies, "proxy")
    );
    let commands = commands(&pods);
    let configuration = configuration::configuration(&mesh, &pods);
    let data = CorednsData { thresholds, pods, load: total, configuration, mesh: dns };
    Judgement { data, findings: found, skipped, commands, summary }
}

/// The load of a replica: of the time between two readings, else since its start.
fn counted_of(replica: &Replica, now_s: i64, skipped: &mut Vec<Skipped>) -> Option<Counted> {
    let first = take(&replica.first, skipped)?;
    let second = replica.second.as_ref().and_then(|(second, seconds)| Some((take(second, skipped)?, *seconds)));
    let window = second.and_then(|(second, seconds)| Some((second.since(first)?, seconds)));
    let latest = second.map_or(first, |(second, _)| second);
    let total_seconds = (seconds_of(now_s) - latest.started_s).max(0.0);
    let (metrics, period, seconds) = match window {
        Some((metrics, seconds)) => (metrics, LoadPeriod::Window, seconds),
        None => (latest.clone(), LoadPeriod::SinceStart, total_seconds),
    };
    Some(Counted { metrics, period, seconds, total: latest.clone(), total_seconds })
}

fn take<'r>(read: &'r Read<DnsMetrics>, skipped: &mut Vec<Skipped>) -> Option<&'r DnsMetrics> {
    match read {
        Ok(metrics) => Some(metrics),
        Err(reason) => {
            skipped.push(Skipped { what: format!("metrics of CoreDNS: {}", reason.what), ..reason.clone() });
            None
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in it")]
fn seconds_of(second: i64) -> f64 {
    second as f64
}

/// All replicas together; where some were watched and others not, those that were.
fn together(all: &[Counted]) -> Option<CorednsLoad> {
    let is_watched = |one: &&Counted| one.period == LoadPeriod::Window;
    let period = if all.iter().any(|one| is_watched(&one)) { LoadPeriod::Window } else { LoadPeriod::SinceStart };
    let parts = all.iter().filter(|one| one.period == period).map(|one| (&one.metrics, one.seconds));
    sum(parts, period)
}

fn since_start(all: &[Counted]) -> Option<CorednsLoad> {
    sum(all.iter().map(|one| (&one.total, one.total_seconds)), LoadPeriod::SinceStart)
}

fn sum<'c>(parts: impl Iterator<Item = (&'c DnsMetrics, f64)>, period: LoadPeriod) -> Option<CorednsLoad> {
    let mut metrics = DnsMetrics::default();
    let (mut rate, mut shortest) = (0.0, f64::INFINITY);
    for (part, seconds) in parts {
        metrics.add(part);
        rate += per_second(part.requests, seconds);
        shortest = seconds.min(shortest);
    }
    shortest
        .is_finite()
        .then(|| CorednsLoad { requests_per_s: rounded(rate), ..of_metrics(&metrics, period, shortest) })
}

fn of_metrics(metrics: &DnsMetrics, period: LoadPeriod, seconds: f64) -> CorednsLoad {
    let quantile = |share| metrics.duration.quantile(share).map(|seconds| rounded(seconds * 1000.0));
    let mut responses = metrics.responses.clone();
    responses.retain(|_, count| *count > 0.0);
    CorednsLoad {
        period,
        seconds: rounded(seconds),
        requests: metrics.requests,
        requests_per_s: rounded(per_second(metrics.requests, seconds)),
        responses,
        servfail_percent: metrics.percent("SERVFAIL").map(rounded),
        nxdomain_percent: metrics.percent("NXDOMAIN").map(rounded),
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
        cache_hit_percent: percent(metrics.cache_hits, metrics.cache_requests),
        upstream_p99_ms: metrics.upstream_duration.quantile(0.99).map(|seconds| rounded(seconds * 1000.0)),
        rejects: metrics.rejects,
        no_healthy_upstream: metrics.no_healthy_upstream,
        failed_health_checks: metrics.failed_health_checks,
        panics: metrics.panics,
        failed_reloads: metrics.failed_reloads,
        template_matches: metrics.template_matches,
    }
}

fn per_second(count: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { count / seconds } else { 0.0 }
}

fn percent(part: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| rounded(part / of * 100.0))
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

fn row(pod: &Object, used: ContainerUse, own: Option<&Counted>, replica: &Replica) -> CorednsPod {
    let status = container_status(pod, CONTAINER);
    let errors = replica.log.iter().flatten().map(|log| log.levels.error).next();
    CorednsPod {
        namespace: pod.namespace().to_owned(),
        pod: pod.name().to_owned(),
        node: pod.spec().get("nodeName").text_if_any().map(str::to_owned),
        ready: status.get("ready").truth(),
        restarts: u64::try_from(status.get("restartCount").integer()).unwrap_or_default(),
        version: own.map(|own| own.total.version.clone()).filter(|version| !version.is_empty()),
        used,
        load: own.map(|own| of_metrics(&own.metrics, own.period, own.seconds)),
        error_lines: errors,
    }
}

/// Counts for each `ServiceEntry` in how many proxies its hosts have no address.
fn note_unresolved(dns: &mut MeshDns, answer: &ProxyDns) {
    let host = |cluster: &str| ClusterName::parse(cluster).fqdn;
    for entry in &mut dns.entries {
        let has = |name: &str| entry.hosts.iter().any(|own| *own == host(name));
        let is_known = answer.clusters.iter().any(|cluster| has(&cluster.name));
        let is_unresolved = answer.unresolved.iter().any(|name| has(name));
        entry.asked += usize::from(is_known);
        entry.unresolved_in += usize::from(is_unresolved);
    }
}

fn commands(pods: &[CorednsPod]) -> Vec<String> {
    let mut commands = vec![
        format!("kubectl get pods --namespace {NAMESPACE} --selector k8s-app=kube-dns --output wide"),
        format!("kubectl logs --namespace {NAMESPACE} --selector k8s-app=kube-dns --tail 500"),
        format!(
            "kubectl get configmap coredns coredns-custom coredns-autoscaler --namespace {NAMESPACE} --output yaml"
        ),
    ];
    commands.extend(pods.first().map(|pod| {
        format!(
            "kubectl get --raw /api/v1/namespaces/{NAMESPACE}/pods/{}:9153/proxy/metrics | grep ^coredns_dns",
            pod.pod
        )
    }));
    commands
}
