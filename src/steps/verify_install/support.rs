//! Which revisions of the AKS add-on are supported, until when, and with which versions of Kubernetes. The table is that
//! of <https://learn.microsoft.com/azure/aks/istio-support-policy> of 2026-05-15; what it does not know is not judged.

use jiff::Timestamp;

use crate::{
    report::{Code, Finding, Severity, Subject},
    steps::injection::numbers,
};

const PAGE_DATE: &str = "2026-05-15";
const POLICY: &str = "https://learn.microsoft.com/azure/aks/istio-support-policy";

/// Codes about support.
pub(in crate::steps) static CODES: &[&Code] = &[&END_OF_LIFE, &KUBERNETES_DOES_NOT_FIT];

static END_OF_LIFE: Code =
    Code { id: "AKS0030", severity: Severity::Info, docs: POLICY, page: include_str!("../pages/AKS0030.md") };
static KUBERNETES_DOES_NOT_FIT: Code =
    Code { id: "AKS0031", severity: Severity::Error, docs: POLICY, page: include_str!("../pages/AKS0031.md") };

/// Minor version of Istio; the last month of support; the oldest and the newest minor version of Kubernetes, long-term
/// support included.
const REVISIONS: [(u64, &str, u64, u64); 14] = [
    (17, "2024-01", 23, 28),
    (18, "2024-02", 24, 28),
    (19, "2024-06", 25, 28),
    (20, "2024-09", 25, 29),
    (21, "2024-10", 26, 30),
    (22, "2025-03", 27, 30),
    (23, "2025-06", 27, 32),
    (24, "2025-09", 28, 33),
    (25, "2026-01", 28, 33),
    (26, "2026-04", 28, 34),
    (27, "2026-05", 29, 35),
    (28, "2026-08", 30, 35),
    (29, "2026-09", 31, 36),
    (30, "2026-12", 32, 36),
];

/// What the table says of an installed revision.
pub(super) fn findings(revision: &str, kubernetes: Option<&str>, now: Timestamp) -> Vec<Finding> {
    let minor = match numbers(revision).as_slice() {
        [1, minor] if revision.starts_with("asm-") => *minor,
        _ => return Vec::new(),
    };
    let Some((_, until, oldest, newest)) = REVISIONS.iter().find(|(known, ..)| *known == minor) else {
        return Vec::new();
    };
    let subject = || Subject::cluster_wide("Revision", revision);
    let mut findings = Vec::new();
    // Months compare as they are written.
    if now.to_string().get(..7).is_some_and(|month| month > *until) {
        let message = format!("its support ended with {until}, by the table of {PAGE_DATE}");
        findings.push(
            Finding::new(&END_OF_LIFE, subject(), message)
                .remedy("az aks mesh get-upgrades --resource-group <group> --name <cluster>"),
        );
    }
    let running = kubernetes.map(numbers);
    if let Some([1, running, ..]) = running.as_deref()
        && !(*oldest..=*newest).contains(running)
    {
        let message = format!(
            "Kubernetes 1.{running} does not fit: the revision supports 1.{oldest} to 1.{newest}, by the table of {PAGE_DATE}"
        );
        findings.push(
            Finding::new(&KUBERNETES_DOES_NOT_FIT, subject(), message)
                .remedy("Move to a revision that lists the cluster's version, or upgrade the cluster."),
        );
    }
    findings
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn codes(revision: &str, kubernetes: &str, day: &str) -> Vec<String> {
        let now = format!("{day}T00:00:00Z").parse().unwrap();
        findings(revision, Some(kubernetes), now).iter().map(|finding| finding.code.to_string()).collect()
    }

    #[test]
    fn support_ends_after_the_month() {
        assert!(codes("asm-1-29", "v1.33.2", "2026-09-30").is_empty());
        assert_eq!(codes("asm-1-29", "v1.33.2", "2026-10-01"), ["AKS0030"]);
    }

    #[test]
    fn versions_of_kubernetes_must_fit() {
        assert_eq!(codes("asm-1-30", "v1.31.9", "2026-09-01"), ["AKS0031"]);
        assert_eq!(codes("asm-1-30", "v1.37.0", "2026-09-01"), ["AKS0031"]);
        assert!(codes("asm-1-30", "v1.36.3", "2026-09-01").is_empty());
    }

    #[test]
    fn what_the_table_does_not_know_is_not_judged() {
        for revision in ["asm-1-99", "default", "1-29", "asm-1-29-canary-2", ""] {
            assert!(codes(revision, "v1.10.0", "2030-01-01").is_empty(), "{revision}");
        }
        assert!(codes("asm-1-30", "none", "2026-09-01").is_empty());
    }
}
