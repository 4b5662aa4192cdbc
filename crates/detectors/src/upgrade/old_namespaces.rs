//! Finds namespaces that an upgrade has not reached.

use super::canary::Canary;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{INJECTION, Kind, Mesh, Object, REVISION};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "upg/namespaces-old",
        reads: &[Kind::Deployment, Kind::Namespace],
        reports: &[&UPG0002],
        by_default: true,
        run,
    },
};

static UPG0002: Code = Code {
    id: "UPG0002",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-upgrade",
    page: include_str!("pages/UPG0002.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(canary) = Canary::of(mesh) else { return };
    for namespace in mesh.each(Kind::Namespace) {
        if let Some(revision) = mesh.revision_of(namespace.name()).filter(|revision| canary.is_old(revision)) {
            messages.report(namespace_is_left_behind(mesh, namespace, revision, &canary));
        }
    }
}

fn namespace_is_left_behind<'m>(
    mesh: &Mesh,
    namespace: &'m Object,
    revision: &str,
    canary: &Canary<'_>,
) -> Message<'m> {
    let (name, new) = (namespace.name(), canary.newer.revision);
    let label = namespace.label(REVISION).unwrap_or_default();
    let via = if label.is_empty() || label == revision { String::new() } else { format!(", by tag {label}") };
    let text = format!(
        "New pods get the proxy of {revision}{via}, although {new} is installed: when {revision} is removed, they get none and \
         lose their control plane."
    );
    let restart = format!("kubectl rollout restart deployment -n {name}");
    let remedy = if !via.is_empty() {
        format!(
            "istioctl tag set {label} --revision {new} --istioNamespace {} --overwrite, then: {restart}",
            mesh.istio_namespace()
        )
    } else if label.is_empty() {
        format!("kubectl label namespace {name} {INJECTION}- {REVISION}={new}, then: {restart}")
    } else {
        format!("kubectl label namespace {name} {REVISION}={new} --overwrite, then: {restart}")
    };
    let message = Message::new(&UPG0002, namespace, text).severity(canary.severity());
    message.at(Path::metadata().key("labels").key(REVISION)).remedy(remedy)
}
