//! Finds Gateways that are bound to a revision which is gone, or which goes with the upgrade that is under way.

use std::collections::BTreeSet;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, REVISION, add_on_version};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "k8sgw/revision-pin",
        reads: &[Kind::KubernetesGateway, Kind::GatewayClass, Kind::Deployment],
        reports: &[&GWA0012],
        by_default: true,
        run,
    },
};

static GWA0012: Code = Code {
    id: "GWA0012",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-gateway-api",
    page: include_str!("pages/GWA0012.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let revisions: BTreeSet<&str> = mesh.istiods().map(|found| found.revision).collect();
    let tags = mesh.tags();
    let newest = mesh.newest_revision().filter(|_| mesh.is_aks() && revisions.len() > 1);
    // Nothing is known of a control plane that runs elsewhere.
    if revisions.is_empty() {
        return;
    }
    for gateway in mesh.each(Kind::KubernetesGateway).filter(|gateway| mesh.is_istio_gateway(gateway)) {
        let Some(label) = gateway.label(REVISION).filter(|label| !label.is_empty()) else { continue };
        let revision = tags.get(label).copied().unwrap_or(label);
        if !revisions.contains(revision) {
            messages.report(revision_is_gone(mesh, gateway, label, &revisions));
        } else if let Some(newest) = newest
            && add_on_version(revision) < add_on_version(newest)
        {
            messages.report(revision_goes(gateway, label, newest));
        }
    }
}

fn relabel(gateway: &Object, revision: &str) -> String {
    format!(
        "kubectl label gateways.gateway.networking.k8s.io {} -n {} {REVISION}={revision} --overwrite",
        gateway.name(),
        gateway.namespace(),
    )
}

fn revision_is_gone<'m>(mesh: &Mesh, gateway: &'m Object, label: &str, revisions: &BTreeSet<&str>) -> Message<'m> {
    let known: Vec<&str> = revisions.iter().copied().collect();
    let text = format!(
        "The label {REVISION}={label} names no revision that runs here ({}): no control plane acts on the Gateway.",
        known.join(", "),
    );
    let remedy = format!("Name one that runs: `{}`.", relabel(gateway, mesh.newest_revision().unwrap_or("<revision>")));
    let path = Path::metadata().key("labels").key(REVISION);
    Message::new(&GWA0012, gateway, text).at(path).remedy(remedy)
}

fn revision_goes<'m>(gateway: &'m Object, label: &str, newest: &str) -> Message<'m> {
    let text = format!(
        "The label {REVISION}={label} binds the Gateway to the older of two revisions: when the upgrade is completed, \
         no control plane acts on it any more."
    );
    let remedy = format!("Before completing the upgrade: `{}`.", relabel(gateway, newest));
    let path = Path::metadata().key("labels").key(REVISION);
    let mut message = Message::new(&GWA0012, gateway, text).at(path).remedy(remedy);
    message.severity = Severity::Warning;
    message
}
