//! The identity of a finding over time.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::Finding;

/// `v1:` and 32 hexadecimal digits over code, cluster, subject and discriminator. A pod counts as its workload, so
/// that a restart does not make a new problem; times, counters and field positions do not enter.
pub fn fingerprint(cluster_id: &str, finding: &Finding) -> String {
    let subject = &finding.subject;
    let (kind, name) = match &subject.owner {
        Some(owner) => (&owner.kind, &owner.name),
        None => (&subject.kind, &subject.name),
    };
    let mut hash = Sha256::new();
    for part in [
        finding.code.as_ref(),
        cluster_id,
        kind,
        subject.namespace.as_deref().unwrap_or_default(),
        name,
        subject.container.as_deref().unwrap_or_default(),
        &finding.discriminator,
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut text = String::from("v1:");
    for byte in &hash.finalize()[..16] {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Severity, Subject};

    static CODE: Code = Code { id: "K8S9999", severity: Severity::Error, docs: "", page: "" };

    fn finding(pod: &str) -> Finding {
        Finding::new(&CODE, Subject::namespaced("Pod", "shop", pod).owned_by("Deployment", "cart"), "does not start")
    }

    #[test]
    fn restarted_pod_keeps_its_fingerprint() {
        assert_eq!(fingerprint("c", &finding("cart-1")), fingerprint("c", &finding("cart-2")));
    }

    #[test]
    fn other_cluster_or_discriminator_is_another_problem() {
        let one = fingerprint("c", &finding("cart-1"));
        assert_ne!(one, fingerprint("d", &finding("cart-1")));
        assert_ne!(one, fingerprint("c", &finding("cart-1").discriminator("port 80")));
    }
}
