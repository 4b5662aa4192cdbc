//! Running proxies that are in the list of no istiod, and why.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::super::{
    counted,
    injection::{REVISION, newest},
    target::{self, PROXY},
};
use super::{
    ProxyStatusInput,
    findings::{ENV0013, ENV0022, SHOWN},
    gather::Replica,
    signs::{Reason, Signs},
    table::age,
    view::UnconnectedProxy,
};
use cluster::UNRECORDED;
use report::{Evidence, Finding, Read, Severity, Skipped, Subject};

/// After its start a proxy connects within seconds.
const STARTING_S: i64 = 60;

/// What the findings rest on besides the pods.
pub(super) struct Around<'e> {
    pub(super) replicas: &'e [Replica],
    /// No pod of istiod may be missing from the replicas.
    pub(super) is_complete: bool,
    pub(super) namespaces: &'e Read<Vec<Value>>,
    pub(super) tags: &'e Read<Vec<Value>>,
    pub(super) signs: &'e BTreeMap<String, Signs>,
    pub(super) now: Timestamp,
}

/// Running pods with a proxy that no replica lists.
pub(super) fn pods<'p>(pods: &'p [Pod], replicas: &[Replica], input: &ProxyStatusInput) -> Vec<&'p Pod> {
    let listed: BTreeSet<&str> =
        replicas.iter().flat_map(|replica| replica.clients.iter().flatten()).map(|client| &*client.proxy).collect();
    let mut pods: Vec<&Pod> = pods
        .iter()
        .filter(|pod| !listed.contains(id(pod).as_str()) && is_running(pod) && is_wanted(pod, input, replicas))
        .collect();
    pods.sort_by_key(|pod| id(pod));
    pods
}

fn id(pod: &Pod) -> String {
    format!("{}.{}", target::name(pod), target::namespace(pod))
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
    let annotation = pod.metadata.annotations.as_ref().and_then(|all| all.get(REVISION));
    let label = pod.metadata.labels.as_ref().and_then(|all| all.get(REVISION));
    annotation.or(label).map_or("", String::as_str)
}

pub(super) fn view(pod: &Pod) -> UnconnectedProxy {
    let running = target::container_status(pod, PROXY).and_then(|status| status.state.as_ref()?.running.as_ref());
    UnconnectedProxy {
        namespace: target::namespace(pod).to_owned(),
        pod: target::name(pod).to_owned(),
        revision: revision(pod).to_owned(),
        running_since: running.and_then(|running| running.started_at.as_ref()).map(|time| time.0),
    }
}

/// A finding for each of these pods; one for those of a namespace whose revision has nobody to connect to.
/// What cannot be known is skipped.
pub(super) fn findings(pods: &[&Pod], around: &Around<'_>) -> (Vec<Finding>, Vec<Skipped>) {
    let mut findings = Vec::new();
    let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut orphans: BTreeMap<(&str, &str), Vec<&Pod>> = BTreeMap::new();
    for pod in pods {
        let own = revision(pod);
        if around.is_complete && !own.is_empty() && around.serving(own).is_empty() && !around.replicas.is_empty() {
            orphans.entry((target::namespace(pod), own)).or_default().push(pod);
        } else {
            match one(pod, around) {
                Some(finding) => findings.push(finding),
                None => *unknown.entry(own).or_default() += 1,
            }
        }
    }
    let orphaned =
        |((namespace, revision), pods): ((&str, &str), Vec<&Pod>)| orphaned(namespace, revision, &pods, around);
    findings.extend(orphans.into_iter().map(orphaned));
    let unknown = unknown.into_iter().map(|(revision, count)| {
        let what = format!("whether {} of revision {revision:?} are connected (ENV0013)", counted(count, "proxy"));
        Skipped::new(what, "no istiod of that revision answered with its list of proxies")
    });
    (findings, unknown.collect())
}

impl Around<'_> {
    /// The replicas of a revision that may serve proxies.
    fn serving(&self, revision: &str) -> Vec<&Replica> {
        self.replicas.iter().filter(|replica| replica.istiod.revision == revision && !is_out(replica)).collect()
    }
}

/// Whether the Service of istiod does not lead to this replica.
fn is_out(replica: &Replica) -> bool {
    let conditions = replica.istiod.pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    replica.down || conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status != "True"))
}

