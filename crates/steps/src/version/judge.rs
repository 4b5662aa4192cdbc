//! What the pages of istiod's replicas and the pods say of versions.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::Value;

use super::{
    BuildInfo, IstiodBuild, IstiodVersion, MeshVersions, ProxyBuild, ProxyVersion, Replica, RevisionVersions,
    VersionCount, VersionData, VersionEvidence, VersionInput,
};
use crate::{
    Judgement, counted,
    injection::{Proxy, numbers, subject},
    resource_status::object::{Object, text},
    target,
    verify_install::codes,
};
use cluster::UNRECORDED;
use report::{Evidence, Finding, Read, Skipped, Subject};

/// Names of subjects in one message.
const MOST_NAMES: usize = 10;

pub(super) fn judge(input: &VersionInput, evidence: VersionEvidence) -> Judgement<VersionData> {
    let VersionEvidence { replicas, pods, mut skipped } = evidence;
    let mut findings = Vec::new();
    let mut control_plane = Vec::new();
    let mut proxies: Vec<ProxyVersion> = Vec::new();
    let mut printed = MeshVersions { client_version: BuildInfo::own(), ..MeshVersions::default() };
    let mut seen = BTreeSet::new();
    for replica in &replicas {
        let (shown, listed) = view(replica, &mut skipped);
        if let (true, Some(build)) = (shown.ready, &shown.build) {
            let labels = replica.istiod.pod.metadata.labels.as_ref();
            let component = labels.and_then(|labels| labels.get("istio")).cloned().unwrap_or_default();
            let (revision, info) = (replica.istiod.revision.clone(), build.clone());
            printed.mesh_version.push(IstiodBuild { component, revision, info });
        }
        findings.extend(silent(replica, &shown));
        // A proxy that is just moving from one replica to another is on both lists.
        proxies.extend(listed.into_iter().flatten().filter(|proxy| seen.insert(proxy.id.clone())));
        control_plane.push(shown);
    }
    if control_plane.iter().any(|replica| replica.ready && replica.proxies.is_some()) {
        let proxy = |proxy: &ProxyVersion| ProxyBuild {
            id: proxy.id.clone(),
            istio_version: proxy.version.clone(),
            kind: proxy.kind.clone(),
        };
        printed.data_plane_version = Some(proxies.iter().map(proxy).collect());
    }
    if replicas.is_empty() && skipped.is_empty() {
        findings.push(not_installed());
    }
    let revisions = revisions(&control_plane, &proxies);
    findings.extend(revisions.iter().filter_map(versions_differ));
    findings.extend(skew(&control_plane, &proxies));

    let asked_all = input.revision.is_none() && input.istio_namespace.is_empty();
    let not_connected = not_connected(&control_plane, &seen, &pods, asked_all);
    for pod in not_connected.iter().flatten() {
        findings.push(unconnected(pod));
    }
    let not_connected = not_connected.map(|pods| pods.iter().map(|pod| pod.place()).collect());
    let summary = format!(
        "{} in {}, {}",
        counted(control_plane.len(), "istiod replica"),
        counted(revisions.len(), "revision"),
        if proxies.len() == 1 { "1 proxy".to_owned() } else { format!("{} proxies", proxies.len()) },
    );
    let commands = commands(&control_plane);
    let data = VersionData {
        service_version: env!("CARGO_PKG_VERSION").to_owned(),
        data_plane: counts(proxies.iter()),
        control_plane,
        revisions,
        proxies,
        not_connected,
        printed,
    };
    Judgement { data, findings, skipped, commands, summary }
}

fn view(replica: &Replica, skipped: &mut Vec<Skipped>) -> (IstiodVersion, Option<Vec<ProxyVersion>>) {
    let pod = &replica.istiod.pod;
    let (namespace, name) = (target::namespace(pod).to_owned(), target::name(pod).to_owned());
    let build = replica.version.as_ref().ok().map(|body| BuildInfo::parse(&String::from_utf8_lossy(body)));
    let listed = match &replica.syncz {
        Ok(body) => listed(body, replica).map_err(|why| {
            skipped.push(Skipped::new(format!("/debug/syncz of {namespace}/{name}"), why));
        }),
        Err(_) => Err(()),
    }
    .ok();
    let image = target::container(pod, crate::istiod_logs::DISCOVERY).and_then(|found| found.image.clone());
    let shown = IstiodVersion {
        ready: target::is_ready(pod),
        revision: replica.istiod.revision.clone(),
        build,
        image: image.unwrap_or_default(),
        proxies: listed.as_ref().map(Vec::len),
        namespace,
        pod: name,
    };
    (shown, listed)
}

