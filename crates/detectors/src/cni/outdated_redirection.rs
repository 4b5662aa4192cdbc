//! Finds pods that redirect traffic themselves although the CNI plug-in would.

use super::redirection;
use crate::wording::{restart_all, some_of};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "cni/still-istio-init",
        reads: &[Kind::Pod, Kind::DaemonSet, Kind::Deployment, Kind::StatefulSet, Kind::Job],
        reports: &[&CNI0001],
        by_default: true,
        run,
    },
};

static CNI0001: Code = Code {
    id: "CNI0001",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-cni",
    page: include_str!("pages/CNI0001.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(agent) = mesh.cni_agents().next() else { return };
    let workloads = redirection::workloads_with(mesh, redirection::BY_CONTAINER);
    if !workloads.is_empty() {
        messages.report(pods_are_older_than_the_plugin(agent, &workloads));
    }
}

fn pods_are_older_than_the_plugin<'m>(agent: &'m Object, workloads: &[&Object]) -> Message<'m> {
    let text = format!(
        "The CNI plug-in is installed, but pods of {} still have istio-init, which needs NET_ADMIN and NET_RAW: they \
         are older than the switch.",
        some_of(&redirection::names(workloads))
    );
    let remedy = format!("Restart these workloads: {}", restart_all(workloads));
    Message::new(&CNI0001, agent, text).remedy(remedy)
}
