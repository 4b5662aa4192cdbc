//! Finds hosts that an egress gateway has no means to resolve.

use std::collections::BTreeSet;

use super::routes::{Hop, READS, Routes};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Mesh, Object, ServiceEntries};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "egress/se-resolution", reads: &READS, reports: &[&EGR0012], by_default: true, run },
};

static EGR0012: Code = Code {
    id: "EGR0012",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-deploy-egress",
    page: include_str!("pages/EGR0012.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let entries = ServiceEntries::new(mesh);
    let mut reported = BTreeSet::new();
    for out in Routes::new(mesh).ways_on() {
        for entry in entries.of_host(&out.host) {
            let has_none = matches!(entry.spec().get("resolution").text(), "" | "NONE");
            if has_none && reported.insert(entry.full_name()) {
                messages.report(host_is_not_resolved(entry, out));
            }
        }
    }
}

fn host_is_not_resolved<'m>(entry: &'m Object, out: &Hop<'_>) -> Message<'m> {
    let text = format!(
        "{} is reached through Gateway {} ({}), and the resolution of its entry is NONE. A sidecar keeps the address that the \
         client looked up; a gateway has no such address, so it has no endpoint (503 UH).",
        out.host,
        out.gateway.full_name(),
        out.service.origin()
    );
    let remedy = format!("Set resolution: DNS in ServiceEntry {}.", entry.full_name());
    Message::new(&EGR0012, entry, text).at(Path::spec().key("resolution")).remedy(remedy)
}
