//! Finds meshes with an authority of their own making beside a plug-in one.

use super::roots;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "ca/kv-ca-self-to-plugin",
        reads: &[Kind::Secret, Kind::Deployment, Kind::SecretProviderClass],
        reports: &[&CRT0008],
        by_default: true,
        run,
    },
};

static CRT0008: Code = Code {
    id: "CRT0008",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-plugin-ca",
    page: include_str!("pages/CRT0008.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if let (Some(secret), Some((_, class))) = (roots::self_made(mesh), roots::classes(mesh).next()) {
        messages.report(authority_was_changed(secret, class));
    }
}

fn authority_was_changed<'m>(secret: &'m Object, class: &Object) -> Message<'m> {
    let text = format!(
        "Secret {} holds an authority that istiod once made itself, and {} brings another. A mesh cannot be moved from \
         the one to the other in place.",
        secret.full_name(),
        class.origin()
    );
    let remedy = format!(
        "If the mesh was disabled in between, the Secret is a leftover: kubectl delete secret {} -n {}. Else disable \
         the mesh, delete it, and enable the mesh with the plug-in authority.",
        secret.name(),
        secret.namespace()
    );
    Message::new(&CRT0008, secret, text).remedy(remedy)
}
