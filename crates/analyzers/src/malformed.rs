//! Documents that could not be read at all: no rule sees them, so that they are a finding themselves.

use mesh::Malformed;
use report::{Code, Finding, Severity, Subject};

pub static K8S0100: Code = Code {
    id: "K8S0100",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/overview/working-with-objects/",
    page: include_str!("pages/K8S0100.md"),
};

pub(super) fn could_not_be_read(malformed: &Malformed) -> Finding {
    let Malformed { from, line, why } = malformed;
    let place = line.map(|line| format!(":{line}")).unwrap_or_default();
    let subject = Subject { file: Some(format!("{from}{place}")), ..Subject::cluster_wide("Document", from.as_str()) };
    Finding::new(&K8S0100, subject, format!("could not be read: {why}")).discriminator(why.as_str())
}
