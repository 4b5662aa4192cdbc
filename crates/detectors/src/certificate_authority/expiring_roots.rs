//! Finds root certificates of the mesh that have expired or will soon.

use jiff::SignedDuration;

use super::roots::{self, Root};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

const ROTATION: &str = "https://learn.microsoft.com/azure/aks/istio-plugin-ca#root-certificate-authority-rotation";

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "ca/cert-expiring", reads: &[Kind::ConfigMap], reports: &[&CRT0005], by_default: true, run },
};

static CRT0005: Code = Code {
    id: "CRT0005",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-plugin-ca#certificate-authority-rotation",
    page: include_str!("pages/CRT0005.md"),
};

/// A root is changed in steps that take weeks.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some((map, roots)) = roots::published(mesh) else { return };
    let now = mesh.taken_at();
    // While a root is replaced both are published: the last of them decides.
    let Some(last) = roots.iter().max_by_key(|root| root.not_after) else { return };
    if last.not_after <= now {
        messages.report(root_has_expired(map, last));
    } else if last.not_after.duration_since(now) < SOON {
        messages.report(root_expires_soon(map, last));
    }
}

fn root_has_expired<'m>(map: &'m Object, root: &Root) -> Message<'m> {
    let text = format!(
        "The root certificate of the mesh ({}) expired on {}: no proxy accepts another's certificate, and none gets a \
         new one.",
        root.subject,
        root.not_after.strftime("%F")
    );
    let remedy = format!("Replace the root now, restart istiod, then every workload: {ROTATION}");
    Message::new(&CRT0005, map, text).at(Path::data("root-cert.pem")).remedy(remedy)
}

fn root_expires_soon<'m>(map: &'m Object, root: &Root) -> Message<'m> {
    let text = format!(
        "The root certificate of the mesh ({}) expires on {}: all mutual TLS fails from then on.",
        root.subject,
        root.not_after.strftime("%F")
    );
    let remedy =
        format!("Publish a new root beside the old one, restart all workloads, then drop the old one: {ROTATION}");
    let message = Message::new(&CRT0005, map, text).at(Path::data("root-cert.pem")).remedy(remedy);
    Message { severity: Severity::Warning, ..message }
}
