//! Whether the installed revisions of the AKS add-on are supported, and fit the cluster's version of Kubernetes. What the
//! reference data do not know is not judged.

use jiff::Timestamp;

use crate::injection::numbers;
use detectors::reference::{ADD_ON, Support};
use report::{Code, Finding, Severity, Subject};

const POLICY: &str = "https://learn.microsoft.com/azure/aks/istio-support-policy";

/// Codes about support.
pub(crate) static CODES: &[&Code] = &[&END_OF_LIFE, &KUBERNETES_DOES_NOT_FIT, &NOT_KNOWN];

static END_OF_LIFE: Code =
    Code { id: "AKS0030", severity: Severity::Warning, docs: POLICY, page: include_str!("../pages/AKS0030.md") };
static KUBERNETES_DOES_NOT_FIT: Code =
    Code { id: "AKS0031", severity: Severity::Error, docs: POLICY, page: include_str!("../pages/AKS0031.md") };

static NOT_KNOWN: Code =
    Code { id: "AKS0032", severity: Severity::Info, docs: POLICY, page: include_str!("../pages/AKS0032.md") };
const ASK: &str = "Ask for the state of today: az aks mesh get-revisions --location <location> --output table, and for this \
                   cluster: az aks mesh get-upgrades --resource-group <group> --name <cluster>";

/// What the table says of an installed revision.
pub(super) fn findings(revision: &str, kubernetes: Option<&str>, now: Timestamp) -> Vec<Finding> {
    let date = &ADD_ON.date;
    let Some(known) = ADD_ON.revision(revision) else { return unlisted(revision) };
    let subject = || Subject::cluster_wide("Revision", revision);
    let mut findings = Vec::new();
    let month = &known.end_of_life;
    let told = match ADD_ON.support(revision, now) {
        Some(Support::Ended) => Some((&END_OF_LIFE, format!("its support ended with {month}, by the table of {date}"))),
        Some(Support::ExpectedToHaveEnded) => {
            Some((&END_OF_LIFE, format!("its support was expected to end with {month}, by the table of {date}")))
        }
        Some(Support::Unknown) => Some((
            &NOT_KNOWN,
            format!("whether it is still supported is not known: {month} was expected by the table of {date}"),
        )),
        Some(Support::Supported) | None => None,
    };
    findings.extend(told.map(|(code, message)| Finding::new(code, subject(), message).remedy(ASK)));
    let running = kubernetes.map(numbers);
    if let Some([major, minor, ..]) = running.as_deref() {
        let running = format!("{major}.{minor}");
        if ADD_ON.newest_kubernetes().is_some_and(|newest| numbers(newest) < numbers(&running)) {
            let message =
                format!("whether it fits Kubernetes {running} is not known: the table of {date} has no such version");
            findings.push(Finding::new(&NOT_KNOWN, subject(), message).remedy(ASK));
        } else if !known.fits(&running) {
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

/// A revision of the add-on that is newer than the table; names of others are not judged.
fn unlisted(revision: &str) -> Vec<Finding> {
    if detectors::reference::is_newer(revision) {
        let message = format!("the table of {} does not know this revision yet", ADD_ON.date);
        return vec![Finding::new(&NOT_KNOWN, Subject::cluster_wide("Revision", revision), message).remedy(ASK)];
    }
    Vec::new()
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
        assert_eq!(codes("asm-1-29", "v1.30.0", "2026-09-01"), ["AKS0031"]);
        assert!(codes("asm-1-30", "v1.36.3", "2026-09-01").is_empty());
    }

    #[test]
    fn what_the_table_does_not_know_is_not_judged() {
        for (revision, kubernetes, day) in [
            ("asm-1-99", "v1.36.1", "2030-01-01"),
            ("asm-1-29", "v1.36.1", "2026-12-01"),
            ("asm-1-30", "v1.37.0", "2026-09-01"),
        ] {
            assert_eq!(codes(revision, kubernetes, day), ["AKS0032"], "{revision}");
        }
        assert_eq!(codes("asm-1-28", "v1.35.1", "2026-12-01"), ["AKS0030"]);
        for revision in ["default", "1-29", "asm-1-29-canary-2", ""] {
            assert!(codes(revision, "v1.10.0", "2030-01-01").is_empty(), "{revision}");
        }
        assert!(codes("asm-1-30", "none", "2026-09-01").is_empty());
    }
}
