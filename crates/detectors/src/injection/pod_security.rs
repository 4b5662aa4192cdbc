//! Finds namespaces whose Pod Security level forbids what `istio-init` asks for.

use crate::wording::some_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View, is_finished};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "inject/pod-security",
        reads: &[Kind::Namespace, Kind::Pod, Kind::DaemonSet],
        reports: &[&INJ0104],
        by_default: true,
        run,
    },
};

static INJ0104: Code = Code {
    id: "INJ0104",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline",
    page: include_str!("pages/INJ0104.md"),
};

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    // New pods then have istio-validation in place of istio-init.
    if mesh.cni_agents().next().is_some() {
        return;
    }
    for namespace in mesh.each(Kind::Namespace) {
        let level = namespace.label(ENFORCE).unwrap_or_default();
        if !matches!(level, "baseline" | "restricted") {
            continue;
        }
        let pods = mesh.in_namespace(Kind::Pod, namespace.name()).filter(|pod| !is_finished(pod));
        let privileged: Vec<&str> = pods.filter(|pod| asks_for_capabilities(pod.spec())).map(Object::name).collect();
        if !privileged.is_empty() {
            messages.report(new_pods_are_refused(mesh, namespace, level, &privileged));
        }
    }
}

/// `istio-init` writes the redirection with iptables, for which it adds `NET_ADMIN` and `NET_RAW`.
fn asks_for_capabilities(pod: View<'_>) -> bool {
    let mut init = pod.get("initContainers").items().filter(|container| container.get("name").text() == "istio-init");
    init.any(|container| !container.path(&["securityContext", "capabilities", "add"]).is_empty())
}

fn new_pods_are_refused<'m>(mesh: &Mesh, namespace: &'m Object, level: &str, pods: &[&str]) -> Message<'m> {
    let name = namespace.name();
    let text = format!(
        "Namespace {name} enforces the Pod Security level {level}, which forbids the capabilities NET_ADMIN and \
         NET_RAW of istio-init. {} would be refused when created anew: {}.",
        if pods.len() == 1 { "1 pod".to_owned() } else { format!("{} pods", pods.len()) },
        some_of(pods),
    );
    let switch = if mesh.is_aks() {
        "az aks mesh proxy-redirection-mechanism --resource-group <group> --name <cluster> --mechanism CNIChaining \
         (asm-1-25 and later)"
    } else {
        "install Istio with the CNI node agent (https://istio.io/latest/docs/setup/additional-setup/cni/)"
    };
    let remedy = format!(
        "Let the CNI plug-in redirect traffic, so that pods need no privileges: {switch}; then restart the workloads \
         of {name}. Until then: kubectl label namespace {name} {ENFORCE}=privileged --overwrite"
    );
    Message::new(&INJ0104, namespace, text).at(Path::metadata().key("labels").key(ENFORCE)).remedy(remedy)
}
