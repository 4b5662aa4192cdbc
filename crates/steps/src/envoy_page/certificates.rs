//! What the page `certs` says about certificates, as findings.

use jiff::{Span, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::super::target::{self, PROXY};
use report::{Code, Evidence, Finding, Severity};

pub(crate) static ENV0006: Code = Code {
    id: "ENV0006",
    severity: Severity::Error,
    docs: "https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--certs",
    page: include_str!("../pages/ENV0006.md"),
};

/// Workload certificates live for a day and are renewed at half of that; a few hours before the end, renewal has failed
/// (<https://istio.io/latest/docs/concepts/security/#pki>).
const SOON_HOURS: i64 = 6;

pub(super) fn findings(page: Option<&Value>, pod: &Pod, now: Timestamp) -> Vec<Finding> {
    let certificates = page.and_then(|page| page["certificates"].as_array()).into_iter().flatten();
    let mut findings = Vec::new();
    for entry in certificates {
        for part in ["cert_chain", "ca_cert"] {
            let all = entry[part].as_array().map(Vec::as_slice).unwrap_or_default();
            let expiring: Vec<_> = all.iter().filter_map(|certificate| expiring(certificate, part, pod, now)).collect();
            // An old root beside one that is valid does no harm. The bundle of an operating system always holds some.
            if part == "cert_chain" || expiring.len() == all.len() {
                findings.extend(expiring);
            }
        }
    }
    findings
}

fn expiring(certificate: &Value, part: &str, pod: &Pod, now: Timestamp) -> Option<Finding> {
    let end_text = certificate["expiration_time"].as_str()?;
    let end: Timestamp = end_text.parse().ok()?;
    let soon = now.saturating_add(Span::new().hours(SOON_HOURS)).ok()?;
    let what = if part == "ca_cert" { "root certificate" } else { "certificate" };
    let sans = certificate["subject_alt_names"].as_array().into_iter().flatten();
    let name = sans.into_iter().find_map(|san| san["uri"].as_str().or(san["dns"].as_str())).unwrap_or("without a name");
    let (severity, message) = if end <= now {
        (Severity::Error, format!("{what} {name} expired at {end_text}"))
    } else if end <= soon {
        (Severity::Warning, format!("{what} {name} expires at {end_text} and was not renewed"))
    } else {
        return None;
    };
    let serial = certificate["serial_number"].as_str().unwrap_or_default();
    Some(
        Finding::new(&ENV0006, target::subject(pod).container(PROXY), message)
            .severity(severity)
            .discriminator(format!("{part} {name}"))
            .evidence(Evidence::new("/certs", format!("serial {serial}, valid until {end_text}")))
            .remedy(
                "For a workload certificate, see whether the proxy reaches istiod (istiod's log, the proxy's log: CSR \
                 errors). For a gateway's certificate, renew the Secret that it names.",
            ),
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    const GOOD: &str = "2030-01-01T00:00:00Z";
    const OLD: &str = "2020-01-01T00:00:00Z";

    fn messages(chain: &[&str], roots: &[&str]) -> Vec<String> {
        let certificates =
            |ends: &[&str]| -> Vec<Value> { ends.iter().map(|end| json!({"expiration_time": end})).collect() };
        let page = json!({"certificates": [{"cert_chain": certificates(chain), "ca_cert": certificates(roots)}]});
        let pod = serde_json::from_value(json!({"metadata": {"name": "cart-1", "namespace": "shop"}})).unwrap();
        let found = findings(Some(&page), &pod, "2026-01-01T00:00:00Z".parse().unwrap());
        found.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn what_has_expired_is_named() {
        assert_eq!(messages(&[OLD], &[GOOD]), [format!("certificate without a name expired at {OLD}")]);
        assert_eq!(messages(&[GOOD], &[OLD]), [format!("root certificate without a name expired at {OLD}")]);
        assert_eq!(messages(&[GOOD], &[GOOD]), [""; 0]);
    }

    #[test]
    fn an_old_root_beside_a_good_one_does_no_harm() {
        assert_eq!(messages(&[GOOD], &[OLD, GOOD, OLD]), [""; 0]);
        assert_eq!(messages(&[], &[OLD, OLD]).len(), 2);
    }
}
