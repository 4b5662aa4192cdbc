//! What follows from the replicas' lists.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;

use super::super::{
    Judgement, counted,
    target::{self, PROXY},
};
use super::{
    ProxyStatusInput, findings,
    gather::{Evidence, Replica},
    syncz::{self, SyncStatus},
    view::{IstiodReplica, ProxyStatus, ProxyStatusData, UnconnectedProxy, place},
};
use envoy::comparison;
use report::Skipped;

pub(super) fn judge(input: &ProxyStatusInput, evidence: Evidence) -> Judgement<ProxyStatusData> {
    let Evidence { mut replicas, pods, namespaces, tags, one, mut skipped, now } = evidence;
    let proxies = merged(&mut replicas);
    let unread: Vec<&Replica> = replicas.iter().filter(|replica| replica.clients.is_err()).collect();
    for replica in &unread {
        if let Err(reason) = &replica.clients {
            let mut reason = reason.clone();
            reason.silences.push(format!("proxies that are connected to {}", replica.name()));
            skipped.push(reason);
        }
    }
    let pods = pods.unwrap_or_else(|reason| {
        skipped.push(silencing(reason, "proxies that are connected to no istiod (ENV0013)"));
        Vec::new()
    });
    let pod_of: BTreeMap<String, &Pod> =
        pods.iter().map(|pod| (format!("{}.{}", target::name(pod), target::namespace(pod)), pod)).collect();

    let unconnected: Vec<_> = pod_of
        .iter()
        .filter(|(proxy, pod)| !proxies.contains_key(*proxy) && is_running(pod) && is_wanted(pod, input, &replicas))
        .map(|(_, pod)| unconnected(pod))
        .collect();
    let mut found = Vec::new();
    let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
    for proxy in &unconnected {
        // A replica that could not be read may be the one that it is connected to.
        let doubtful = unread
            .iter()
            .any(|replica| !replica.down && (proxy.revision.is_empty() || replica.istiod.revision == proxy.revision));
        let of_revision = |replica: &&Replica| proxy.revision.is_empty() || replica.istiod.revision == proxy.revision;
        if doubtful && !replicas.iter().filter(of_revision).any(|replica| replica.clients.is_ok()) {
            *unknown.entry(&proxy.revision).or_default() += 1;
            continue;
        }
        let is_alive = replicas.iter().filter(of_revision).any(|replica| !replica.down);
        let others: BTreeSet<&str> = replicas
            .iter()
            .filter(|replica| !replica.down && replica.istiod.revision != proxy.revision)
            .map(|replica| replica.istiod.revision.as_str())
            .collect();
        let pod = pod_of.get(&format!("{}.{}", proxy.pod, proxy.namespace));
        found.extend(pod.map(|pod| {
            if is_alive {
                findings::unconnected(proxy, pod, doubtful, now)
            } else {
                findings::orphaned(proxy, pod, &others)
            }
        }));
    }
    for (revision, count) in unknown {
        let what = format!("whether {} of revision {revision:?} are connected (ENV0013)", counted(count, "proxy"));
        skipped.push(Skipped::new(what, "no istiod of that revision answered with its list of proxies"));
    }

    let mut shown: Vec<ProxyStatus> = proxies.into_values().filter(|proxy| in_place(proxy, input, &pod_of)).collect();
    let versions_of = istiod_versions(&replicas);
    for proxy in &shown {
        found.extend(findings::of_types(proxy, pod_of.get(&proxy.proxy).copied()));
    }
    found.extend(findings::version_skew(&shown, &versions_of));
    for reason in [namespaces.as_ref().err(), tags.as_ref().err()].into_iter().flatten() {
        skipped.push(silencing(reason.clone(), "proxies of another revision than their namespace (ENV0015)"));
    }
    if let (Ok(namespaces), Ok(tags)) = (&namespaces, &tags) {
        found.extend(findings::other_revision(&shown, namespaces, tags, &replicas, &pod_of));
    }
    filter_types(&mut shown, input);

    let diff = one.as_ref().and_then(|one| {
        let compared = match &one.dumps {
            Ok((istiod, envoy)) => {
                comparison::compare(istiod, envoy).map_err(|error| Skipped::new("the diff", cluster::chain(&error)))
            }
            Err(reason) => Err(reason.clone()),
        };
        compared.map_err(|reason| skipped.push(reason)).ok()
    });
    if let (Some(diff), Some(one)) = (&diff, &one) {
        found.extend(findings::out_of_sync(diff, &one.pod));
    }

    let mut versions = BTreeMap::new();
    for proxy in &shown {
        *versions.entry(proxy.version.clone()).or_insert(0) += 1;
    }
    let summary = summary(&shown, &replicas, unread.len());
    let commands = commands(input, &replicas, one.as_ref().map(|one| &one.pod));
    let istiods = replicas.iter().map(replica).collect();
    let data = ProxyStatusData { proxies: shown, unconnected, istiods, versions, diff };
    Judgement { data, findings: found, skipped, commands, summary }
}

fn silencing(mut reason: Skipped, what: &str) -> Skipped {
    reason.silences.push(what.to_owned());
    reason
}

