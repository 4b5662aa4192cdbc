//! Puts the checklists of all revisions together, and names what is wrong.

use std::collections::BTreeSet;

use super::{
    InstallCounts, InstallState, InstalledObject, ObjectState, RevisionInstall, VerifyInstallData, VerifyInstallInput,
    codes,
    gather::{VerifyInstallEvidence, is_istiod},
    revision::{Checklist, revision_of, state},
    shared, support,
};
use crate::{
    Judgement, counted,
    injection::{REVISION, newest},
    tags::leads_nowhere,
};
use report::{Code, Finding, Severity, Subject};

const ADD_ON: &str = "aks-istio-system";

pub(super) fn judge(input: &VerifyInstallInput, evidence: VerifyInstallEvidence) -> Judgement<VerifyInstallData> {
    let add_on = evidence.places.iter().any(|place| place == ADD_ON);
    let installed = installed(&evidence, add_on);
    let target = input.revision.as_deref().map(|name| resolved(&evidence, name));
    let wanted = |revision: &str| target.is_none_or(|target| target == revision);
    let revisions: Vec<RevisionInstall> = installed
        .iter()
        .filter(|(_, revision)| wanted(revision))
        .map(|(namespace, revision)| Checklist::new(&evidence, add_on, revision, namespace).complete())
        .collect();
    let shared = shared::objects(&evidence);

    let mut findings = Vec::new();
    for row in revisions.iter().flat_map(|revision| &revision.objects).chain(&shared) {
        findings.extend(finding(row));
    }
    let leftover = leftover(&evidence, &installed);
    findings.extend(leftover);
    let complete = evidence.deployments.is_ok() && evidence.injection.istiods.is_ok();
    if revisions.is_empty() && complete {
        findings.push(application_routing(&evidence).unwrap_or_else(|| not_installed(input, &installed)));
    }
    if installed.len() > 1 && input.revision.is_none() {
        findings.push(two_revisions(&installed));
    }
    if add_on {
        for revision in &revisions {
            findings.extend(support::findings(&revision.revision, evidence.kubernetes.as_deref(), evidence.now));
        }
    }
    let installation = if revisions.is_empty() {
        if complete { InstallState::NotInstalled } else { InstallState::Unknown }
    } else {
        let worst = revisions.iter().map(|revision| revision.state).chain([state(&shared)]);
        worst.max_by_key(|state| weight(*state)).unwrap_or(InstallState::Unknown)
    };
    let counts = counts(revisions.iter().flat_map(|revision| &revision.objects).chain(&shared));
    let summary = format!(
        "{} of {} in place in {}",
        counts.present,
        counted(counts.present + counts.missing + counts.unhealthy + counts.drifted + counts.unknown, "object"),
        counted(revisions.len(), "revision")
    );
    let commands = commands(&revisions);
    let data = VerifyInstallData { installation, add_on, kubernetes: evidence.kubernetes, revisions, shared, counts };
    Judgement { data, findings, skipped: evidence.skipped, commands, summary }
}

fn weight(state: InstallState) -> u8 {
    match state {
        InstallState::Installed => 0,
        InstallState::Unknown => 1,
        InstallState::Degraded => 2,
        InstallState::Broken | InstallState::NotInstalled => 3,
    }
}

/// The revisions that are installed, each with its namespace: those of Deployments, and of pods without one.
fn installed(evidence: &VerifyInstallEvidence, add_on: bool) -> Vec<(String, String)> {
    let deployments = evidence.deployments.iter().flatten().filter(|found| is_istiod(found));
    let mut found: Vec<(String, String)> = deployments
        .map(|found| (found.namespace().unwrap_or_default().to_owned(), revision_of(found).to_owned()))
        .collect();
    for istiod in evidence.injection.istiods.iter().flatten() {
        let namespace = istiod.pod.metadata.namespace.clone().unwrap_or_default();
        found.push((namespace, istiod.revision.clone()));
    }
    found.retain(|(namespace, revision)| {
        // What runs as plain istiod beside the add-on's revisions is of application routing, not of the mesh.
        let foreign = add_on && namespace == ADD_ON && !revision.starts_with("asm-");
        evidence.places.contains(namespace) && !foreign
    });
    found.sort();
    found.dedup();
    found
}

