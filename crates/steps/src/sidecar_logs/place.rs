//! Which pods an end of the connection is: a pod, or those of a Deployment, a Service or another object with pods.

use k8s_openapi::api::core::v1::Pod;

use crate::{
    Invalid,
    input::check as checks,
    named,
    target::{PodTarget, no_such},
};
use cluster::{Cluster, Error};

/// More pods than these are not read.
const MAX_PODS: usize = 10;

pub(super) fn check(field: &str, place: Option<&str>) -> Vec<Invalid> {
    let Some(text) = place else { return Vec::new() };
    let Some(target) = target(text) else {
        let message = "must be namespace/pod or namespace/type/name, such as shop/cart-1 or shop/deployment/cart";
        return vec![Invalid::new(field, "pattern", message)];
    };
    let mut invalid = checks::pod_path(field, Some(&format!("{}/{}", target.namespace, target.name)));
    invalid.extend(checks::name(field, target.kind.as_deref()));
    invalid
}

fn target(place: &str) -> Option<PodTarget> {
    let (kind, namespace, name) = match place.split('/').collect::<Vec<_>>().as_slice() {
        [namespace, name] => (None, *namespace, *name),
        [namespace, kind, name] => (Some((*kind).to_owned()), *namespace, *name),
        _ => return None,
    };
    Some(PodTarget { kind, name: name.to_owned(), namespace: namespace.to_owned() })
}

/// The pods of a place, and how many there are besides those that are read.
pub(super) async fn pods(cluster: &Cluster, field: &'static str, place: &str) -> Result<(Vec<Pod>, usize), Error> {
    let Some(target) = target(place) else {
        return Err(Error::InvalidName { kind: "place", name: place.to_owned() });
    };
    let mut pods = match target.pods(cluster, field).await {
        Err(Error::NotFound { .. }) => {
            named::namespace(cluster, field, &target.namespace).await?;
            return Err(no_such(cluster, field, &[target]).await);
        }
        pods => pods?,
    };
    let more = pods.len().saturating_sub(MAX_PODS);
    pods.truncate(MAX_PODS);
    Ok((pods, more))
}
