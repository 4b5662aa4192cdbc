//! Finds meshes of the add-on that nobody has configured.

use super::maps;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{ControlPlane, Kind, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/shared-absent",
        reads: &[Kind::ConfigMap, Kind::Deployment],
        reports: &[&CFG0001],
        by_default: true,
        run,
    },
};

static CFG0001: Code = Code {
    id: "CFG0001",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-meshconfig",
    page: include_str!("pages/CFG0001.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let control_planes = mesh.control_planes();
    let has_any =
        mesh.in_namespace(Kind::ConfigMap, mesh.istio_namespace()).any(|map| map.name().starts_with(maps::SHARED));
    if let Some(newest) = control_planes.last().filter(|_| mesh.is_aks() && !has_any) {
        messages.report(mesh_has_defaults(newest));
    }
}

fn mesh_has_defaults<'m>(control_plane: &ControlPlane<'m>) -> Message<'m> {
    let name = maps::shared_name(control_plane);
    let text = format!(
        "There is no ConfigMap {name}: the mesh runs on the add-on's defaults, without access logs, and applications \
         do not wait for their sidecars."
    );
    let remedy = format!(
        "Create it when a setting is wanted: kubectl create configmap {name} -n {} --from-literal=mesh='accessLogFile: \
         /dev/stdout'",
        control_plane.deployment.namespace()
    );
    Message::new(&CFG0001, control_plane.deployment, text).remedy(remedy)
}
