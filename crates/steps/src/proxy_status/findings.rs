//! What is wrong with the proxies of a mesh, as seen from istiod.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::super::{
    counted,
    target::{self, PROXY},
};
use super::{
    gather::Replica,
    syncz::{SyncStatus, TypeStatus},
    table::age,
    version::Version,
    view::{ProxyStatus, UnconnectedProxy},
};
use envoy::comparison::{DiffChange, ProxyDiff, ProxyDiffPart};
use report::{Evidence, Finding, Severity, Subject};

const DOCS: &str = "https://istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd/";
const SKEW: &str = "https://istio.io/latest/docs/releases/supported-releases/#control-planedata-plane-skew";
const CANARY: &str = "https://istio.io/latest/docs/setup/upgrade/canary/#data-plane";

crate::codes::codes! {
    ENV0010, Error, DOCS;
    ENV0011, Warning, DOCS;
    ENV0012, Warning, DOCS;
    ENV0013, Error, DOCS;
    ENV0014, Warning, SKEW;
    ENV0015, Warning, CANARY;
    ENV0016, Warning, DOCS;
}

/// A push is acknowledged within moments, also by a proxy with much configuration.
const SLOW_S: i64 = 60;
/// After its start a proxy connects within seconds.
const STARTING_S: i64 = 60;
/// Proxies that a finding about many names.
const SHOWN: usize = 5;

fn subject(proxy: &ProxyStatus, pod: Option<&Pod>) -> Subject {
    let subject = pod.map_or_else(|| Subject::namespaced("Pod", &proxy.namespace, &proxy.pod), target::subject);
    subject.container(PROXY)
}

/// Types that the proxy refused, has not acknowledged, or waits for.
pub(super) fn of_types(proxy: &ProxyStatus, pod: Option<&Pod>) -> Vec<Finding> {
    let of_type = |one: &TypeStatus| match one.status {
        SyncStatus::Error => Some(refused(proxy, one, pod)),
        SyncStatus::Stale => Some(stale(proxy, one, pod)),
        // Every proxy gets clusters and listeners; of other types there may be nothing to send.
        SyncStatus::NotSent if proxy.proxy_type != "ztunnel" && matches!(&*one.name, "CDS" | "LDS") => {
            Some(not_sent(proxy, one, pod))
        }
        SyncStatus::NotSent | SyncStatus::Synced | SyncStatus::Ignored => None,
    };
    proxy.types.iter().filter_map(of_type).collect()
}

fn refused(proxy: &ProxyStatus, one: &TypeStatus, pod: Option<&Pod>) -> Finding {
    let error = one.error.as_deref().unwrap_or_default().trim();
    let since = one.age_s.map(|seconds| format!(" {} ago", age(seconds))).unwrap_or_default();
    let message = format!("proxy {} refused the {} that istiod sent{since}: {error}", proxy.proxy, one.name);
    Finding::new(&ENV0010, subject(proxy, pod), message)
        .discriminator(&*one.name)
        .evidence(Evidence::new(format!("/debug/syncz of {}, {}", proxy.istiod, one.type_url), error))
        .remedy(
            "The proxy works on with what it had before. Find the configuration that makes this: most often an EnvoyFilter \
             that selects this pod; istioctl.analyze names those that are known to be wrong.",
        )
}

fn stale(proxy: &ProxyStatus, one: &TypeStatus, pod: Option<&Pod>) -> Finding {
    let slow = one.age_s.is_none_or(|seconds| seconds >= SLOW_S);
    let since = one.age_s.map(|seconds| format!(" sent {} ago", age(seconds))).unwrap_or_default();
    let message = format!("proxy {} has not acknowledged its {}{since}", proxy.proxy, one.name);
    Finding::new(&ENV0011, subject(proxy, pod), message)
        .severity(if slow { Severity::Warning } else { Severity::Info })
        .discriminator(&*one.name)
        .evidence(Evidence::new(
            format!("/debug/syncz of {}", proxy.istiod),
            format!("sent {:?}, acknowledged {:?}", one.sent, one.acked),
        ))
        .remedy(
            "See whether the proxy is busy or stuck (kubectl.sidecar-logs, its CPU limit), and whether the connection to \
             istiod passes something that holds it up.",
        )
}

fn not_sent(proxy: &ProxyStatus, one: &TypeStatus, pod: Option<&Pod>) -> Finding {
    let message = format!("istiod {} has sent no {} to proxy {}", proxy.istiod, one.name, proxy.proxy);
    Finding::new(&ENV0012, subject(proxy, pod), message).discriminator(&*one.name).remedy(
        "Read istiod's log for this proxy (kubectl.istiod-logs with contains=<pod>): istiod makes no configuration while \
         its caches are not filled, or fails to make this one.",
    )
}

