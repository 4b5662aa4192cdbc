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
            for certificate in entry[part].as_array().into_iter().flatten() {
                findings.extend(expiring(certificate, part, pod, now));
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