fn one(pod: &Pod, around: &Around<'_>) -> Option<Finding> {
    let (own, id) = (revision(pod), id(pod));
    // A replica that could not be read may be the one that it is connected to.
    let unread: Vec<_> = around
        .replicas
        .iter()
        .filter(|replica| !replica.down && (own.is_empty() || replica.istiod.revision == own))
        .filter_map(|replica| replica.clients.as_ref().err())
        .collect();
    let signs = around.signs.get(&id);
    let running = view(pod).running_since.map(|since| around.now.as_second().saturating_sub(since.as_second()).max(0));
    let ran = running.map(|seconds| format!(", though it has been running for {}", age(seconds))).unwrap_or_default();
    let starts = running.is_some_and(|seconds| seconds < STARTING_S);
    let subject = target::subject(pod).container(PROXY);
    if !starts && let Some(signs) = signs.filter(|signs| signs.never_configured() == Some(true)) {
        let reason = signs.reason();
        let says = reason.as_ref().map(|reason| format!("; its agent says: {}", reason.message)).unwrap_or_default();
        let state = not_live(pod, signs);
        let message = format!(
            "proxy {id} has never got configuration{ran}: it has no certificate and no listener but its own, so nothing \
             passes it{state}{says}"
        );
        let finding = Finding::new(&ENV0022, subject, message)
            .evidence(Evidence::new("/listeners and /certs", "only the proxy's own listeners, and no certificate"));
        return Some(with_reason(finding, reason.as_ref(), pod, around));
    }
    let is_known = |replica: &&Replica| {
        (own.is_empty() || replica.istiod.revision == own) && (replica.down || replica.clients.is_ok())
    };
    // Nothing is known of it where no list could be read, or a recording lacks one.
    let lacks_one = unread.iter().any(|reason| reason.why.contains(UNRECORDED));
    if lacks_one || !unread.is_empty() && !around.replicas.iter().any(|replica| is_known(&replica)) {
        return None;
    }
    let (severity, which) = match (starts, unread.is_empty()) {
        (true, _) => (Severity::Info, "is not yet connected to any istiod"),
        (_, false) => (Severity::Warning, "is connected to no istiod that answered"),
        (_, true) => (Severity::Error, "is connected to no istiod"),
    };
    let has_configuration = signs.and_then(Signs::never_configured) == Some(false);
    let serves =
        if has_configuration { "; it serves with old configuration until its certificate expires" } else { "" };
    let gone =
        signs.and_then(|signs| signs.gone.as_ref()?.words()).map(|words| format!("; {words}")).unwrap_or_default();
    let state = signs.map(|signs| not_live(pod, signs)).unwrap_or_default();
    let message = format!("proxy {id} {which}{ran}{serves}{gone}{state}");
    let finding = Finding::new(&ENV0013, subject, message).severity(severity);
    let finding = match own {
        "" => finding,
        revision => finding.evidence(Evidence::new("annotation istio.io/rev", revision)),
    };
    Some(with_reason(finding, signs.and_then(Signs::reason).as_ref(), pod, around))
}

/// What Envoy says of its own state, where Kubernetes may say otherwise.
fn not_live(pod: &Pod, signs: &Signs) -> String {
    let Some(state) = signs.not_live() else { return String::new() };
    let ready = if target::is_ready(pod) { ", though Kubernetes calls the pod ready" } else { "" };
    format!("; its Envoy is {state}{ready}")
}

/// The agent's words as evidence, and what to do about them.
fn with_reason(finding: Finding, reason: Option<&Reason<'_>>, pod: &Pod, around: &Around<'_>) -> Finding {
    let (namespace, name) = (target::namespace(pod), target::name(pod));
    let log = format!("kubectl logs {name} --namespace {namespace} --container {PROXY} --tail 300");
    let own = revision(pod);
    let of_revision = around.replicas.iter().find(|replica| own.is_empty() || replica.istiod.revision == own);
    let istio = of_revision
        .or(around.replicas.first())
        .map_or("istio-system", |replica| target::namespace(&replica.istiod.pod));
    let Some(reason) = reason else {
        return finding.remedy(format!(
            "Read why its agent cannot connect: {log}. Mostly a NetworkPolicy or firewall stands before port 15012 of \
             istiod in namespace {istio}, its Service has no endpoint (kubectl get endpointslices --namespace {istio}), or \
             its name does not resolve."
        ));
    };
    let finding = finding.evidence(Evidence::new(format!("log of {namespace}/{name} ({PROXY})"), reason.sample));
    if [reason.message, reason.sample].iter().any(|words| words.contains("unknown authority")) {
        return finding.remedy(format!(
            "The proxy does not trust istiod's certificate: the root in its namespace is another one than istiod's. \
             Compare them: kubectl get configmap istio-ca-root-cert --namespace {namespace} --output \
             jsonpath='{{.data.root-cert\\.pem}}' and the same with --namespace {istio}. Where they differ, see which \
             istiod writes it (misc.misconfiguration, area certificate-authority) before anything is restarted."
        ));
    }
    match reason.remedy {
        "" => finding.remedy(format!("Its agent says why: {log}")),
        remedy => finding.remedy(format!("{remedy}. The whole log: {log}")),
    }
}