/// Each proxy once, from the replica that sent it something last: a proxy that went to another replica stays in the list
/// of the old one until that connection times out. The lists of types are taken out of the replicas, as they are long.
fn merged(replicas: &mut [Replica]) -> BTreeMap<String, ProxyStatus> {
    let mut best: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for replica in replicas {
        let Replica { istiod, clients, .. } = replica;
        for client in clients.iter_mut().flatten() {
            let types = std::mem::take(&mut client.types);
            best.entry(&client.proxy).or_default().push((&*client, types, &*istiod));
        }
    }
    let mut proxies = BTreeMap::new();
    for (id, mut entries) in best {
        entries.sort_by_key(|(_, types, _)| std::cmp::Reverse(syncz::last_sent(types)));
        let mut entries = entries.into_iter();
        let Some((client, types, istiod)) = entries.next() else { continue };
        let (pod, namespace) = place(id);
        let others: BTreeSet<_> = entries.map(|(_, _, other)| target::name(&other.pod).to_owned()).collect();
        let own = target::name(&istiod.pod);
        let proxy = ProxyStatus {
            proxy: id.to_owned(),
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            cluster: client.cluster.clone(),
            proxy_type: client.proxy_type.clone(),
            istiod: own.to_owned(),
            revision: istiod.revision.clone(),
            version: client.version.clone(),
            types,
            also_in: others.into_iter().filter(|other| other != own).collect(),
        };
        proxies.insert(id.to_owned(), proxy);
    }
    proxies
}

/// Whether the kubelet runs the pod's proxy.
fn is_running(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase == Some("Running")
        && pod.metadata.deletion_timestamp.is_none()
        && target::container_status(pod, PROXY)
            .and_then(|status| status.state.as_ref())
            .is_some_and(|state| state.running.is_some())
}

/// Whether this pod ought to be in one of the lists: of a revision that was asked.
fn is_wanted(pod: &Pod, input: &ProxyStatusInput, replicas: &[Replica]) -> bool {
    let revision = revision(pod);
    input.revision.is_none() || replicas.iter().any(|replica| replica.istiod.revision == revision)
}

/// The revision that injected a pod: the injector writes it into an annotation.
fn revision(pod: &Pod) -> &str {
    let annotation = pod.metadata.annotations.as_ref().and_then(|all| all.get("istio.io/rev"));
    let label = pod.metadata.labels.as_ref().and_then(|all| all.get("istio.io/rev"));
    annotation.or(label).map_or("", String::as_str)
}

fn unconnected(pod: &Pod) -> UnconnectedProxy {
    let running = target::container_status(pod, PROXY).and_then(|status| status.state.as_ref()?.running.as_ref());
    UnconnectedProxy {
        namespace: target::namespace(pod).to_owned(),
        pod: target::name(pod).to_owned(),
        revision: revision(pod).to_owned(),
        running_since: running.and_then(|running| running.started_at.as_ref()).map(|time| time.0),
    }
}

fn in_place(proxy: &ProxyStatus, input: &ProxyStatusInput, pod_of: &BTreeMap<String, &Pod>) -> bool {
    match input.pod {
        Some(_) => pod_of.contains_key(&proxy.proxy),
        None => input.namespace.is_empty() || input.namespace.contains(&proxy.namespace),
    }
}

fn filter_types(proxies: &mut Vec<ProxyStatus>, input: &ProxyStatusInput) {
    if !input.types.is_empty() {
        let wanted = |name: &str| input.types.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
        for proxy in proxies.iter_mut() {
            proxy.types.retain(|one| wanted(&one.name) || wanted(&one.type_url));
        }
    }
    if !input.status.is_empty() {
        proxies.retain(|proxy| {
            let any = proxy.types.iter().any(|one| input.status.contains(&one.status));
            any || (proxy.types.is_empty() && input.status.contains(&SyncStatus::Ignored))
        });
    }
}

fn istiod_versions(replicas: &[Replica]) -> BTreeMap<&str, &str> {
    replicas.iter().filter_map(|replica| Some((replica.name(), replica.version.as_deref()?))).collect()
}

fn replica(replica: &Replica) -> IstiodReplica {
    IstiodReplica {
        namespace: target::namespace(&replica.istiod.pod).to_owned(),
        pod: replica.name().to_owned(),
        revision: replica.istiod.revision.clone(),
        version: replica.version.clone(),
        proxies: replica.clients.as_ref().ok().map(Vec::len),
        error: replica.clients.as_ref().err().map(|reason| reason.why.clone()),
    }
}

fn summary(proxies: &[ProxyStatus], replicas: &[Replica], unread: usize) -> String {
    let revisions: BTreeSet<_> = replicas.iter().map(|replica| replica.istiod.revision.as_str()).collect();
    let mut summary = format!(
        "{} proxies of {} in {}",
        proxies.len(),
        counted(replicas.len(), "istiod pod"),
        counted(revisions.len(), "revision")
    );
    if proxies.len() == 1 {
        summary = summary.replacen("1 proxies", "1 proxy", 1);
    }
    if unread > 0 {
        summary = format!("{summary}; {} did not answer", counted(unread, "istiod pod"));
    }
    summary
}

fn commands(input: &ProxyStatusInput, replicas: &[Replica], pod: Option<&Pod>) -> Vec<String> {
    let revisions: BTreeSet<_> = replicas
        .iter()
        .map(|replica| (target::namespace(&replica.istiod.pod), replica.istiod.revision.as_str()))
        .collect();
    let namespace = match input.namespace.as_slice() {
        [one] if pod.is_none() => format!(" --namespace {one}"),
        _ => String::new(),
    };
    let target = pod.map(|pod| format!(" {}.{}", target::name(pod), target::namespace(pod))).unwrap_or_default();
    revisions
        .into_iter()
        .map(|(istio, revision)| {
            format!("istioctl proxy-status{target} --istioNamespace {istio} --revision {revision}{namespace}")
        })
        .collect()
}
