//! Finds revisions without a shared `ConfigMap` beside others that have one.

use super::maps;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{ControlPlane, Kind, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/shared-missing-for-revision",
        reads: &[Kind::ConfigMap, Kind::Deployment],
        reports: &[&CFG0003],
        by_default: true,
        run,
    },
};

static CFG0003: Code = Code {
    id: "CFG0003",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-meshconfig#mesh-configuration-and-upgrades",
    page: include_str!("pages/CFG0003.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if !mesh.is_aks() {
        return;
    }
    let control_planes = mesh.control_planes();
    // The nearest revision is the one to copy from, and the newest is the likeliest to be right.
    let Some(has) = control_planes.iter().rev().find(|it| maps::shared(mesh, it).is_some()) else { return };
    for lacks in control_planes.iter().filter(|it| maps::shared(mesh, it).is_none()) {
        messages.report(settings_are_lost(lacks, has));
    }
}

fn settings_are_lost<'m>(lacks: &ControlPlane<'m>, has: &ControlPlane<'m>) -> Message<'m> {
    let (from, to) = (maps::shared_name(has), maps::shared_name(lacks));
    let namespace = lacks.deployment.namespace();
    let text = format!(
        "Revision {} has no ConfigMap {to}, while revision {} has {from}: workloads of {} run on the add-on's \
         defaults.",
        lacks.revision, has.revision, lacks.revision,
    );
    let remedy = format!(
        "kubectl get configmap {from} -n {namespace} -o jsonpath='{{.data.mesh}}' > mesh.yaml && kubectl create \
         configmap {to} -n {namespace} --from-file=mesh=mesh.yaml"
    );
    Message::new(&CFG0003, lacks.deployment, text).remedy(remedy)
}
