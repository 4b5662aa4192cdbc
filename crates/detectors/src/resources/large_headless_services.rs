//! Finds headless Services whose many pods each cost every proxy a listener.

use std::collections::BTreeMap;

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::protocol::{is_http, of_service_port};
use mesh::{Kind, Mesh, Object, exported_scopes};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "res/headless-many",
        reads: &[Kind::Service, Kind::EndpointSlice, Kind::Namespace, Kind::ConfigMap],
        reports: &[&RES0007],
        by_default: true,
        run,
    },
};

static RES0007: Code = Code {
    id: "RES0007",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/ops/configuration/mesh/configuration-scoping/",
    page: include_str!("pages/RES0007.md"),
};

/// From here on it is worth a word.
const MANY: usize = 50;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut endpoints: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for slice in mesh.each(Kind::EndpointSlice) {
        if let Some(service) = slice.label("kubernetes.io/service-name") {
            *endpoints.entry((slice.namespace(), service)).or_default() +=
                slice.root().get("endpoints").items().count();
        }
    }
    for service in mesh.each(Kind::Service).filter(|service| costs_listeners(mesh, service)) {
        let count = endpoints.get(&(service.namespace(), service.name())).copied().unwrap_or(0);
        if count > MANY {
            messages.report(each_pod_has_a_listener(service, count));
        }
    }
}

/// For a port that is not declared as HTTP, proxies need a listener for the address of each pod.
fn costs_listeners(mesh: &Mesh, service: &Object) -> bool {
    let is_http_port = |port| of_service_port(port).is_some_and(is_http);
    let is_discovered = || mesh.namespace(service.namespace()).is_none_or(|it| mesh.config().discovers(it));
    service.spec().field("clusterIP").text() == "None"
        && !service.spec().get("ports").items().all(is_http_port)
        && exported_scopes(service).contains(&"*")
        && is_discovered()
}

fn each_pod_has_a_listener(service: &Object, count: usize) -> Message<'_> {
    let text = format!(
        "It is headless with {count} endpoints and a port that is not HTTP: every proxy that sees it has a listener for each of \
         them, and gets all of them again when one changes."
    );
    let remedy = format!(
        "Let only those see it that call it: kubectl annotate service {} -n {} networking.istio.io/exportTo=. (or the namespaces of \
         its clients). Declare HTTP ports by name or appProtocol.",
        service.name(),
        service.namespace()
    );
    Message::new(&RES0007, service, text).at(Path::spec().key("clusterIP")).remedy(remedy)
}
