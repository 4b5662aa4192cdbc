//! Finds Secrets of gateways that the Secrets Store CSI driver should have made and did not.

use super::presented::named;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, is_finished};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "gw/secret-not-synced",
        reads: &[Kind::Gateway, Kind::Pod, Kind::Secret, Kind::SecretProviderClass, Kind::Event],
        reports: &[&GWY0011],
        by_default: true,
        run,
    },
};

static GWY0011: Code = Code {
    id: "GWY0011",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-secure-gateway",
    page: include_str!("pages/GWY0011.md"),
};

const DRIVER: &str = "secrets-store.csi.k8s.io";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for named in named(mesh) {
        for (namespace, name) in named.secrets() {
            if mesh.find(Kind::Secret, namespace, name).is_none()
                && let Some(class) = class_of(mesh, namespace, name)
            {
                let mounting = mounting(mesh, class);
                messages.report(is_not_synced(named.server.gateway, name, class, &mounting).at(named.path.clone()));
            }
        }
    }
}

/// The class that makes a Secret of this name. The driver makes it where the class and the pods are
/// (<https://secrets-store-csi-driver.sigs.k8s.io/topics/sync-as-kubernetes-secret>).
fn class_of<'m>(mesh: &'m Mesh, namespace: &str, secret: &str) -> Option<&'m Object> {
    let mut classes = mesh.in_namespace(Kind::SecretProviderClass, namespace);
    classes.find(|class| {
        let mut made = class.spec().get("secretObjects").items();
        made.any(|object| object.get("secretName").text() == secret)
    })
}

/// Who mounts a class.
struct Mounting<'m> {
    pod: Option<&'m Object>,
    /// What the kubelet says of the volume, if anything.
    failure: Option<&'m str>,
}

/// The driver copies a secret when a pod mounts it, and deletes the copy after the last such pod.
fn mounting<'m>(mesh: &'m Mesh, class: &Object) -> Mounting<'m> {
    let namespace = class.namespace();
    let pods = mesh.in_namespace(Kind::Pod, namespace).filter(|pod| !is_finished(pod) && mounts(pod, class.name()));
    let pods: Vec<&Object> = pods.collect();
    let events = mesh.in_namespace(Kind::Event, namespace).filter(|event| {
        let about = event.root().get("involvedObject").get("name").text();
        event.root().get("reason").text() == "FailedMount" && pods.iter().any(|pod| pod.name() == about)
    });
    let newest = events.max_by_key(|event| event.root().get("lastTimestamp").text());
    Mounting { pod: pods.first().copied(), failure: newest.map(|event| event.root().get("message").text().trim()) }
}

fn mounts(pod: &Object, class: &str) -> bool {
    pod.spec().get("volumes").items().any(|volume| {
        let source = volume.get("csi");
        source.get("driver").text() == DRIVER
            && source.get("volumeAttributes").get("secretProviderClass").text() == class
    })
}

/// Names of pods and texts of events change by the hour, so they stand with the remedy.
fn is_not_synced<'m>(gateway: &'m Object, secret: &str, class: &Object, mounting: &Mounting<'_>) -> Message<'m> {
    let (namespace, name) = (class.namespace(), class.name());
    let (why, remedy) = match (mounting.pod, mounting.failure) {
        (None, _) => (
            "no pod in that namespace mounts it",
            format!(
                "Run a Deployment in namespace {namespace} whose pods mount a volume of driver {DRIVER} with \
                 secretProviderClass {name}."
            ),
        ),
        (Some(pod), Some(failure)) => (
            "pods that mount it fail to do so",
            format!("Pod {} cannot mount it: {failure}. See the rights of the driver's identity.", pod.name()),
        ),
        (Some(pod), None) => (
            "pods that mount it have not started",
            format!("See why: `kubectl describe pod {} -n {namespace}`.", pod.name()),
        ),
    };
    let text = format!(
        "Secret {namespace}/{secret} is to be made from SecretProviderClass {namespace}/{name}, and is not there: \
         {why}."
    );
    Message::new(&GWY0011, gateway, text).remedy(remedy)
}
