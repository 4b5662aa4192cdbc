//! Finds certificates of gateways that come without those of their issuers.

use super::presented::{READS, by_secret};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Certificate, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer { name: "gw/cert-chain", reads: READS, reports: &[&GWY0010], by_default: true, run },
};

static GWY0010: Code = Code {
    id: "GWY0010",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-secure-gateway",
    page: include_str!("pages/GWY0010.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (secret, gateways) in by_secret(mesh) {
        let chain = Certificate::all_in(secret);
        let Some((own, others)) = chain.split_first() else { continue };
        let issuer_follows = others.iter().any(|other| other.subject == own.issuer);
        // What a root signed itself needs nothing between.
        let is_signed_by_root = Certificate::authorities_in(secret)
            .iter()
            .any(|authority| authority.subject == own.issuer && authority.is_self_signed());
        if !own.is_self_signed() && !issuer_follows && !is_signed_by_root {
            messages.report(issuer_is_missing(secret, own, &gateways));
        }
    }
}

fn issuer_is_missing<'m>(secret: &'m Object, own: &Certificate, gateways: &str) -> Message<'m> {
    let text = format!(
        "The certificate {} of {gateways} comes without that of its issuer {}: clients that do not have it refuse it.",
        own.subject, own.issuer,
    );
    let remedy = format!(
        "Append the intermediate certificates to tls.crt of Secret {}, the server's own first. Nothing is missing if \
         {} is a root that the clients trust.",
        secret.full_name(),
        own.issuer,
    );
    Message::new(&GWY0010, secret, text).remedy(remedy)
}
