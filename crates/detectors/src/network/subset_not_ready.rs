//! Finds subsets of which no pod is ready while others of the Service are.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View, is_ready, labels};
use report::{Code, Severity};

/// That a subset selects no pod at all is IST0173, and that no pod of the Service is ready K8S0024.
pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/subset-no-pods",
        reads: &[Kind::DestinationRule, Kind::Service, Kind::Pod],
        reports: &[&NET0003],
        by_default: true,
        run,
    },
};

static NET0003: Code = Code {
    id: "NET0003",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/networking/destination-rule/#Subset",
    page: include_str!("pages/NET0003.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for rule in mesh.each(Kind::DestinationRule) {
        let host = rule.spec().get("host").text();
        let Some(service) = mesh.service_of_host(rule.namespace(), host) else { continue };
        let pods = mesh.pods_of_service(service);
        if !pods.iter().any(|pod| is_ready(pod)) {
            continue;
        }
        for (subset, index) in rule.spec().get("subsets").items().zip(0..) {
            let selected: Vec<&Object> =
                pods.iter().copied().filter(|pod| labels::matches(subset.get("labels"), pod.labels())).collect();
            if !selected.is_empty() && !selected.iter().any(|pod| is_ready(pod)) {
                let path = Path::spec().key("subsets").index(index).key("name");
                messages.report(no_pod_is_ready(rule, service, subset, &selected).at(path));
            }
        }
    }
}

fn no_pod_is_ready<'m>(rule: &'m Object, service: &Object, subset: View<'_>, pods: &[&Object]) -> Message<'m> {
    let names: Vec<&str> = pods.iter().take(3).map(|pod| pod.name()).collect();
    let more = if pods.len() > 3 { ", …" } else { "" };
    let text = format!(
        "No pod of subset {} of {} is ready ({}{more}): requests to the subset fail with 503 UH.",
        subset.get("name").text(),
        service.full_name(),
        names.join(", ")
    );
    let selector = labels::selector_text(subset.get("labels"));
    let remedy = format!(
        "See why they are not ready: `kubectl describe pods -n {} -l {selector}`. Until then route to a subset that is.",
        service.namespace()
    );
    Message::new(&NET0003, rule, text).remedy(remedy)
}
