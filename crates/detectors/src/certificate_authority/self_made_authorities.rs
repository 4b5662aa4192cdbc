//! Tells that the mesh uses an authority that istiod made itself.

use super::roots::{self, Root};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "ca/self-signed",
        reads: &[Kind::ConfigMap, Kind::Secret, Kind::Deployment, Kind::SecretProviderClass],
        reports: &[&CRT0004],
        by_default: true,
        run,
    },
};

static CRT0004: Code = Code {
    id: "CRT0004",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-plugin-ca",
    page: include_str!("pages/CRT0004.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(secret) = roots::self_made(mesh).filter(|_| roots::plugged_in(mesh).is_none()) else { return };
    let roots = roots::published(mesh).map(|(_, roots)| roots).unwrap_or_default();
    messages.report(authority_is_self_made(mesh, secret, &roots));
}

fn authority_is_self_made<'m>(mesh: &Mesh, secret: &'m Object, roots: &[Root]) -> Message<'m> {
    let until = roots.iter().map(|root| root.not_after).min();
    let until = until.map(|time| format!(" Its root is valid until {}.", time.strftime("%F"))).unwrap_or_default();
    let text = format!(
        "The mesh uses a certificate authority that istiod made itself; its key is kept in Secret {}.{until}",
        secret.full_name()
    );
    let remedy = if mesh.is_aks() {
        "Nothing has to be done. For production bring your own from a Key Vault; that takes disabling and enabling \
         the mesh."
    } else {
        "Nothing has to be done. For production bring your own in the Secret cacerts."
    };
    Message::new(&CRT0004, secret, text).remedy(remedy)
}
