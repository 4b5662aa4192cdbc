//! Finds pods that rely on the CNI plug-in in clusters without it.

use super::redirection;
use crate::wording::restart;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "cni/validation-without-cni",
        reads: &[Kind::Pod, Kind::DaemonSet, Kind::Deployment, Kind::StatefulSet, Kind::Job],
        reports: &[&CNI0002],
        by_default: true,
        run,
    },
};

static CNI0002: Code = Code {
    id: "CNI0002",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-cni",
    page: include_str!("pages/CNI0002.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    if mesh.cni_agents().next().is_some() {
        return;
    }
    for workload in redirection::workloads_with(mesh, redirection::BY_PLUGIN) {
        messages.report(nobody_redirects(mesh, workload));
    }
}

fn nobody_redirects<'m>(mesh: &Mesh, workload: &'m Object) -> Message<'m> {
    let text = "Its pods have istio-validation, which waits for the redirection by the CNI plug-in, but the plug-in's \
                DaemonSet is not there: when they are started anew, on another node or after a reboot, they do not get \
                past it.";
    let switch = if mesh.is_aks() {
        "az aks mesh proxy-redirection-mechanism --resource-group <group> --name <cluster> --mechanism CNIChaining"
    } else {
        "install Istio's CNI node agent again"
    };
    let remedy = format!(
        "Restart the workload, so that it gets istio-init ({}); or bring the plug-in back: {switch}",
        restart(workload)
    );
    Message::new(&CNI0002, workload, text).remedy(remedy)
}
