//! Finds meshes in which nothing limits who sees a service.

use super::visible::{MANY, READS, services};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "res/exportto-none",
        reads: &[Kind::VirtualService, Kind::DestinationRule, READS[0], READS[1], READS[2], Kind::ConfigMap],
        reports: &[&RES0005],
        by_default: true,
        run,
    },
};

static RES0005: Code = Code {
    id: "RES0005",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/ops/configuration/mesh/configuration-scoping/#exportto",
    page: include_str!("pages/RES0005.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let fields = ["defaultServiceExportTo", "defaultVirtualServiceExportTo", "defaultDestinationRuleExportTo"];
    let is_limited = fields.into_iter().any(|field| !mesh.config().setting(&[field]).value.is_empty());
    if is_limited
        || mesh.each(Kind::Service).any(|service| service.annotation("networking.istio.io/exportTo").is_some())
    {
        return;
    }
    let has_field = |object: &Object| !object.spec().field("exportTo").is_empty();
    let kinds = [Kind::ServiceEntry, Kind::VirtualService, Kind::DestinationRule];
    if kinds.into_iter().flat_map(|kind| mesh.each(kind)).any(has_field) {
        return;
    }
    let services = services(mesh);
    if services > MANY {
        messages.report(everything_is_public(mesh, services));
    }
}

fn everything_is_public(mesh: &Mesh, services: usize) -> Message<'_> {
    let text = format!("Nothing has an exportTo: all {services} services are visible to every namespace.");
    let remedy = "Set exportTo: [\".\"] on ServiceEntries, VirtualServices and DestinationRules, and the annotation \
                  networking.istio.io/exportTo: \".\" on Services, that only their own namespace needs.";
    match mesh.namespace(&mesh.config().root_namespace) {
        Some(namespace) => Message::new(&RES0005, namespace, text).remedy(remedy),
        None => Message::without_object(&RES0005, text).remedy(remedy),
    }
}