/// Nobody is left whom these proxies could connect to.
fn orphaned(namespace: &str, revision: &str, pods: &[&Pod], around: &Around<'_>) -> Finding {
    let own: Vec<&Replica> = around.replicas.iter().filter(|replica| replica.istiod.revision == revision).collect();
    let living: BTreeSet<&str> =
        around.replicas.iter().filter(|replica| !is_out(replica)).map(|replica| &*replica.istiod.revision).collect();
    let count = if pods.len() == 1 { "1 proxy".to_owned() } else { format!("{} proxies", pods.len()) };
    let (why, first) = match own.first() {
        None => ("no istiod of that revision is installed", String::new()),
        Some(replica) => {
            let place = target::namespace(&replica.istiod.pod);
            let first = format!(
                "See why its istiod does not run: kubectl describe pods --namespace {place} --selector \
                 app=istiod,istio.io/rev={revision}. "
            );
            ("no istiod of that revision is ready", first)
        }
    };
    let message = format!("{count} in namespace {namespace} of revision {revision} cannot connect: {why}");
    let remedy = match (own.is_empty(), newest(living.iter().copied())) {
        (false, _) => format!("{first}Its proxies connect again by themselves."),
        (true, Some(other)) => move_to(namespace, revision, other, around),
        (true, None) => format!("Install istiod of revision {revision} again; its proxies connect by themselves."),
    };
    let mut finding = Finding::new(&ENV0013, Subject::cluster_wide("Namespace", namespace), message)
        .discriminator(format!("revision {revision}"))
        .remedy(remedy);
    for pod in pods.iter().take(SHOWN) {
        finding = finding.evidence(Evidence::new("annotation istio.io/rev", format!("{}: {revision}", id(pod))));
    }
    if pods.len() > SHOWN {
        finding =
            finding.evidence(Evidence::new("annotation istio.io/rev", format!("and {} more", pods.len() - SHOWN)));
    }
    finding
}

