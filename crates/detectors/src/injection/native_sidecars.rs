//! Finds sidecars that are regular containers where native ones are injected now, and the reverse.

use std::collections::BTreeMap;

use crate::reference::ADD_ON;
use crate::wording::{restart_all, some_of};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{ControlPlane, Kind, Mesh, Object, Proxy};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "inject/native-sidecar-expected",
        reads: &[
            Kind::Namespace,
            Kind::Node,
            Kind::Pod,
            Kind::Deployment,
            Kind::StatefulSet,
            Kind::DaemonSet,
            Kind::Job,
        ],
        reports: &[&INJ0107],
        by_default: true,
        run,
    },
};

static INJ0107: Code = Code {
    id: "INJ0107",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-native-sidecar",
    page: include_str!("pages/INJ0107.md"),
};

/// The setting of istiod, and the annotation by which a pod chooses for itself.
const SETTING: &str = "ENABLE_NATIVE_SIDECARS";
const CHOICE: &str = "sidecar.istio.io/nativeSidecar";

/// What a revision injects, and how that is known.
struct Expected {
    is_native: bool,
    why: String,
}

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let expected: BTreeMap<&str, Expected> = mesh
        .control_planes()
        .iter()
        .filter_map(|control_plane| Some((control_plane.revision, expected(mesh, control_plane)?)))
        .collect();
    let mut other: BTreeMap<(&str, &str), Vec<&Object>> = BTreeMap::new();
    for (workload, pods) in mesh.workloads() {
        let proxies = pods.into_iter().filter(|pod| pod.annotation(CHOICE).is_none()).filter_map(Proxy::of);
        for proxy in proxies.filter(Proxy::is_sidecar) {
            let Some((revision, expected)) = proxy.revision().and_then(|it| expected.get_key_value(it)) else {
                continue;
            };
            if proxy.is_native != expected.is_native {
                other.entry((workload.namespace(), revision)).or_default().push(workload);
                break;
            }
        }
    }
    for ((namespace, revision), workloads) in other {
        if let Some(namespace) = mesh.namespace(namespace) {
            messages.report(sidecars_are_of_the_other_kind(namespace, revision, &expected[revision], &workloads));
        }
    }
}

/// Only where istiod is told, or the add-on's pages say it.
fn expected(mesh: &Mesh, control_plane: &ControlPlane<'_>) -> Option<Expected> {
    let revision = control_plane.revision;
    if let Some(value) = control_plane.variable(SETTING).filter(|value| matches!(*value, "true" | "false")) {
        let why = format!("istiod of {revision} has {SETTING}={value}");
        return Some(Expected { is_native: value == "true", why });
    }
    let since = &ADD_ON.native_sidecars;
    let mut kubelets =
        mesh.each(Kind::Node).map(|node| node.status().path(&["nodeInfo", "kubeletVersion"]).text()).peekable();
    let is_new = mesh.is_aks() && since.covers(revision) && kubelets.peek().is_some();
    (is_new && kubelets.all(|version| since.covers_kubernetes(version))).then(|| Expected {
        is_native: true,
        why: format!(
            "the add-on injects native sidecars from {} on Kubernetes {} on (by its pages of {})",
            since.revision, since.kubernetes, ADD_ON.date
        ),
    })
}

fn sidecars_are_of_the_other_kind<'m>(
    namespace: &'m Object,
    revision: &str,
    expected: &Expected,
    workloads: &[&Object],
) -> Message<'m> {
    let (now, then) =
        if expected.is_native { ("regular containers", "native") } else { ("native (init containers)", "regular") };
    let names: Vec<&str> = workloads.iter().map(|workload| workload.name()).collect();
    let text = format!(
        "Sidecars of revision {revision} are {now} in: {}. New ones would be {then}, as {}.",
        some_of(&names),
        expected.why
    );
    let remedy = format!("Restart the workloads when it suits: {}", restart_all(workloads));
    Message::new(&INJ0107, namespace, text).remedy(remedy)
}