/// The proxies that a replica lists.
fn listed(body: &Bytes, replica: &Replica) -> Result<Vec<ProxyVersion>, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| format!("the answer cannot be read: {error}"))?;
    let entries = match &value {
        Value::Array(entries) => entries.as_slice(),
        Value::Null => &[],
        _ => return Err("the answer is no list".to_owned()),
    };
    let proxy = |entry: &Value| {
        let id = text(entry, "/proxy");
        let kind = match text(entry, "/proxy_type") {
            "router" => "gateway",
            kind => kind,
        };
        (!id.is_empty()).then(|| ProxyVersion {
            id: id.to_owned(),
            version: text(entry, "/istio_version").to_owned(),
            kind: kind.to_owned(),
            revision: replica.istiod.revision.clone(),
            istiod: target::name(&replica.istiod.pod).to_owned(),
        })
    };
    let mut proxies: Vec<ProxyVersion> = entries.iter().filter_map(proxy).collect();
    // istiod lists them in no order; istioctl shows those of each replica by name.
    proxies.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(proxies)
}

fn counts<'a>(proxies: impl Iterator<Item = &'a ProxyVersion>) -> Vec<VersionCount> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for proxy in proxies {
        *counts.entry(&proxy.version).or_default() += 1;
    }
    counts.into_iter().map(|(version, proxies)| VersionCount { version: version.to_owned(), proxies }).collect()
}

fn revisions(control_plane: &[IstiodVersion], proxies: &[ProxyVersion]) -> Vec<RevisionVersions> {
    let names: BTreeSet<&str> = control_plane.iter().map(|replica| replica.revision.as_str()).collect();
    let revision = |name: &str| {
        let replicas: Vec<_> = control_plane.iter().filter(|replica| replica.revision == name).collect();
        let versions: BTreeSet<_> =
            replicas.iter().filter_map(|replica| Some(replica.build.as_ref()?.version.clone())).collect();
        RevisionVersions {
            revision: name.to_owned(),
            versions: versions.into_iter().collect(),
            replicas: replicas.len(),
            ready_replicas: replicas.iter().filter(|replica| replica.ready).count(),
            data_plane: counts(proxies.iter().filter(|proxy| proxy.revision == name)),
        }
    };
    names.into_iter().map(revision).collect()
}

/// Pods with a ready proxy that no replica lists; `None` where a list is missing that could hold them.
fn not_connected<'a>(
    control_plane: &[IstiodVersion],
    connected: &BTreeSet<String>,
    pods: &'a Read<Vec<Object>>,
    asked_all: bool,
) -> Option<Vec<&'a Object>> {
    let pods = pods.as_ref().ok()?;
    if control_plane.is_empty() {
        return None;
    }
    let revisions: BTreeSet<&str> = control_plane.iter().map(|replica| replica.revision.as_str()).collect();
    // A replica that is not ready serves no proxies; one that is ready and silent may.
    let unknown: BTreeSet<&str> = control_plane
        .iter()
        .filter(|replica| replica.ready && replica.proxies.is_none())
        .map(|replica| replica.revision.as_str())
        .collect();
    let missing = |pod: &&Object| {
        let Some(proxy) = Proxy::of(pod) else { return false };
        let runs = pod.text("/status/phase") == "Running" && pod.condition("Ready").is_some_and(|c| c.is("True"));
        let judged = !unknown.contains(proxy.revision.as_str())
            && (revisions.contains(proxy.revision.as_str()) || (asked_all && unknown.is_empty()));
        let id = format!("{}.{}", pod.name(), pod.namespace().unwrap_or_default());
        runs && judged && !connected.contains(&id)
    };
    Some(pods.iter().filter(missing).collect())
}

fn silent(replica: &Replica, shown: &IstiodVersion) -> Option<Finding> {
    let subject = target::subject(&replica.istiod.pod);
    let revision = &shown.revision;
    let reason = replica.version.as_ref().err().or_else(|| replica.syncz.as_ref().err());
    if shown.ready {
        // Without a page in a recording, nothing is known of a replica that is ready.
        let reason = reason.filter(|part| !is_unrecorded(part))?;
        let message = format!("replica of revision {revision} is ready and does not answer: {}", reason.why);
        return Some(Finding::new(&codes::REPLICA_IS_SILENT, subject, message));
    }
    let mut finding = Finding::new(
        &codes::REPLICA_IS_SILENT,
        subject,
        match reason {
            Some(_) => {
                format!("replica of revision {revision} is not ready and does not answer: its version is unknown")
            }
            None => format!("replica of revision {revision} answers and is not ready: it serves no proxies"),
        },
    )
    .remedy("See why with kubectl.istiod-pods and kubectl.istiod-logs (previous=true after a crash).");
    if let Some(part) = reason {
        finding = finding.evidence(Evidence::new(&part.what, &part.why));
    }
    let status = target::container_status(&replica.istiod.pod, crate::istiod_logs::DISCOVERY);
    if let Some(waiting) = status.and_then(|status| status.state.as_ref()?.waiting.as_ref()?.reason.clone()) {
        finding = finding.evidence(Evidence::new("container discovery", waiting));
    }
    Some(finding)
}