/// How the pods of a namespace get the proxy of a revision that lives.
fn move_to(namespace: &str, revision: &str, other: &str, around: &Around<'_>) -> String {
    let label = |object: &Value, name: &str| object["metadata"]["labels"][name].as_str().map(str::to_owned);
    let namespaces = around.namespaces.iter().flatten();
    let own = namespaces.into_iter().find(|object| object["metadata"]["name"] == namespace);
    let own = own.and_then(|object| label(object, REVISION));
    let tags = around
        .tags
        .iter()
        .flatten()
        .filter_map(|webhook| Some((label(webhook, "istio.io/tag")?, label(webhook, REVISION)?)));
    let target = |value: &str| tags.clone().find(|(tag, _)| tag == value).map(|(_, target)| target);
    let restart = format!("kubectl rollout restart deployment --namespace {namespace}");
    match own.as_deref() {
        Some(value) if target(value).as_deref() == Some(revision) => {
            format!("istioctl tag set {value} --revision {other} --overwrite; {restart}")
        }
        Some(value) if value == revision => {
            format!("kubectl label namespace {namespace} {REVISION}={other} --overwrite; {restart}")
        }
        // The namespace has another revision already: its pods only are older than that.
        Some(_) => restart,
        None => format!(
            "Give the namespace, or the pods' own label, a revision that lives: kubectl label namespace {namespace} \
             {REVISION}={other} --overwrite; {restart}"
        ),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use bytes::Bytes;
    use cluster::Istiod;
    use logs::{Source, digest};
    use serde_json::json;

    use super::{super::Evidence as Pages, *};

    const NOW: &str = "2026-01-01T01:00:00Z";
    const X509: &str =
        "2026-01-01T00:59:00.000000Z\twarn\tca\tca request failed: x509: certificate signed by unknown authority";

    fn istiod(revision: &str, ready: &str) -> Istiod {
        let pod = json!({"metadata": {"name": format!("istiod-{revision}"), "namespace": "istio-system"},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}});
        Istiod { revision: revision.to_owned(), pod: serde_json::from_value(pod).unwrap() }
    }

    fn pod(revision: &str, started: &str) -> Pod {
        let running = json!({"name": "istio-proxy", "ready": true, "restartCount": 0, "image": "", "imageID": "",
            "state": {"running": {"startedAt": started}}});
        let pod = json!({"metadata": {"name": "cart-1", "namespace": "shop", "annotations": {"istio.io/rev": revision}},
            "spec": {"containers": [{"name": "istio-proxy"}]},
            "status": {"phase": "Running", "containerStatuses": [running],
                "conditions": [{"type": "Ready", "status": "True"}]}});
        serde_json::from_value(pod).unwrap()
    }

    fn signs(is_configured: bool, log: &str) -> Signs {
        Signs {
            is_configured: Ok(is_configured),
            has_certificate: Ok(is_configured),
            state: Ok(if is_configured { "LIVE" } else { "PRE_INITIALIZING" }.to_owned()),
            gone: None,
            log: Ok(digest::digest(Source::Proxy, log.lines())),
        }
    }

    /// What is found about one pod beside replicas, each with its page of proxies.
    fn found(replicas: Vec<(Istiod, &'static str)>, pod: &Pod, signs: Option<Signs>) -> (Vec<Finding>, usize) {
        let now: Timestamp = NOW.parse().unwrap();
        let pages = replicas.into_iter().map(|(istiod, page)| (istiod, Bytes::from_static(page.as_bytes()))).collect();
        let evidence = Pages::of_pages(pages, Vec::new(), now);
        let labelled = json!({"metadata": {"name": "shop", "labels": {"istio.io/rev": "old"}}});
        let signs = signs.map(|signs| ("cart-1.shop".to_owned(), signs)).into_iter().collect();
        let around = Around {
            replicas: &evidence.replicas,
            is_complete: true,
            namespaces: &Ok(vec![labelled]),
            tags: &Ok(Vec::new()),
            signs: &signs,
            now,
        };
        let (findings, unknown) = findings(&[pod], &around);
        (findings, unknown.len())
    }

    #[track_caller]
    fn check(found: &(Vec<Finding>, usize), code: &str, words: &[&str]) {
        let [finding] = found.0.as_slice() else { panic!("{found:?}") };
        let text = format!("{} {}", finding.message, finding.remedy);
        assert!(finding.code == code && words.iter().all(|word| text.contains(word)), "{text}");
    }

    #[test]
    fn a_proxy_that_never_got_anything_is_told_from_one_that_lost_its_istiod() {
        let living = || vec![(istiod("new", "True"), "[]")];
        let pod = pod("new", "2026-01-01T00:00:00Z");
        let never = found(living(), &pod, Some(signs(false, X509)));
        let words = [
            "never got configuration",
            "unknown authority",
            "PRE_INITIALIZING",
            "istio-ca-root-cert",
            "calls the pod ready",
        ];
        check(&never, "ENV0022", &words);
        check(&found(living(), &pod, Some(signs(true, X509))), "ENV0013", &["old configuration", "does not trust"]);
        check(&found(living(), &pod, None), "ENV0013", &["is connected to no istiod", "kubectl logs cart-1"]);
    }

    #[test]
    fn a_proxy_that_has_just_started_is_a_note() {
        let (findings, _) =
            found(vec![(istiod("new", "True"), "[]")], &pod("new", "2026-01-01T00:59:30Z"), Some(signs(false, "")));
        assert_eq!((findings[0].code.as_ref(), findings[0].severity), ("ENV0013", Severity::Info));
    }

    #[test]
    fn a_revision_without_a_living_replica_explains_its_proxies() {
        let pod = pod("old", "2026-01-01T00:00:00Z");
        let gone = found(vec![(istiod("new", "True"), "[]")], &pod, None);
        check(
            &gone,
            "ENV0013",
            &["no istiod of that revision is installed", "kubectl label namespace shop istio.io/rev=new --overwrite"],
        );
        let waiting = found(vec![(istiod("old", "False"), "[]"), (istiod("new", "True"), "[]")], &pod, None);
        check(&waiting, "ENV0013", &["no istiod of that revision is ready", "app=istiod,istio.io/rev=old"]);
    }

    #[test]
    fn where_no_list_could_be_read_nothing_is_said() {
        let (findings, unknown) = found(vec![(istiod("old", "True"), "{}")], &pod("old", "2026-01-01T00:00:00Z"), None);
        assert_eq!((findings.len(), unknown), (0, 1));
    }
}