/// `doubtful` where a replica did not answer that may have it.
pub(super) fn unconnected(proxy: &UnconnectedProxy, pod: &Pod, doubtful: bool, now: Timestamp) -> Finding {
    let since = proxy.running_since.map(|since| now.as_second().saturating_sub(since.as_second()));
    let running =
        since.map(|seconds| format!(", though it has been running for {}", age(seconds.max(0)))).unwrap_or_default();
    let (severity, which) = match (since, doubtful) {
        (Some(seconds), _) if seconds < STARTING_S => (Severity::Info, "is not yet connected to any istiod"),
        (_, true) => (Severity::Warning, "is connected to no istiod that answered"),
        (_, false) => (Severity::Error, "is connected to no istiod"),
    };
    let message = format!("proxy {}.{} {which}{running}", proxy.pod, proxy.namespace);
    let finding = Finding::new(&ENV0013, target::subject(pod).container(PROXY), message).severity(severity).remedy(
        "It serves with old configuration, and its certificate will expire. Read its log (kubectl.sidecar-logs): no route \
         or a NetworkPolicy to istiod's port 15012, DNS, or a certificate or token that istiod refuses.",
    );
    match proxy.revision.as_str() {
        "" => finding,
        revision => finding.evidence(Evidence::new("annotation istio.io/rev", revision)),
    }
}

/// No istiod of its revision lives, which is reason enough.
pub(super) fn orphaned(proxy: &UnconnectedProxy, pod: &Pod, others: &BTreeSet<&str>) -> Finding {
    let (namespace, revision) = (&proxy.namespace, &proxy.revision);
    let message = format!(
        "proxy {}.{namespace} is connected to no istiod: no istiod of its revision {revision:?} runs",
        proxy.pod
    );
    let remedy = match others.iter().next_back() {
        Some(other) => format!(
            "Get istiod of revision {revision} running (kubectl get pods -A -l app=istiod,istio.io/rev={revision}), or move the \
             namespace to revision {other}: kubectl label namespace {namespace} istio.io/rev={other} istio-injection- \
             --overwrite; then kubectl rollout restart deployment -n {namespace}"
        ),
        None => format!(
            "Get istiod running: kubectl get pods -A -l app=istiod; kubectl get deployments -A -l app=istiod,istio.io/rev={revision}"
        ),
    };
    Finding::new(&ENV0013, target::subject(pod).container(PROXY), message)
        .evidence(Evidence::new("annotation istio.io/rev", revision.as_str()))
        .remedy(remedy)
}

/// Proxies of another version than their istiod: istiod may be one minor version ahead, and never behind.
pub(super) fn version_skew(proxies: &[ProxyStatus], istiods: &BTreeMap<&str, &str>) -> Vec<Finding> {
    let mut groups: BTreeMap<(&str, Version, Version), Vec<&str>> = BTreeMap::new();
    for proxy in proxies {
        let istiod = istiods.get(proxy.istiod.as_str()).and_then(|text| Version::parse(text));
        if let (Some(istiod), Some(own)) = (istiod, Version::parse(&proxy.version))
            && (istiod.major, istiod.minor) != (own.major, own.minor)
        {
            groups.entry((&proxy.namespace, own, istiod)).or_default().push(&proxy.proxy);
        }
    }
    let skew = |((namespace, own, istiod), proxies): ((&str, Version, Version), Vec<&str>)| {
        let text = |version: Version| format!("{}.{}", version.major, version.minor);
        let ahead = (own.major, own.minor) > (istiod.major, istiod.minor);
        let behind = istiod.minor.saturating_sub(own.minor);
        let (severity, why) = if ahead {
            (Severity::Warning, "a proxy must not be ahead of its istiod")
        } else if own.major != istiod.major || behind > 1 {
            (Severity::Warning, "istiod may be one minor version ahead of a proxy, not more")
        } else {
            (Severity::Info, "which is supported")
        };
        let count = counted(proxies.len(), "proxy");
        let message =
            format!("{count} of {} in namespace {namespace}, on istiod of {}: {why}", text(own), text(istiod));
        let finding = Finding::new(&ENV0014, Subject::cluster_wide("Namespace", namespace), message)
            .severity(severity)
            .discriminator(format!("{} {}", text(own), text(istiod)))
            .remedy("Restart the workloads, so that the injector gives them the proxy of istiod's version.");
        with_proxies(finding, &proxies)
    };
    groups.into_iter().map(skew).collect()
}

