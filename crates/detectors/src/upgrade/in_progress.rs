//! Finds an upgrade that is under way, and says how far it is.

use super::canary::Canary;
use crate::wording::{counted, names};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Proxy, is_finished};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "upg/in-progress",
        reads: &[Kind::Deployment, Kind::Namespace, Kind::Pod],
        reports: &[&UPG0001],
        by_default: true,
        run,
    },
};

static UPG0001: Code = Code {
    id: "UPG0001",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-upgrade",
    page: include_str!("pages/UPG0001.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if let Some(canary) = Canary::of(mesh) {
        messages.report(upgrade_is_under_way(mesh, &canary, &Progress::of(mesh, &canary)));
    }
}

/// What has not moved yet.
struct Progress<'m> {
    namespaces: usize,
    old_namespaces: Vec<&'m str>,
    proxies: usize,
    old_proxies: usize,
}

impl<'m> Progress<'m> {
    fn of(mesh: &'m Mesh, canary: &Canary<'_>) -> Self {
        let revision = |namespace: &&Object| mesh.revision_of(namespace.name());
        let labelled: Vec<&Object> = mesh.each(Kind::Namespace).filter(|it| revision(it).is_some()).collect();
        let is_old = |namespace: &&&Object| revision(namespace).is_some_and(|revision| canary.is_old(revision));
        let proxies = mesh.each(Kind::Pod).filter(|pod| !is_finished(pod)).filter_map(Proxy::of);
        let revisions: Vec<&str> = proxies.filter_map(|proxy| proxy.revision()).collect();
        Self {
            namespaces: labelled.len(),
            old_namespaces: labelled.iter().filter(is_old).map(|namespace| namespace.name()).collect(),
            proxies: revisions.len(),
            old_proxies: revisions.iter().filter(|revision| canary.is_old(revision)).count(),
        }
    }
}

fn upgrade_is_under_way<'m>(mesh: &Mesh, canary: &Canary<'m>, progress: &Progress<'_>) -> Message<'m> {
    let (olds, new) = (canary.olds(), canary.newer.revision);
    let since =
        canary.days().map(|days| format!(" for {}", counted(usize::try_from(days).unwrap_or(0), "day", "days")));
    let left = match progress.old_namespaces[..] {
        [] => String::new(),
        ref left => format!(" ({})", names(left)),
    };
    let text = format!(
        "Revisions {olds} and {new} are installed side by side{}: {} of {}{left} and {} of {} are still of the older one.",
        since.unwrap_or_default(),
        progress.old_namespaces.len(),
        counted(progress.namespaces, "namespace", "namespaces"),
        progress.old_proxies,
        counted(progress.proxies, "proxy", "proxies"),
    );
    let is_moved = progress.old_namespaces.is_empty() && progress.old_proxies == 0;
    let finish = if mesh.is_aks() {
        "az aks mesh upgrade complete -g <resource group> -n <cluster> (or: rollback)".to_owned()
    } else {
        format!("istioctl uninstall --revision {}", canary.older[0].revision)
    };
    let remedy = if is_moved {
        format!("Nothing is left on {olds}. Finish the upgrade: {finish}")
    } else {
        format!(
            "Label the namespaces with istio.io/rev={new}, restart their workloads, and then finish the upgrade: {finish}"
        )
    };
    Message::new(&UPG0001, canary.newer.deployment, text).severity(canary.severity()).remedy(remedy)
}
