//! Whether a Deployment or a `DaemonSet` is rolled out, by the rules of `istioctl verify-install` up to 1.23, which are
//! those of `kubectl rollout status`.

use crate::resource_status::object::Object;

/// Why a Deployment is not what it should be; nothing if it is.
pub(super) fn deployment(object: &Object) -> Option<String> {
    let count = |field: &str| object.number(&format!("/status/{field}")).unwrap_or_default();
    let (updated, all, available) = (count("updatedReplicas"), count("replicas"), count("availableReplicas"));
    let stuck = object.condition("Progressing").is_some_and(|condition| condition.reason == "ProgressDeadlineExceeded");
    if stuck {
        return Some("its rollout exceeded its progress deadline".to_owned());
    }
    if let Some(wanted) = object.number("/spec/replicas").filter(|wanted| updated < *wanted) {
        return Some(format!("{updated} of {wanted} replicas are updated"));
    }
    if all > updated {
        return Some(format!("{} old replicas are still there", all - updated));
    }
    (available < updated).then(|| format!("{available} of {updated} replicas are available"))
}

/// The same of a `DaemonSet`.
pub(super) fn daemon_set(object: &Object) -> Option<String> {
    let count = |field: &str| object.number(&format!("/status/{field}")).unwrap_or_default();
    let (wanted, current) = (count("desiredNumberScheduled"), count("currentNumberScheduled"));
    if wanted != current {
        return Some(format!("{current} of {wanted} pods are scheduled"));
    }
    if object.text("/spec/updateStrategy/type") == "OnDelete" {
        let updated = count("updatedNumberScheduled");
        return (updated != wanted).then(|| format!("{updated} of {wanted} pods are updated"));
    }
    let ready = count("numberReady");
    (wanted <= 0 || ready < wanted).then(|| format!("{ready} of {wanted} pods are ready"))
}
