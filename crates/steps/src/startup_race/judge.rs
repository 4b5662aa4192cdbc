//! What follows from settings, pods and previous logs.

use std::collections::BTreeMap;

use super::{
    EarlyExit, Evidence, HoldSetting, PROBLEMS, Protection, ProtectionCounts, RevisionStart, StartupRaceData,
    StartupRaceInput, WorkloadStart, may_race, workload,
};
use crate::{Judgement, counted, mesh_pod};
use analyzers::Options;
use detectors::{self, detect};
use mesh::{Kind, Mesh, Object, Workload};
use report::{Code, Evidence as Quote, Finding, Severity, Subject};

const DOCS: &str = "https://istio.io/latest/docs/ops/common-problems/injection/\
    #pod-or-containers-start-with-network-issues-if-istio-proxy-is-not-ready";

pub(super) static CODES: &[&Code] = &[&STARTED_BEFORE_PROXY, &NOTHING_WAITS];

static STARTED_BEFORE_PROXY: Code =
    Code { id: "INJ0080", severity: Severity::Warning, docs: DOCS, page: include_str!("../pages/INJ0080.md") };
static NOTHING_WAITS: Code =
    Code { id: "INJ0081", severity: Severity::Info, docs: DOCS, page: include_str!("../pages/INJ0081.md") };

pub(super) fn key(namespace: &str, exit: &EarlyExit) -> String {
    format!("{namespace}/{}/{}", exit.pod, exit.container)
}

pub(super) fn judge(input: &StartupRaceInput, evidence: Evidence) -> Judgement<StartupRaceData> {
    let Evidence { mesh, lines, mut skipped } = evidence;
    let lines: BTreeMap<String, Option<String>> = lines.into_iter().collect();
    let mut workloads = workloads(&mesh, input, &lines);
    let revisions = revisions(&mesh, &workloads);
    let mut findings: Vec<Finding> = workloads.iter().filter_map(|it| started_before_proxy(&mesh, it)).collect();
    findings.extend(revisions.iter().filter_map(|revision| nothing_waits(&mesh, revision, &workloads)));

    let mut options = Options { namespaces: input.namespaces(), ..Options::default() };
    if !options.namespaces.is_empty() {
        // The mesh configuration lives there.
        options.namespaces.insert(mesh.istio_namespace().to_owned());
    }
    let analysis = detect(&mesh, &detectors::that_detect(PROBLEMS), &options);
    findings.extend(analysis.findings());
    skipped.extend(analysis.skipped);

    workloads.sort_by_key(|it| (it.early_exits.is_empty(), it.protection));
    let unprotected = workloads.iter().filter(|workload| workload.protection == Protection::None).count();
    let summary = format!(
        "{} with a sidecar, {unprotected} of which may start before it; {}",
        counted(workloads.len(), "workload"),
        counted(revisions.len(), "revision"),
    );
    let commands = revisions.iter().map(|revision| command(&mesh, &revision.revision)).collect();
    Judgement { data: StartupRaceData { revisions, workloads }, findings, skipped, commands, summary }
}

fn command(mesh: &Mesh, revision: &str) -> String {
    let map = mesh.user_config_map(revision);
    format!("kubectl get configmap {map} -n {} -o jsonpath='{{.data.mesh}}'", mesh.istio_namespace())
}

/// Pods with a sidecar, put together by what owns them and what injected them.
fn workloads(mesh: &Mesh, input: &StartupRaceInput, lines: &BTreeMap<String, Option<String>>) -> Vec<WorkloadStart> {
    let mut found: BTreeMap<(String, String, String, String), WorkloadStart> = BTreeMap::new();
    let wanted = input.revision.as_deref().map(|name| mesh.tags().get(name).copied().unwrap_or(name).to_owned());
    for pod in mesh.each(Kind::Pod).filter(|pod| input.covers(pod.namespace()) && has_sidecar(pod)) {
        let Some(protection) = workload::protection(pod) else { continue };
        let revision = mesh_pod::revision_of(pod);
        if wanted.as_deref().is_some_and(|wanted| wanted != revision) {
            continue;
        }
        let (kind, name) = mesh_pod::owner(pod);
        let hold = workload::setting(mesh, Workload::of_pod(pod));
        let mut exits = if may_race(pod) { workload::early_exits(pod) } else { Vec::new() };
        for exit in &mut exits {
            exit.log = lines.get(&key(pod.namespace(), exit)).cloned().flatten();
        }
        let key = (pod.namespace().to_owned(), kind.clone(), name.clone(), revision.clone());
        let workload = found.entry(key).or_insert_with(|| WorkloadStart {
            namespace: pod.namespace().to_owned(),
            kind,
            name,
            revision,
            pods: 0,
            protection,
            hold,
            needs_restart: false,
            early_exits: Vec::new(),
        });
        workload.pods += 1;
        workload.protection = workload.protection.min(protection);
        workload.needs_restart = workload.hold.hold && workload.protection == Protection::None;
        workload.early_exits.append(&mut exits);
    }
    found.into_values().collect()
}

/// The webhook put a proxy beside an application.
fn has_sidecar(pod: &Object) -> bool {
    pod.annotation("sidecar.istio.io/status").is_some() && mesh_pod::has_application(pod)
}

