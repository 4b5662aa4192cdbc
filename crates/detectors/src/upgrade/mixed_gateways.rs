//! Finds Services that spread traffic over gateways of several revisions.

use std::collections::{BTreeMap, BTreeSet};

use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, Proxy, is_gateway};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "upg/gateway-two-revisions",
        reads: &[Kind::Pod, Kind::Service],
        reports: &[&UPG0004],
        by_default: true,
        run,
    },
};

static UPG0004: Code = Code {
    id: "UPG0004",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-upgrade#minor-revision-upgrades-with-ingress-and-egress-gateways",
    page: include_str!("pages/UPG0004.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut services: BTreeMap<(&str, &str), (&Object, BTreeSet<&str>)> = BTreeMap::new();
    for pod in mesh.proxied_workloads().into_iter().filter(|pod| is_gateway(pod)) {
        let Some(revision) = Proxy::of(pod).and_then(|proxy| proxy.revision()) else { continue };
        for service in mesh.services_selecting(pod.namespace(), pod.labels()) {
            let key = (service.namespace(), service.name());
            services.entry(key).or_insert((service, BTreeSet::new())).1.insert(revision);
        }
    }
    for (service, revisions) in services.into_values() {
        if revisions.len() > 1 {
            messages.report(traffic_is_spread(service, &revisions.into_iter().collect::<Vec<_>>()));
        }
    }
}

fn traffic_is_spread<'m>(service: &'m Object, revisions: &[&str]) -> Message<'m> {
    let text = format!("Gateways of the revisions {} take its traffic side by side.", names(revisions));
    let remedy = "Nothing, during an upgrade. Compare the error rates of the pods by revision, then finish the upgrade or roll it \
                  back.";
    Message::new(&UPG0004, service, text).at(Path::spec().key("selector")).remedy(remedy)
}
