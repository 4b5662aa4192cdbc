//! Whether the installed revisions of the AKS add-on are supported, and fit the cluster's version of Kubernetes. What the
//! reference data do not know is not judged.

use jiff::Timestamp;

use crate::injection::numbers;
use detectors::reference::ADD_ON;
use report::{Code, Finding, Severity, Subject};

const POLICY: &str = "https://learn.microsoft.com/azure/aks/istio-support-policy";

/// Codes about support.
pub(crate) static CODES: &[&Code] = &[&END_OF_LIFE, &KUBERNETES_DOES_NOT_FIT];

static END_OF_LIFE: Code =
    Code { id: "AKS0030", severity: Severity::Info, docs: POLICY, page: include_str!("../pages/AKS0030.md") };
static KUBERNETES_DOES_NOT_FIT: Code =
    Code { id: "AKS0031", severity: Severity::Error, docs: POLICY, page: include_str!("../pages/AKS0031.md") };

/// What the table says of an installed revision.
pub(super) fn findings(revision: &str, kubernetes: Option<&str>, now: Timestamp) -> Vec<Finding> {
    let Some(known) = ADD_ON.revision(revision) else { return Vec::new() };
    let date = &ADD_ON.date;
    let subject = || Subject::cluster_wide("Revision", revision);
    let mut findings = Vec::new();
    if known.has_ended(now) {
        let message = format!("its support ended with {}, by the table of {date}", known.end_of_life);
        findings.push(
            Finding::new(&END_OF_LIFE, subject(), message)
                .remedy("az aks mesh get-upgrades --resource-group <group> --name <cluster>"),
        );
    }
    let running = kubernetes.map(numbers);
    if let Some([major, minor, ..]) = running.as_deref() {
        let running = format!("{major}.{minor}");
        if !known.fits(&running) {
            let (oldest, newest) = known.span();
            let message = format!(
                "Kubernetes {running} does not fit: the revision supports {oldest} to {newest}, by the table of {date}"
            );
            findings.push(
                Finding::new(&KUBERNETES_DOES_NOT_FIT, subject(), message)
                    .remedy("Move to a revision that lists the cluster's version, or upgrade the cluster."),
            );
        }
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
