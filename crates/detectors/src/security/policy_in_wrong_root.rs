//! Finds policies for the whole mesh that stand in `istio-system` where another namespace is the root.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "sec/peerauth-rootns",
        reads: &[
            Kind::PeerAuthentication,
            Kind::AuthorizationPolicy,
            Kind::RequestAuthentication,
            Kind::Telemetry,
            Kind::Pod,
            Kind::ConfigMap,
        ],
        reports: &[&SEC0003],
        by_default: true,
        run,
    },
};

static SEC0003: Code = Code {
    id: "SEC0003",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-root_namespace",
    page: include_str!("pages/SEC0003.md"),
};

/// The root namespace of an installation that sets none, which examples are written for.
const USUAL_ROOT: &str = "istio-system";

const KINDS: [Kind; 4] =
    [Kind::PeerAuthentication, Kind::AuthorizationPolicy, Kind::RequestAuthentication, Kind::Telemetry];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    // Where proxies run in it, a policy may be meant for them.
    if mesh.is_root_namespace(USUAL_ROOT) || !mesh.proxied_workloads_in(USUAL_ROOT).is_empty() {
        return;
    }
    for policy in KINDS.into_iter().flat_map(|kind| mesh.in_namespace(kind, USUAL_ROOT)) {
        let spec = policy.spec();
        let is_narrow = !spec.path(&["selector", "matchLabels"]).is_empty()
            || spec.field("targetRefs").is_set()
            || spec.field("targetRef").is_set();
        if !is_narrow {
            messages.report(root_is_elsewhere(mesh, policy));
        }
    }
}

fn root_is_elsewhere<'m>(mesh: &Mesh, policy: &'m Object) -> Message<'m> {
    let root = &mesh.config().root_namespace;
    let text = format!(
        "It holds for namespace {USUAL_ROOT} alone, where no proxy runs: the root namespace of this mesh, whose policies \
         hold for all, is {root}."
    );
    let resource = format!("{}.{}/{}", policy.kind().plural(), policy.kind().group(), policy.name());
    let remedy =
        format!("Apply it with `metadata.namespace: {root}` instead, then: kubectl delete {resource} -n {USUAL_ROOT}");
    Message::new(&SEC0003, policy, text).at(Path::metadata().key("namespace")).remedy(remedy)
}
