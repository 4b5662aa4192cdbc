//! Which pods an end of the connection is: a pod, or those of a Deployment or a Service.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, Service},
};

use crate::{
    cluster::{Cluster, Error, Resource, Scope},
    steps::{Invalid, input::check as checks},
};

/// More pods than these are not read.
const MAX_PODS: usize = 10;

pub(super) fn check(field: &str, place: Option<&str>) -> Vec<Invalid> {
    let Some(text) = place else { return Vec::new() };
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [namespace, "deployment" | "service" | "pod", name] | [namespace, name] => {
            checks::pod_path(field, Some(&format!("{namespace}/{name}")))
        }
        _ => {
            let message = "must be namespace/pod, namespace/deployment/name or namespace/service/name";
            vec![Invalid::new(field, "pattern", message)]
        }
    }
}

/// The pods of a place, and how many there are besides those that are read.
pub(super) async fn pods(cluster: &Cluster, place: &str) -> Result<(Vec<Pod>, usize), Error> {
    match place.split('/').collect::<Vec<_>>().as_slice() {
        [namespace, "deployment", name] => {
            let deployment: Deployment = cluster.get(&Resource::deployments(), Some(namespace), name).await?;
            let labels = deployment.spec.and_then(|spec| spec.selector.match_labels);
            selected(cluster, namespace, labels.into_iter().flatten()).await
        }
        [namespace, "service", name] => {
            let service: Service = cluster.get(&Resource::services(), Some(namespace), name).await?;
            let labels = service.spec.and_then(|spec| spec.selector);
            selected(cluster, namespace, labels.into_iter().flatten()).await
        }
        [namespace, "pod", name] | [namespace, name] => {
            Ok((vec![cluster.get(&Resource::pods(), Some(namespace), name).await?], 0))
        }
        _ => Err(Error::InvalidName { kind: "place", name: place.to_owned() }),
    }
}

async fn selected(
    cluster: &Cluster,
    namespace: &str,
    labels: impl Iterator<Item = (String, String)>,
) -> Result<(Vec<Pod>, usize), Error> {
    let selector = labels.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",");
    let not_found = || Error::NotFound { what: format!("a pod for selector {selector:?} in namespace {namespace}") };
    if selector.is_empty() {
        return Err(not_found());
    }
    let scope = Scope::Namespaces(vec![namespace.to_owned()]);
    let mut pods = cluster.list::<Pod>(&Resource::pods(), &scope, Some(&selector)).await?.items;
    if pods.is_empty() {
        return Err(not_found());
    }
    let more = pods.len().saturating_sub(MAX_PODS);
    pods.truncate(MAX_PODS);
    Ok((pods, more))
}
