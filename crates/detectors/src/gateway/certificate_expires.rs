//! Finds certificates of gateways that have expired, are not valid yet, or soon expire.

use jiff::Timestamp;

use super::presented::{READS, by_secret};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Certificate, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "gw/cert-expired", reads: READS, reports: &[&GWY0008], by_default: true, run },
};

static GWY0008: Code = Code {
    id: "GWY0008",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-secure-gateway",
    page: include_str!("pages/GWY0008.md"),
};

/// How long before its end a certificate is worth a warning. Issuers that renew by themselves do it earlier.
const SOON_S: i64 = 14 * 24 * 60 * 60;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let now = mesh.taken_at();
    for (secret, gateways) in by_secret(mesh) {
        // A chain is as good as the first of its certificates to end.
        let chain = Certificate::all_in(secret);
        let Some(first) = chain.iter().min_by_key(|certificate| certificate.not_after) else { continue };
        if let Some(waiting) = chain.iter().find(|certificate| certificate.not_before > now) {
            messages.report(not_valid_yet(secret, waiting, &gateways));
        } else if first.not_after < now {
            messages.report(has_expired(secret, first, &gateways));
        } else if first.not_after.as_second() - now.as_second() < SOON_S {
            messages.report(soon_expires(secret, first, &gateways));
        }
    }
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

fn has_expired<'m>(secret: &'m Object, first: &Certificate, gateways: &str) -> Message<'m> {
    let expired = day(first.not_after);
    let text = format!("The certificate {} expired on {expired}: clients of {gateways} refuse it.", first.subject);
    Message::new(&GWY0008, secret, text).remedy(renewal(secret))
}

fn not_valid_yet<'m>(secret: &'m Object, waiting: &Certificate, gateways: &str) -> Message<'m> {
    let text = format!(
        "The certificate {} is not valid before {}: clients of {gateways} refuse it.",
        waiting.subject, waiting.not_before,
    );
    Message::new(&GWY0008, secret, text).remedy(renewal(secret))
}

fn soon_expires<'m>(secret: &'m Object, first: &Certificate, gateways: &str) -> Message<'m> {
    let text = format!("The certificate {} of {gateways} expires on {}.", first.subject, day(first.not_after));
    let mut message = Message::new(&GWY0008, secret, text).remedy(renewal(secret));
    message.severity = Severity::Warning;
    message
}

/// Who renews it, as far as the Secret says.
fn renewal(secret: &Object) -> String {
    let (namespace, name) = (secret.namespace(), secret.name());
    if let Some(certificate) = secret.annotation("cert-manager.io/certificate-name") {
        return format!(
            "cert-manager renews it: see why it does not, `kubectl describe certificate {certificate} -n {namespace}`."
        );
    }
    if secret.label("secrets-store.csi.k8s.io/managed") == Some("true") {
        return format!(
            "Renew it in the key vault. The Secrets Store CSI driver copies it to Secret {namespace}/{name} if its \
             rotation is on and a pod mounts it."
        );
    }
    format!(
        "Renew it and replace the Secret: `kubectl create secret tls {name} -n {namespace} --cert=tls.crt \
         --key=tls.key --dry-run=client -o yaml | kubectl apply -f -`. Gateways take it without a restart."
    )
}