/// The revision that is meant by a revision's or a tag's name.
fn resolved<'a>(evidence: &'a VerifyInstallEvidence, name: &'a str) -> &'a str {
    let tagged = evidence.injection.known().iter().find(|found| found.tag.as_deref() == Some(name));
    tagged.map_or(name, |found| &found.revision)
}

fn finding(row: &InstalledObject) -> Option<Finding> {
    let (code, severity): (&'static Code, Severity) = match row.state {
        ObjectState::Present | ObjectState::Unknown => return None,
        ObjectState::Missing if row.optional => return None,
        ObjectState::Missing => (&codes::OBJECT_IS_MISSING, severity(row)),
        ObjectState::Unhealthy => (&codes::OBJECT_IS_UNHEALTHY, severity(row)),
        ObjectState::Drifted => (&codes::OBJECT_HAS_DRIFTED, Severity::Error),
    };
    let subject = match &row.namespace {
        Some(namespace) => Subject::namespaced(&row.kind, namespace, &row.name),
        None => Subject::cluster_wide(&row.kind, &row.name),
    };
    let (why, consequence) = (row.why.as_deref().unwrap_or_default(), row.consequence.as_deref().unwrap_or_default());
    Some(Finding::new(code, subject, format!("{why}: {consequence}")).severity(severity))
}

/// What only makes an installation weaker is a warning.
fn severity(row: &InstalledObject) -> Severity {
    match (row.kind.as_str(), state(std::slice::from_ref(row))) {
        ("HorizontalPodAutoscaler" | "PodDisruptionBudget", _) | (_, InstallState::Degraded) => Severity::Warning,
        _ => Severity::Error,
    }
}

/// Webhooks that name a revision of which nothing is installed.
fn leftover(evidence: &VerifyInstallEvidence, installed: &[(String, String)]) -> Vec<Finding> {
    if evidence.deployments.is_err() || evidence.injection.istiods.is_err() {
        return Vec::new();
    }
    let is_installed = |revision: &str| installed.iter().any(|(_, known)| known == revision);
    let other = newest(installed.iter().map(|(_, revision)| revision.as_str())).unwrap_or("<revision>");
    let namespaces = evidence.list("Namespace").unwrap_or_default();
    let mut findings = Vec::new();
    for found in evidence.injection.known() {
        // A webhook that calls no Service of this cluster is that of a control plane elsewhere.
        let local = found.webhooks.iter().any(|webhook| webhook.service.is_some());
        if found.revision.is_empty() || is_installed(&found.revision) || !local || found.is_deactivated() {
            continue;
        }
        let label = found.label_value();
        let users = namespaces.iter().filter(|namespace| namespace.label(REVISION) == Some(label));
        let users: Vec<String> = users.map(|namespace| namespace.name().to_owned()).collect();
        findings.push(leads_nowhere(found, &users, other));
    }
    findings
}

fn not_installed(input: &VerifyInstallInput, installed: &[(String, String)]) -> Finding {
    let known: Vec<&str> = installed.iter().map(|(_, revision)| revision.as_str()).collect();
    let message = match (&input.revision, known.as_slice()) {
        (Some(revision), [_, ..]) => format!("revision {revision} is not installed; there are: {}", known.join(", ")),
        _ => "there is no Deployment and no pod of istiod (label app=istiod)".to_owned(),
    };
    Finding::new(&codes::NOT_INSTALLED, Subject::cluster_wide("Deployment", "istiod"), message)
}

/// An istiod without a revision in the add-on's namespace is that of application routing with the Gateway API, a control
/// plane of its own (<https://learn.microsoft.com/azure/aks/app-routing-gateway-api>).
fn application_routing(evidence: &VerifyInstallEvidence) -> Option<Finding> {
    let mut deployments = evidence.deployments.iter().flatten().filter(|found| is_istiod(found));
    let found = deployments.find(|found| found.namespace() == Some(ADD_ON) && found.name() == "istiod")?;
    let message = "the Istio add-on is not installed; this istiod is that of application routing with the Gateway API: it serves \
                   the Gateways of the class approuting-istio and injects no sidecars";
    Some(Finding::new(&codes::NOT_INSTALLED, found.subject(), message).severity(Severity::Info).remedy(
        "Nothing to do where only Gateways are wanted: kubectl get gateways.gateway.networking.k8s.io -A. For sidecars, enable \
         the add-on instead, as the two exclude each other: az aks mesh enable --resource-group <group> --name <cluster>",
    ))
}