/// The recording lacks the page, which says nothing of the replica.
fn is_unrecorded(part: &Skipped) -> bool {
    part.why.contains(UNRECORDED)
}

fn not_installed() -> Finding {
    let message = "there is no pod with label app=istiod".to_owned();
    Finding::new(&codes::NOT_INSTALLED, Subject::cluster_wide("Deployment", "istiod"), message)
}

fn versions_differ(revision: &RevisionVersions) -> Option<Finding> {
    (revision.versions.len() > 1).then(|| {
        let message = format!("replicas of revision {} run {}", revision.revision, revision.versions.join(" and "));
        Finding::new(&codes::REPLICAS_DIFFER, Subject::cluster_wide("Revision", &revision.revision), message)
    })
}

/// Major and minor version.
fn minor(version: &str) -> Option<(u64, u64)> {
    match numbers(version.split('-').next()?).as_slice() {
        [major, minor, ..] => Some((*major, *minor)),
        _ => None,
    }
}

/// Istio supports proxies of the control plane's minor version and of the one before
/// (<https://istio.io/latest/docs/releases/supported-releases/#control-planedata-plane-skew>).
fn skew(control_plane: &[IstiodVersion], proxies: &[ProxyVersion]) -> Vec<Finding> {
    let builds: BTreeMap<&str, &str> = control_plane
        .iter()
        .filter_map(|replica| Some((replica.pod.as_str(), replica.build.as_ref()?.version.as_str())))
        .collect();
    let mut far: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    let mut behind: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for proxy in proxies {
        let Some(istiod) = builds.get(proxy.istiod.as_str()) else { continue };
        let (Some(own), Some(theirs)) = (minor(&proxy.version), minor(istiod)) else { continue };
        let key = (proxy.revision.as_str(), proxy.version.as_str(), *istiod);
        if own.0 != theirs.0 || own.1 > theirs.1 || own.1 + 1 < theirs.1 {
            far.entry(key).or_default().push(&proxy.id);
        } else if numbers(&proxy.version) < numbers(istiod) {
            behind.entry(key).or_default().push(&proxy.id);
        }
    }
    let finding = |code, (revision, version, istiod): (&str, &str, &str), ids: Vec<&str>| {
        let names: Vec<_> = ids.iter().take(MOST_NAMES).copied().collect();
        let more = if ids.len() > MOST_NAMES { ", …" } else { "" };
        let count = if ids.len() == 1 { "1 proxy".to_owned() } else { format!("{} proxies", ids.len()) };
        let message = format!(
            "{count} of version {version} at istiod {istiod} (revision {revision}): {}{more}",
            names.join(", ")
        );
        Finding::new(code, Subject::cluster_wide("Revision", revision), message)
            .discriminator(version)
            .remedy("Restart the workloads, so that they get the proxy of the revision that injects now.")
    };
    let far = far.into_iter().map(|(key, ids)| finding(&codes::PROXIES_TOO_FAR, key, ids));
    let behind = behind.into_iter().map(|(key, ids)| finding(&codes::PROXIES_BEHIND, key, ids));
    far.chain(behind).collect()
}

fn unconnected(pod: &Object) -> Finding {
    let proxy = Proxy::of(pod);
    let revision = proxy.map(|proxy| proxy.revision).unwrap_or_default();
    let message =
        format!("its proxy (revision {revision}) runs and is connected to no replica of istiod that answered");
    Finding::new(&codes::PROXY_IS_UNCONNECTED, subject(pod), message)
        .remedy("Look at the proxy's log for its connection to istiod (kubectl.sidecar-logs), and at network policies.")
}

fn commands(control_plane: &[IstiodVersion]) -> Vec<String> {
    let places: BTreeSet<(&str, &str)> =
        control_plane.iter().map(|replica| (replica.namespace.as_str(), replica.revision.as_str())).collect();
    let command = |(namespace, revision): (&str, &str)| {
        format!("istioctl version --istioNamespace {namespace} --revision {revision}")
    };
    if places.is_empty() { vec!["istioctl version".to_owned()] } else { places.into_iter().map(command).collect() }
}
