//! Finds workloads that run as the user whose traffic bypasses the proxy.

use super::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, View, is_control_plane};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "applicationUID.Analyzer",
    reads: &[Kind::Pod, Kind::Deployment],
    reports: &[&IST0144],
    by_default: true,
    run,
};

static IST0144: Code = Code {
    id: "IST0144",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/deployment/application-requirements/#pod-requirements",
    page: include_str!("pages/IST0144.md"),
};

const PROXY_UID: i64 = 1337;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let pods = mesh.each(Kind::Pod).map(|pod| (pod, pod.spec()));
    let deployments = mesh.each(Kind::Deployment).map(|it| (it, it.spec().path(&["template", "spec"])));
    for (object, pod_spec) in pods.chain(deployments) {
        if !is_control_plane(object) && runs_as_proxy(pod_spec) {
            messages.report(uid_is_the_proxys(object));
        }
    }
}

fn runs_as_proxy(pod_spec: View<'_>) -> bool {
    let is_proxy_uid = |spec: View<'_>| spec.path(&["securityContext", "runAsUser"]).integer() == PROXY_UID;
    let is_own = |container: &View<'_>| !matches!(container.get("name").text(), "istio-proxy" | "istio-operator");
    is_proxy_uid(pod_spec) || pod_spec.get("containers").items().filter(is_own).any(is_proxy_uid)
}

fn uid_is_the_proxys(object: &Object) -> Message<'_> {
    Message::new(&IST0144, object, "User ID (UID) 1337 is reserved for the sidecar proxy.")
}
