//! Puts rows, scopes and findings together.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    Judgement, counted,
    istiod_logs::DISCOVERY,
    mesh_pod,
    pod_usage::{ContainerUse, UseSource},
    proxy_sample::ProxyPod,
    target,
};
use super::{
    ResourceUsageInput, concurrency,
    data::{IstiodUse, ProxySize, ProxyStatistics, ProxyUse, ResourceUsageData},
    discovery_selectors,
    facts::ProxyFacts,
    findings,
    gather::Evidence,
    scope, statistics,
};
use crate::prometheus;
use analyzers::Options;
use detectors::{self, Area};
use mesh::{Kind, Mesh, Object, Perspective, quantity};
use report::{Owner, Read, Skipped};

/// What the scopes and the choice of proxies are made from.
const NEEDED: [Kind; 6] =
    [Kind::Pod, Kind::Namespace, Kind::Service, Kind::Sidecar, Kind::ServiceEntry, Kind::VirtualService];

pub(super) fn judge(input: &ResourceUsageInput, evidence: Evidence) -> Judgement<ResourceUsageData> {
    let thresholds = input.thresholds();
    let Evidence { mesh, usage, proxies, answers, istiods, mut skipped } = evidence;
    let mesh = mesh.seen_from(Perspective { compatible: false, revision: input.revision.clone() });
    let mut found = Vec::new();

    let mut istiod_rows = Vec::new();
    for (istiod, metrics) in &istiods {
        let (namespace, name) = (target::namespace(&istiod.pod), target::name(&istiod.pod));
        let Some(pod) = mesh.find(Kind::Pod, namespace, name) else { continue };
        let page = metrics.as_ref().ok().map(|page| String::from_utf8_lossy(page));
        let used = ContainerUse::new(pod, DISCOVERY, &usage);
        let row = istiod_row(pod, &istiod.revision, used, page.as_deref());
        found.extend(findings::out_of_memory(pod, DISCOVERY, &row.used, mesh.taken_at()));
        found.extend(findings::of_istiod(mesh_pod::subject(pod).container(DISCOVERY), &row, &thresholds));
        skipped.extend(metrics.as_ref().err().cloned());
        istiod_rows.push(row);
    }

    let answered: BTreeMap<(&str, &str), &Read<ProxyFacts>> =
        answers.iter().map(|(proxy, facts)| ((proxy.namespace.as_str(), proxy.name.as_str()), facts)).collect();
    let replicas = replicas(&proxies);
    let mut rows = Vec::new();
    for proxy in &proxies {
        let Some(pod) = mesh.find(Kind::Pod, &proxy.namespace, &proxy.name) else { continue };
        let answer = answered.get(&(proxy.namespace.as_str(), proxy.name.as_str()));
        let facts = answer.and_then(|facts| facts.as_ref().ok());
        let used = ContainerUse::new(pod, target::PROXY, &usage);
        let row = proxy_row(&mesh, proxy, pod, used, facts, replicas[&(proxy.namespace.as_str(), &proxy.workload)]);
        let before = found.len();
        found.extend(findings::out_of_memory(pod, target::PROXY, &row.used, mesh.taken_at()));
        found.extend(findings::of_use(proxy, &row, &thresholds));
        if let Some(facts) = facts {
            found.extend(row.size.iter().filter_map(|size| findings::of_size(proxy, size, &thresholds)));
            let statistics = row.statistics.iter();
            found.extend(statistics.flat_map(|one| findings::of_statistics(proxy, one, &thresholds)));
            found.extend(findings::of_workers(proxy, &row.workers, &row.used.cpu_millicores, &thresholds));
            let logs = facts.log.iter().flatten();
            found.extend(logs.flat_map(|log| findings::hidden(&mesh, proxy, pod, &log.unknown)));
            skipped.extend(missing(facts));
        }
        // Replicas that were not asked and have nothing to say would only make the answer long.
        if answer.is_some() || found.len() > before {
            rows.push(row);
        }
    }
    skipped.extend(answers.iter().filter_map(|(_, facts)| facts.as_ref().err().cloned()));
    rows.sort_by_key(|row| (std::cmp::Reverse(row.used.memory_bytes.used), row.namespace.clone(), row.pod.clone()));

    let held = scope::held(&answers);
    let unseen = scope::unseen(&proxies, &answers);
    let scopes = held.iter().map(|(namespace, held)| scope::of_namespace(&mesh, namespace, held, &unseen));
    let namespaces: Vec<_> = scopes.collect();
    found.extend(namespaces.iter().filter_map(|scope| findings::of_scope(scope, &thresholds)));
    let mesh_wide = input.is_whole_mesh().then(|| scope::mesh_wide(&mesh, &held));
    let discovery_selectors = discovery_selectors::scope(&mesh, &answers, &unseen, input);

    let analysis = detectors::detect(&mesh, &detectors::of_areas(&[Area::Resources]), &options(input));
    found.extend(analysis.findings());
    skipped.extend(analysis.skipped.iter().cloned());
    skipped.extend(unread(&mesh, &skipped));
    let metrics_api = usage.is_ok();
    match usage {
        Ok(usage) => skipped.extend(usage.skipped),
        Err(reason) => skipped.push(Skipped { silences: vec!["CPU of proxies".to_owned()], ..reason }),
    }

    let running = proxies.iter().filter(|proxy| proxy.is_running).count();
    let summary = format!(
        "{} of {} asked, {}",
        answers.len(),
        counted(running, "running proxy"),
        counted(istiod_rows.len(), "istiod pod")
    );
    let commands = commands(input, &rows, &istiod_rows);
    let data = ResourceUsageData {
        metrics_api,
        thresholds,
        istiods: istiod_rows,
        proxies: rows,
        namespaces,
        mesh_wide,
        discovery_selectors,
    };
    Judgement { data, findings: found, skipped, commands, summary }
}

