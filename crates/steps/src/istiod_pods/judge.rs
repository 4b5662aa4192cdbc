//! What the pods of a revision say together: enough of them, alike, and apart from each other.

use super::view::{self, IstiodRevision};
use crate::resource_status::{codes, family::Family, object::Object};
use report::{Evidence, Finding, Severity, Subject};

const ADD_ON: &str = "aks-istio-system";
const REGISTRY: &str = "mcr.microsoft.com";

/// `narrowed` says that a selector may have left out pods, so that their number means nothing.
pub(super) fn judge(
    pods: &[Object],
    revisions: &[IstiodRevision],
    family: &Family,
    narrowed: bool,
    findings: &mut Vec<Finding>,
) {
    if revisions.is_empty() && !narrowed {
        findings.push(none_runs());
    }
    for revision in revisions {
        if !narrowed {
            findings.extend(few_replicas(revision));
            findings.extend(one_node(revision));
        }
        findings.extend(images_differ(revision));
        findings.extend(other_version(revision));
    }
    for pod in pods.iter().filter(|pod| pod.namespace() == Some(ADD_ON)) {
        if view::is_istiod(pod) {
            findings.extend(other_registry(pod, family));
        }
    }
    findings.extend(others(pods));
}

fn none_runs() -> Finding {
    Finding::new(
        &codes::NO_ISTIOD_IS_RUNNING,
        Subject::cluster_wide("Deployment", "istiod"),
        "no pod of istiod was found",
    )
    .remedy(
        "`kubectl get deploy -A -l app=istiod`: where there is none, enable the add-on (`az aks mesh enable \
             --resource-group <group> --name <cluster>`); else see its ReplicaSets and events.",
    )
}

fn subject(revision: &IstiodRevision) -> Subject {
    let name =
        if revision.revision == "default" { "istiod".to_owned() } else { format!("istiod-{}", revision.revision) };
    Subject::namespaced("Deployment", &revision.namespace, name)
}

/// The add-on runs two replicas at least; elsewhere one may be meant, which is worth knowing only.
fn few_replicas(revision: &IstiodRevision) -> Option<Finding> {
    if revision.ready >= 2 || revision.wanted == Some(0) {
        return None;
    }
    let wanted = revision.wanted.unwrap_or(i64::try_from(revision.pods).unwrap_or(i64::MAX));
    let meant = revision.ready == 1 && wanted <= 1 && revision.namespace != ADD_ON;
    let severity = match revision.ready {
        0 => Severity::Error,
        _ if meant => Severity::Info,
        _ => Severity::Warning,
    };
    let is_single = revision.ready == 1 && wanted <= 1;
    let ready = if revision.ready == 1 { "is" } else { "are" };
    let message = if is_single {
        format!("istiod {} has a single replica, so nobody takes over when it goes", revision.revision)
    } else {
        format!("{} of {wanted} replicas of istiod {} {ready} ready", revision.ready, revision.revision)
    };
    let (namespace, name) = (&revision.namespace, subject(revision).name);
    let remedy = if is_single {
        format!(
            "Let two run: kubectl patch hpa {name} -n {namespace} --type merge --patch '{{\"spec\":{{\"minReplicas\":2}}}}'"
        )
    } else {
        format!(
            "See why the others are not ready: kubectl describe pods -n {namespace} -l app=istiod,istio.io/rev={}",
            revision.revision
        )
    };
    Some(
        Finding::new(&codes::ISTIOD_HAS_FEW_REPLICAS, subject(revision), message)
            .severity(severity)
            .evidence(Evidence::new("pods", format!("{} pods, {} ready", revision.pods, revision.ready)))
            .remedy(remedy),
    )
}

fn one_node(revision: &IstiodRevision) -> Option<Finding> {
    let [node] = revision.nodes.as_slice() else { return None };
    (revision.ready >= 2).then(|| {
        let message = format!("all {} ready replicas run on node {node}", revision.ready);
        Finding::new(&codes::ISTIOD_REPLICAS_SHARE_A_NODE, subject(revision), message)
            .evidence(Evidence::new("spec.nodeName", node))
            .remedy("See that a second node can take istiod, then delete one of its pods.")
    })
}

fn images_differ(revision: &IstiodRevision) -> Option<Finding> {
    (revision.images.len() > 1).then(|| {
        let message = format!("replicas run {}", revision.images.join(" and "));
        Finding::new(&codes::ISTIOD_IMAGES_DIFFER, subject(revision), message)
            .evidence(Evidence::new("images", revision.images.join(", ")))
            .remedy(format!(
                "`kubectl rollout status -n {} deployment/{}`; it passes when a rollout is going on.",
                revision.namespace,
                subject(revision).name
            ))
    })
}

/// The add-on's revisions are named after the minor version.
fn other_version(revision: &IstiodRevision) -> Option<Finding> {
    let minor = revision.revision.strip_prefix("asm-")?.replace('-', ".");
    let fits = |image: &String| {
        view::version(image).is_none_or(|version| version == minor || version.starts_with(&format!("{minor}.")))
    };
    let other = revision.images.iter().find(|image| !fits(image))?;
    let message = format!("revision {} runs image {other}", revision.revision);
    Some(
        Finding::new(&codes::REVISION_AND_IMAGE_DIFFER, subject(revision), message)
            .evidence(Evidence::new("images", revision.images.join(", ")))
            .remedy("Let the add-on reconcile; see who changed its Deployment."),
    )
}

fn other_registry(pod: &Object, family: &Family) -> Option<Finding> {
    let image = view::image(pod);
    let registry = image.split('/').next().unwrap_or_default();
    (!image.is_empty() && registry != REGISTRY).then(|| {
        Finding::new(
            &codes::IMAGE_IS_NOT_THE_ADD_ONS,
            family.subject(pod).container("discovery"),
            format!("image {image:?} is not from {REGISTRY}"),
        )
        .evidence(Evidence::new("image", image))
        .remedy(
            "Undo the change of the Deployment and let the add-on reconcile, unless the cluster mirrors the registry.",
        )
    })
}

/// Pods that are neither istiod nor the add-on's node agent.
fn others(pods: &[Object]) -> Option<Finding> {
    let of_the_add_on = |pod: &&Object| {
        view::is_istiod(pod)
            || pod.label("kubernetes.azure.com/managedby") == Some("aks")
            || pod.name().starts_with("azure-service-mesh-")
    };
    let others = pods.iter().filter(|pod| pod.namespace() == Some(ADD_ON)).filter(|pod| !of_the_add_on(pod));
    let names: Vec<&str> = others.map(Object::name).take(20).collect();
    (!names.is_empty()).then(|| {
        let message = format!("namespace {ADD_ON} holds pods that are not the add-on's: {}", names.join(", "));
        Finding::new(&codes::PODS_OF_OTHERS_BESIDE_ISTIOD, Subject::cluster_wide("Namespace", ADD_ON), message)
            .remedy("Run them in a namespace of their own.")
    })
}
