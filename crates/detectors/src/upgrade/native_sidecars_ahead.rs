//! Finds workloads whose proxy becomes a native sidecar with the upgrade.

use std::collections::BTreeSet;

use super::canary::Canary;
use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::versions::{add_on_minor, numbers};
use mesh::{Kind, Mesh, Proxy, owner};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "upg/native-sidecar-change",
        reads: &[Kind::Deployment, Kind::Pod, Kind::Node],
        reports: &[&UPG0009],
        by_default: true,
        run,
    },
};

static UPG0009: Code = Code {
    id: "UPG0009",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-native-sidecar",
    page: include_str!("pages/UPG0009.md"),
};

/// From this minor version on an upgrade switches native sidecars on, where Kubernetes has this version.
const FIRST_REVISION: u64 = 29;
const FIRST_KUBERNETES: [u64; 2] = [1, 33];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(canary) = Canary::of(mesh).filter(|_| mesh.is_aks()) else { return };
    let mut nodes = mesh.each(Kind::Node).map(|node| node.status().path(&["nodeInfo", "kubeletVersion"]).text());
    let is_new_enough = |version: &str| numbers(version).get(..2).is_some_and(|minor| minor >= &FIRST_KUBERNETES[..]);
    if add_on_minor(canary.newer.revision).is_none_or(|minor| minor < FIRST_REVISION) || !nodes.any(is_new_enough) {
        return;
    }
    let mut workloads = BTreeSet::new();
    for pod in mesh.proxied_workloads() {
        let Some(proxy) = Proxy::of(pod) else { continue };
        let is_old = proxy.revision().and_then(add_on_minor).is_some_and(|minor| minor < FIRST_REVISION);
        let declines = pod.annotation("sidecar.istio.io/nativeSidecar") == Some("false");
        if is_old && proxy.is_sidecar() && !proxy.is_native && !declines {
            workloads.insert(format!("{}/{}", pod.namespace(), owner(pod).name));
        }
    }
    if !workloads.is_empty() {
        messages.report(containers_will_move(&canary, &workloads.into_iter().collect::<Vec<_>>()));
    }
}

fn containers_will_move<'m>(canary: &Canary<'m>, workloads: &[String]) -> Message<'m> {
    let new = canary.newer.revision;
    let text = format!(
        "istio-proxy is an ordinary container of {} now. When they restart on {new}, it becomes an init container that starts \
         first and ends last.",
        names(workloads)
    );
    let remedy = "Test one workload of each kind first: order of init containers, Jobs, and scripts that look for istio-proxy under \
                  spec.containers. The pod annotation sidecar.istio.io/nativeSidecar: \"false\" keeps a workload as it is.";
    Message::new(&UPG0009, canary.newer.deployment, text).remedy(remedy)
}