/// Proxies whose namespace has been given to another revision since they were injected.
pub(super) fn other_revision(
    proxies: &[ProxyStatus],
    namespaces: &[Value],
    tags: &[Value],
    replicas: &[Replica],
    pod_of: &BTreeMap<String, &Pod>,
) -> Vec<Finding> {
    let label = |object: &Value, name: &str| object["metadata"]["labels"][name].as_str().map(str::to_owned);
    let tags: BTreeMap<String, String> = tags
        .iter()
        .filter_map(|webhook| Some((label(webhook, "istio.io/tag")?, label(webhook, "istio.io/rev")?)))
        .collect();
    let wanted: BTreeMap<&str, String> = namespaces
        .iter()
        .filter_map(|namespace| Some((namespace["metadata"]["name"].as_str()?, label(namespace, "istio.io/rev")?)))
        .collect();
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for proxy in proxies {
        let Some(wanted) = wanted.get(proxy.namespace.as_str()) else { continue };
        let revision = tags.get(wanted).unwrap_or(wanted);
        let exists = replicas.iter().any(|replica| replica.istiod.revision == *revision);
        // Proxies that istiod deploys for a Gateway follow the label of that Gateway.
        let injected = pod_of.get(&proxy.proxy).is_some_and(|pod| !is_deployed_for_gateway(pod));
        if exists && injected && proxy.revision != *revision {
            groups.entry((&proxy.namespace, wanted, &proxy.revision)).or_default().push(&proxy.proxy);
        }
    }
    let finding = |((namespace, wanted, revision), proxies): ((&str, &str, &str), Vec<&str>)| {
        let count = counted(proxies.len(), "proxy");
        let (verb, still) = if proxies.len() == 1 { ("is", "has") } else { ("are", "have") };
        let message = format!(
            "namespace {namespace} is labelled istio.io/rev={wanted}, but {count} in it {verb} still connected to revision \
             {revision}: the pods {still} not been restarted since"
        );
        let finding = Finding::new(&ENV0015, Subject::cluster_wide("Namespace", namespace), message)
            .discriminator(revision)
            .remedy(format!(
                "Restart the workloads: kubectl rollout restart deployment --namespace {namespace}. Remove the old revision \
                 only after that."
            ));
        with_proxies(finding, &proxies)
    };
    groups.into_iter().map(finding).collect()
}

fn is_deployed_for_gateway(pod: &Pod) -> bool {
    let labels = pod.metadata.labels.as_ref();
    labels.is_some_and(|labels| labels.contains_key("gateway.networking.k8s.io/gateway-name"))
}

fn with_proxies(mut finding: Finding, proxies: &[&str]) -> Finding {
    for proxy in proxies.iter().take(SHOWN) {
        finding = finding.evidence(Evidence::new("/debug/syncz", *proxy));
    }
    if proxies.len() > SHOWN {
        finding = finding.evidence(Evidence::new("/debug/syncz", format!("and {} more", proxies.len() - SHOWN)));
    }
    finding
}

/// What istiod would send and Envoy has not, or the other way round.
pub(super) fn out_of_sync(diff: &ProxyDiff, pod: &Pod) -> Vec<Finding> {
    diff.parts().into_iter().filter(|part| !part.matches).map(|part| differing(part, pod)).collect()
}

fn differing(part: &ProxyDiffPart, pod: &Pod) -> Finding {
    let what = part.name.trim_end_matches('s').to_ascii_lowercase();
    let names = |change: DiffChange| {
        let names: Vec<_> =
            part.changes.iter().filter(|one| one.change == change).map(|one| one.resource.as_str()).collect();
        let more = names.len().saturating_sub(SHOWN);
        let shown = names[..names.len() - more].join(", ");
        (!names.is_empty()).then(|| if more > 0 { format!("{shown} and {more} more") } else { shown })
    };
    let mut parts = Vec::new();
    for (change, words) in [
        (DiffChange::OnlyInIstiod, "missing in Envoy"),
        (DiffChange::OnlyInEnvoy, "no longer in istiod"),
        (DiffChange::Different, "different"),
    ] {
        parts.extend(names(change).map(|names| format!("{words}: {names}")));
    }
    let message = format!(
        "{} of {}/{} not as istiod would send: {}",
        counted(part.changes.len(), &what) + if part.changes.len() == 1 { " is" } else { " are" },
        target::namespace(pod),
        target::name(pod),
        parts.join("; ")
    );
    let mut finding =
        Finding::new(&ENV0016, target::subject(pod).container(PROXY), message).discriminator(part.name).remedy(
            "A moment after a change this is normal: ask again. Where it stays, the status of this type tells why: refused \
             (ERROR), or not acknowledged (STALE).",
        );
    for field in
        part.changes.iter().flat_map(|change| change.fields.iter().map(move |field| (change, field))).take(SHOWN)
    {
        let (change, field) = field;
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        finding = finding.evidence(Evidence::new(
            format!("{what} {}, {}", change.resource, field.path),
            format!("istiod: {}; Envoy: {}", side(&field.istiod), side(&field.envoy)),
        ));
    }
    finding
}
