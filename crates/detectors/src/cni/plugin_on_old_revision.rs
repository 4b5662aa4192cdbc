//! Finds revisions of the add-on that are too old for the CNI plug-in.

use crate::reference::ADD_ON;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{ControlPlane, Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "cni/revision",
        reads: &[Kind::Deployment, Kind::DaemonSet],
        reports: &[&CNI0004],
        by_default: true,
        run,
    },
};

static CNI0004: Code = Code {
    id: "CNI0004",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-cni",
    page: include_str!("pages/CNI0004.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(agent) = mesh.cni_agents().next().filter(|_| mesh.is_aks()) else { return };
    for control_plane in mesh.control_planes() {
        if !ADD_ON.cni.covers(control_plane.revision) {
            messages.report(revision_is_too_old(&control_plane, agent));
        }
    }
}

fn revision_is_too_old<'m>(control_plane: &ControlPlane<'m>, agent: &Object) -> Message<'m> {
    let text = format!(
        "{} is there, but revision {} does not know redirection by the CNI plug-in: the add-on has it from {} on (by \
         its pages of {}).",
        agent.origin(),
        control_plane.revision,
        ADD_ON.cni.revision,
        ADD_ON.date
    );
    let remedy = "Upgrade the revision first: az aks mesh get-upgrades --resource-group <group> --name <cluster>";
    Message::new(&CNI0004, control_plane.deployment, text).remedy(remedy)
}