fn options(input: &ResourceUsageInput) -> Options {
    Options { namespaces: input.namespace.iter().cloned().collect(), ..Options::default() }
}

fn istiod_row(pod: &Object, revision: &str, mut used: ContainerUse, page: Option<&str>) -> IstiodUse {
    let metric = |name: &str| page.and_then(|page| prometheus::single(page, name)).map(quantity::whole);
    if let Some(bytes) = metric("process_resident_memory_bytes") {
        used.memory_bytes.set_if_unknown(bytes, UseSource::Process);
    }
    // One sample for each version of proxies.
    let connected =
        page.map(|page| prometheus::samples(page).filter(|one| one.name == "pilot_xds").map(|one| one.value));
    IstiodUse {
        namespace: pod.namespace().to_owned(),
        pod: pod.name().to_owned(),
        revision: revision.to_owned(),
        used,
        out_of_memory: out_of_memory(pod, DISCOVERY),
        proxies: connected.map(|values| quantity::whole(values.sum())),
        services: metric("pilot_services"),
    }
}

fn proxy_row(
    mesh: &Mesh,
    proxy: &ProxyPod,
    pod: &Object,
    mut used: ContainerUse,
    facts: Option<&ProxyFacts>,
    replicas: usize,
) -> ProxyUse {
    let memory = facts.and_then(|facts| facts.memory.as_ref().ok());
    if let Some(memory) = memory {
        used.memory_bytes.set_if_unknown(memory.resident(), UseSource::Envoy);
    }
    let info = facts.and_then(|facts| facts.info.as_ref().ok());
    ProxyUse {
        namespace: proxy.namespace.clone(),
        pod: proxy.name.clone(),
        workload: proxy.workload.clone(),
        revision: proxy.revision.clone(),
        is_gateway: proxy.is_gateway,
        replicas,
        asked: facts.is_some(),
        out_of_memory: out_of_memory(pod, target::PROXY),
        uptime_s: info.map(|info| info.uptime_s),
        workers: concurrency::workers(mesh, pod, info.map(|info| info.concurrency), &used.cpu_millicores),
        size: facts.and_then(size),
        statistics: facts.and_then(statistics),
        used,
    }
}

