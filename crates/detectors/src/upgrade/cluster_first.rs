//! Finds clusters that are too old for every supported revision of the add-on.

use crate::reference::{ADD_ON, Support};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::versions::numbers;
use mesh::{ControlPlane, Kind, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "upg/cluster-first",
        reads: &[Kind::Deployment, Kind::Node],
        reports: &[&UPG0010],
        by_default: true,
        run,
    },
};

static UPG0010: Code = Code {
    id: "UPG0010",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-support-policy",
    page: include_str!("pages/UPG0010.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(newest) = mesh.control_planes().pop().filter(|_| mesh.is_aks()) else { return };
    let ended = match ADD_ON.support(newest.revision, mesh.taken_at()) {
        Some(Support::Ended) => "has ended",
        Some(Support::ExpectedToHaveEnded) => "was expected to have ended",
        Some(Support::Supported | Support::Unknown) | None => return,
    };
    let Some(oldest) = ADD_ON.oldest_kubernetes(mesh.taken_at()) else { return };
    // Nodes are never newer than the API server, and the newest of them is nearest to it.
    let nodes = mesh.each(Kind::Node).map(|node| node.status().path(&["nodeInfo", "kubeletVersion"]).text());
    let Some(version) = nodes.max_by_key(|version| numbers(version)) else { return };
    if numbers(version).get(..2).is_some_and(|minor| minor < &numbers(oldest)[..]) {
        messages.report(cluster_is_too_old(newest, ended, version, oldest));
    }
}

fn cluster_is_too_old<'m>(newest: ControlPlane<'m>, ended: &str, version: &str, oldest: &str) -> Message<'m> {
    let text = format!(
        "Support of {} {ended}, and every revision that is supported needs Kubernetes {oldest} or newer; the nodes run {version} \
         (by the table of {}).",
        newest.revision, ADD_ON.date
    );
    let remedy = "Upgrade the cluster first: az aks upgrade -g <resource group> -n <cluster> -k <version>. Then the mesh: az aks \
                  mesh get-upgrades -g <resource group> -n <cluster>";
    Message::new(&UPG0010, newest.deployment, text).remedy(remedy)
}
