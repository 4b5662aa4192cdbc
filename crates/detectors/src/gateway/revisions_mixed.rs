//! Finds Services that lead to gateways of more than one revision.

use std::collections::BTreeSet;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, REVISION};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/old-revision-pods",
        reads: &[Kind::Service, Kind::Pod],
        reports: &[&GWY0021],
        by_default: true,
        run,
    },
};

static GWY0021: Code = Code {
    id: "GWY0021",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-upgrade",
    page: include_str!("pages/GWY0021.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for gateway in mesh.gateway_services() {
        let revisions: BTreeSet<&str> = gateway.pods.iter().filter_map(|pod| revision_of(pod)).collect();
        if revisions.len() > 1 {
            messages.report(several_revisions_serve(gateway.service, &revisions));
        }
    }
}

/// The revision that a proxy was injected by.
fn revision_of(pod: &Object) -> Option<&str> {
    pod.annotation(REVISION).or_else(|| pod.label(REVISION))
}

fn several_revisions_serve<'m>(service: &'m Object, revisions: &BTreeSet<&str>) -> Message<'m> {
    let revisions: Vec<&str> = revisions.iter().copied().collect();
    let text = format!("Gateways of several revisions serve behind it: {}.", revisions.join(", "));
    let remedy = "Complete the upgrade, or roll it back. The Service and its address stay the same.";
    Message::new(&GWY0021, service, text).remedy(remedy)
}