fn two_revisions(installed: &[(String, String)]) -> Finding {
    let names: Vec<_> = installed.iter().map(|(_, revision)| revision.as_str()).collect();
    let message = format!("revisions {} are installed side by side", names.join(" and "));
    Finding::new(&codes::TWO_REVISIONS, Subject::cluster_wide("Deployment", "istiod"), message)
}

fn counts<'a>(objects: impl Iterator<Item = &'a InstalledObject>) -> InstallCounts {
    let mut counts = InstallCounts::default();
    for object in objects {
        let count = match object.state {
            ObjectState::Present => &mut counts.present,
            ObjectState::Missing => &mut counts.missing,
            ObjectState::Unhealthy => &mut counts.unhealthy,
            ObjectState::Drifted => &mut counts.drifted,
            ObjectState::Unknown => &mut counts.unknown,
        };
        *count += 1;
    }
    counts
}

fn commands(revisions: &[RevisionInstall]) -> Vec<String> {
    let mut commands: Vec<_> = revisions
        .iter()
        .map(|found| {
            format!("istioctl verify-install --istioNamespace {} --revision {}", found.namespace, found.revision)
        })
        .collect();
    let namespaces: BTreeSet<&str> = revisions.iter().map(|found| found.namespace.as_str()).collect();
    commands.extend(namespaces.iter().map(|namespace| {
        format!("kubectl get deployments,services,configmaps,serviceaccounts,hpa,pdb --namespace {namespace}")
    }));
    commands.push(
        "kubectl get mutatingwebhookconfigurations,validatingwebhookconfigurations --selector istio.io/rev".to_owned(),
    );
    commands
}

/// In the words of the command, one line for each object.
pub(super) fn printed(data: &VerifyInstallData) -> String {
    let mut text = String::new();
    for revision in &data.revisions {
        text = format!("{text}Revision {} in namespace {}:\n", revision.revision, revision.namespace);
        for object in &revision.objects {
            text.push_str(&line(object));
        }
    }
    if !data.shared.is_empty() {
        text.push_str("Shared:\n");
    }
    for object in &data.shared {
        text.push_str(&line(object));
    }
    let present = |kind: &str, prefix: &str| {
        let all = data.revisions.iter().flat_map(|revision| &revision.objects).chain(&data.shared);
        all.filter(|row| row.kind == kind && row.state != ObjectState::Missing && row.name.starts_with(prefix)).count()
    };
    text = format!("{text}Checked {} custom resource definitions\n", present("CustomResourceDefinition", ""));
    text = format!("{text}Checked {} Istio Deployments\n", present("Deployment", "istio"));
    text.push_str(match data.installation {
        InstallState::Installed => "✔ Istio is installed and verified successfully\n",
        InstallState::Degraded => "! Istio is installed, and something is not as it should be\n",
        InstallState::Broken => "✘ Istio installation failed, incomplete or does not match\n",
        InstallState::NotInstalled => "! No Istio installation found\n",
        InstallState::Unknown => "? Too little could be read to tell\n",
    });
    text
}

fn line(row: &InstalledObject) -> String {
    let place = row.namespace.as_ref().map_or(String::new(), |namespace| format!(".{namespace}"));
    let object = format!("{}: {}{place}", row.kind, row.name);
    let why = row.why.as_deref().unwrap_or_default();
    match row.state {
        ObjectState::Present => format!("✔ {object} checked successfully\n"),
        ObjectState::Missing if row.optional => format!("- {object}: {why}\n"),
        ObjectState::Missing | ObjectState::Unhealthy | ObjectState::Drifted => {
            format!("✘ {object}: {why}: {}\n", row.consequence.as_deref().unwrap_or_default())
        }
        ObjectState::Unknown => format!("? {object}: {why}\n"),
    }
}