fn revisions(mesh: &Mesh, workloads: &[WorkloadStart]) -> Vec<RevisionStart> {
    let known = mesh.configs().iter().map(|(revision, config)| (revision.as_str(), config));
    let installed = known.filter(|(revision, _)| mesh.istiods().any(|istiod| istiod.revision == *revision));
    installed
        .map(|(revision, config)| {
            let setting = config.setting(&["defaultConfig", "holdApplicationUntilProxyStarts"]);
            let hold =
                HoldSetting { hold: setting.value.truth(), set_by: setting.from.unwrap_or("default").to_owned() };
            let mut pods = ProtectionCounts::default();
            for workload in workloads.iter().filter(|workload| workload.revision == revision) {
                *match workload.protection {
                    Protection::None => &mut pods.none,
                    Protection::Held => &mut pods.held,
                    Protection::NativeSidecar => &mut pods.native_sidecar,
                } += workload.pods;
            }
            let manifest = (!hold.hold && pods.none > 0).then(|| manifest(mesh, revision));
            let native_sidecars = native_sidecars(mesh, revision);
            RevisionStart { revision: revision.to_owned(), hold, native_sidecars, pods, manifest }
        })
        .collect()
}

/// `ENABLE_NATIVE_SIDECARS` (<https://istio.io/latest/docs/reference/commands/pilot-discovery/#envvars>).
fn native_sidecars(mesh: &Mesh, revision: &str) -> Option<bool> {
    match mesh.istiods().find(|istiod| istiod.revision == revision)?.variable("ENABLE_NATIVE_SIDECARS")? {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Where users of this installation write mesh settings.
fn manifest(mesh: &Mesh, revision: &str) -> String {
    let map = mesh.user_config_map(revision);
    format!(
        "# in ConfigMap {map}, namespace {}, key mesh (keep what is there)\n\
         defaultConfig:\n  holdApplicationUntilProxyStarts: true\n",
        mesh.istio_namespace()
    )
}

fn started_before_proxy(mesh: &Mesh, workload: &WorkloadStart) -> Option<Finding> {
    let worst = workload.early_exits.iter().max_by_key(|exit| (exit.log.is_some(), exit.restarts))?;
    let subject = Subject::namespaced(&workload.kind, &workload.namespace, &workload.name).container(&worst.container);
    let before = if worst.after_proxy_s < 0 { "before" } else { "together with" };
    let message = format!(
        "container {} was started {before} its proxy and ended after {} s with exit code {} (restarted {}): it found no \
         network, because nothing makes it wait",
        worst.container,
        worst.ran_s,
        worst.exit_code,
        counted(usize::try_from(worst.restarts).unwrap_or_default(), "time"),
    );
    let remedy = if workload.needs_restart {
        format!(
            "The mesh holds applications back by now ({}), and these pods are older: {}.",
            workload.hold.set_by,
            restart(workload)
        )
    } else {
        format!(
            "Set holdApplicationUntilProxyStarts: for this workload by the annotation proxy.istio.io/config: \
             '{{\"holdApplicationUntilProxyStarts\": true}}' on its pod template, or for the revision in ConfigMap {}; \
             then {}.",
            mesh.user_config_map(&workload.revision),
            restart(workload)
        )
    };
    let mut finding = Finding::new(&STARTED_BEFORE_PROXY, subject, message).remedy(remedy);
    for exit in workload.early_exits.iter().filter(|exit| exit.log.is_some()).take(3) {
        let from = format!("previous log of {}/{} ({})", workload.namespace, exit.pod, exit.container);
        finding = finding.evidence(Quote::new(from, exit.log.clone().unwrap_or_default()));
    }
    Some(finding)
}

fn restart(workload: &WorkloadStart) -> String {
    match workload.kind.as_str() {
        kind @ ("Deployment" | "StatefulSet" | "DaemonSet") => {
            format!("kubectl rollout restart {} {} -n {}", kind.to_ascii_lowercase(), workload.name, workload.namespace)
        }
        _ => "create its pods anew".to_owned(),
    }
}

fn nothing_waits(mesh: &Mesh, revision: &RevisionStart, workloads: &[WorkloadStart]) -> Option<Finding> {
    let unprotected: Vec<_> = workloads
        .iter()
        .filter(|workload| workload.revision == revision.revision && workload.protection == Protection::None)
        .collect();
    if unprotected.is_empty() {
        return None;
    }
    let names: Vec<String> =
        unprotected.iter().take(5).map(|workload| format!("{}/{}", workload.namespace, workload.name)).collect();
    let more = unprotected.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let message = format!(
        "{} of revision {} start side by side with their proxy, so that they have no network at first: {}{more}",
        counted(unprotected.len(), "workload"),
        revision.revision,
        names.join(", "),
    );
    let remedy = if revision.hold.hold {
        format!("{} holds applications back by now: restart these workloads.", revision.hold.set_by)
    } else {
        format!(
            "If they cannot bear that, set defaultConfig.holdApplicationUntilProxyStarts: true in ConfigMap {} and restart \
             them.",
            mesh.user_config_map(&revision.revision)
        )
    };
    let subject = Subject::cluster_wide("Revision", &revision.revision);
    Some(Finding::new(&NOTHING_WAITS, subject, message).remedy(remedy))
}
