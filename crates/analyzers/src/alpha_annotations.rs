//! Finds annotations that Istio may still change. Only asked for before an upgrade.

use super::annotation_table::{find, is_exempt, is_istios};
use super::{Analyzer, Message, Messages, quoted};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "annotations.AlphaAnalyzer",
    reads: &[Kind::Namespace, Kind::Service, Kind::Pod, Kind::Deployment],
    reports: &[&IST0136],
    by_default: false,
    run,
};

static IST0136: Code = Code {
    id: "IST0136",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0136/",
    page: include_str!("pages/IST0136.md"),
};

/// What the injector sets by itself on pods whose traffic is captured by the CNI plugin.
const SET_WITHOUT_INIT: [&str; 4] = [
    "sidecar.istio.io/interceptionMode",
    "traffic.sidecar.istio.io/includeInboundPorts",
    "traffic.sidecar.istio.io/excludeInboundPorts",
    "traffic.sidecar.istio.io/includeOutboundIPRanges",
];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for kind in ANALYZER.reads {
        for object in mesh.each(*kind) {
            let set_by_injector: &[&str] = if uses_cni(object) { &SET_WITHOUT_INIT } else { &[] };
            for (name, _) in object.annotations().entries() {
                let is_alpha = is_istios(name) && !is_exempt(name) && find(name).is_some_and(|known| known.is_alpha);
                if is_alpha && !set_by_injector.contains(&name) {
                    messages.report(is_alpha_feature(object, name));
                }
            }
        }
    }
}

fn uses_cni(object: &Object) -> bool {
    let mut init_containers = object.spec().get("initContainers").items();
    object.kind() == Kind::Pod && !init_containers.any(|container| container.get("name").text() == "istio-init")
}

fn is_alpha_feature<'m>(object: &'m Object, name: &str) -> Message<'m> {
    let name = quoted(name);
    let text = format!("Annotation {name} is part of an alpha-phase feature and may be incompletely supported.");
    Message::new(&IST0136, object, text)
}