fn size(facts: &ProxyFacts) -> Option<ProxySize> {
    let footprint = facts.footprint.as_ref().ok()?;
    let traffic = facts.traffic.as_ref().ok();
    Some(ProxySize {
        dump_bytes: footprint.bytes,
        clusters: footprint.clusters,
        outbound_clusters: footprint.outbound(),
        used_clusters: traffic.map(|traffic| traffic.used.len()),
        listeners: footprint.listeners,
        routes: footprint.routes,
        endpoints: traffic.map(|traffic| traffic.endpoints),
    })
}

fn statistics(facts: &ProxyFacts) -> Option<ProxyStatistics> {
    let statistics = facts.statistics.as_ref().ok()?.clone();
    let patterns = facts.footprint.as_ref().map(|footprint| footprint.stats_inclusion.as_slice());
    Some(ProxyStatistics { included: statistics::added(patterns.unwrap_or_default()), ..statistics })
}

/// How the present or the last run ended, where the kernel killed it for its memory.
fn out_of_memory(pod: &Object, container: &str) -> Option<String> {
    let end = findings::memory_end(pod, container)?;
    Some(format!("OOMKilled (exit code {}) at {}", end.get("exitCode").written(), end.get("finishedAt").text()))
}

/// How many running proxies each workload has.
fn replicas(proxies: &[ProxyPod]) -> BTreeMap<(&str, &Owner), usize> {
    let mut replicas = BTreeMap::new();
    for proxy in proxies {
        *replicas.entry((proxy.namespace.as_str(), &proxy.workload)).or_default() += usize::from(proxy.is_running);
    }
    replicas
}

/// The pages of a proxy that could not be read.
fn missing(facts: &ProxyFacts) -> impl Iterator<Item = Skipped> + use<> {
    let pages = [
        facts.info.as_ref().err(),
        facts.memory.as_ref().err(),
        facts.footprint.as_ref().err(),
        facts.traffic.as_ref().err(),
        facts.statistics.as_ref().err(),
        facts.log.as_ref().and_then(|log| log.as_ref().err()),
    ];
    pages.map(Option::<&Skipped>::cloned).into_iter().flatten()
}

/// Kinds without which the scopes are not known, unless they are named already.
fn unread(mesh: &Mesh, skipped: &[Skipped]) -> Vec<Skipped> {
    let missing = NEEDED.into_iter().filter(|kind| !mesh.provided().contains(*kind));
    let named: BTreeSet<&str> = skipped.iter().map(|part| part.what.as_str()).collect();
    let reason = |kind: Kind| Skipped::new(kind.plural(), mesh.why_unreadable(kind).unwrap_or("it was not read"));
    missing.filter(|kind| !named.contains(kind.plural())).map(reason).collect()
}

fn commands(input: &ResourceUsageInput, rows: &[ProxyUse], istiods: &[IstiodUse]) -> Vec<String> {
    let place = match input.namespace.as_slice() {
        [one] => format!("--namespace {one}"),
        _ => "--all-namespaces".to_owned(),
    };
    let mut commands = vec![format!("kubectl top pod --containers {place}")];
    if let Some(istiod) = istiods.first() {
        commands.push(format!("kubectl top pod --containers --namespace {} --selector app=istiod", istiod.namespace));
    }
    if let Some(row) = rows.iter().find(|row| row.asked) {
        for page in ["memory", "server_info", "clusters"] {
            commands.push(format!(
                "kubectl exec --namespace {} {} --container istio-proxy -- pilot-agent request GET {page}",
                row.namespace, row.pod
            ));
        }
    }
    commands
}
