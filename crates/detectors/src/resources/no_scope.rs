//! Finds meshes in which every proxy knows every service.

use std::collections::BTreeSet;

use super::visible::{MANY, READS, services};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "res/no-sidecar-scope",
        reads: &[Kind::Sidecar, Kind::Pod, READS[0], READS[1], READS[2], Kind::ConfigMap],
        reports: &[&RES0003],
        by_default: true,
        run,
    },
};

static RES0003: Code = Code {
    id: "RES0003",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/configuration/mesh/configuration-scoping/",
    page: include_str!("pages/RES0003.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let populated: BTreeSet<&str> = mesh.proxied_workloads().into_iter().map(Object::namespace).collect();
    let is_scoped = mesh
        .each(Kind::Sidecar)
        .any(|sidecar| populated.contains(sidecar.namespace()) || mesh.is_root_namespace(sidecar.namespace()));
    if is_scoped || populated.is_empty() {
        return;
    }
    let services = services(mesh);
    if services > MANY {
        messages.report(everybody_knows_everything(mesh, services));
    }
}

fn everybody_knows_everything(mesh: &Mesh, services: usize) -> Message<'_> {
    let text = format!(
        "There is no Sidecar resource: every proxy gets the configuration of {services} services, and each change of any of them."
    );
    let root = &mesh.config().root_namespace;
    let remedy = format!(
        "Apply {{apiVersion: networking.istio.io/v1, kind: Sidecar, metadata: {{name: default, namespace: {root}}}, spec: \
         {{egress: [{{hosts: [\"./*\", \"{root}/*\"]}}]}}}}, after namespaces whose workloads call other namespaces have a Sidecar \
         of their own that lists these: it cuts off what it does not list."
    );
    match mesh.namespace(root) {
        Some(namespace) => Message::new(&RES0003, namespace, text).remedy(remedy),
        None => Message::without_object(&RES0003, text).remedy(remedy),
    }
}
