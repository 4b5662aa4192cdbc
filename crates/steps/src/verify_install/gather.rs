//! Reads every kind of object that an installation consists of.

use std::collections::{BTreeMap, BTreeSet};

use futures::{FutureExt as _, StreamExt as _, stream};

use super::VerifyInstallInput;
use crate::{
    injection::{
        REVISION,
        read::{Injection, config_maps, whole},
    },
    resource_status::object::Object,
};
use cluster::{Cluster, Error, Resource, Scope, read};
use report::{Read, Skipped};

/// Lists that are read at once.
const AT_ONCE: usize = 6;

/// What was read, by kind.
#[derive(Debug)]
pub struct VerifyInstallEvidence {
    pub(super) lists: BTreeMap<&'static str, Read<Vec<Object>>>,
    pub(super) injection: Injection,
    /// Root certificates of all namespaces.
    pub(super) roots: Read<Vec<Object>>,
    /// The objects of Istio in the whole cluster that name a revision, and those of istiod.
    pub(super) deployments: Read<Vec<Object>>,
    /// The namespaces of the control plane.
    pub(super) places: Vec<String>,
    pub(super) kubernetes: Option<String>,
    pub(super) now: jiff::Timestamp,
    pub(super) skipped: Vec<Skipped>,
}

impl VerifyInstallEvidence {
    pub(super) fn list(&self, kind: &str) -> Result<&[Object], &Skipped> {
        match self.lists.get(kind) {
            Some(Ok(list)) => Ok(list),
            Some(Err(part)) => Err(part),
            None => Ok(&[]),
        }
    }
}

pub(super) async fn gather(cluster: &Cluster, input: &VerifyInstallInput) -> Result<VerifyInstallEvidence, Error> {
    let injection = Injection::read(cluster).await?;
    let mut skipped = injection.skipped.clone();
    let deployments = deployments(cluster, &mut skipped).await?;

    let istiods = injection.istiods.iter().flatten().filter_map(|istiod| istiod.pod.metadata.namespace.clone());
    let mut places: BTreeSet<String> = istiods.collect();
    let all = deployments.iter().flatten();
    places.extend(all.filter(|found| is_istiod(found)).filter_map(|found| found.namespace().map(str::to_owned)));
    if !input.istio_namespace.is_empty() {
        places = input.istio_namespace.iter().cloned().collect();
    }
    let places: Vec<String> = places.into_iter().collect();
    let gateways = deployments.iter().flatten().filter_map(|found| found.namespace().map(str::to_owned));
    let mut around: BTreeSet<String> = gateways.collect();
    around.extend(places.iter().cloned());
    let around = Scope::Namespaces(around.into_iter().collect());
    let own = Scope::Namespaces(places.clone());

    let known = |group, plural, kind, namespaced| Resource::known(group, "v1", plural, kind, namespaced);
    let rbac = "rbac.authorization.k8s.io";
    let mut scaling = known("autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler", true);
    "v2".clone_into(&mut scaling.version);
    let validating = known(
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        false,
    );
    let mut wanted: Vec<(&'static str, Resource, Scope)> = vec![
        ("ClusterRole", known(rbac, "clusterroles", "ClusterRole", false), Scope::All),
        ("ClusterRoleBinding", known(rbac, "clusterrolebindings", "ClusterRoleBinding", false), Scope::All),
        ("ValidatingWebhookConfiguration", validating, Scope::All),
        ("MutatingWebhookConfiguration", Resource::mutating_webhook_configurations(), Scope::All),
        ("CustomResourceDefinition", Resource::custom_resource_definitions(), Scope::All),
        ("DaemonSet", known("apps", "daemonsets", "DaemonSet", true), Scope::All),
        ("Namespace", Resource::namespaces(), Scope::All),
    ];
    if !places.is_empty() {
        wanted.extend([
            ("Service", Resource::services(), around),
            ("ConfigMap", config_maps(), own.clone()),
            ("ServiceAccount", known("", "serviceaccounts", "ServiceAccount", true), own.clone()),
            ("Role", known(rbac, "roles", "Role", true), own.clone()),
            ("RoleBinding", known(rbac, "rolebindings", "RoleBinding", true), own.clone()),
            ("HorizontalPodAutoscaler", scaling, own.clone()),
            ("PodDisruptionBudget", known("policy", "poddisruptionbudgets", "PodDisruptionBudget", true), own),
        ]);
    }
    let mut reads = Vec::new();
    for (kind, resource, scope) in wanted {
        let one = async move {
            let mut skipped = Vec::new();
            let list = whole(cluster, &resource, &scope, None, &mut skipped).await;
            (kind, list, skipped)
        };
        reads.push(one.boxed());
    }
    let done: Vec<_> = stream::iter(reads).buffered(AT_ONCE).collect().await;
    let mut lists = BTreeMap::new();
    for (kind, list, parts) in done {
        skipped.extend(parts);
        lists.insert(kind, list?);
    }
    // istiod labels what it writes into every namespace.
    let roots = whole(cluster, &config_maps(), &Scope::All, Some("istio.io/config=true"), &mut skipped).await?;
    let kubernetes = match read(cluster.version().await)? {
        Ok(version) => Some(version),
        Err(part) => {
            skipped.push(part);
            None
        }
    };
    let now = cluster.now();
    Ok(VerifyInstallEvidence { lists, injection, roots, deployments, places, kubernetes, now, skipped })
}

/// Those of istiod, by the label that every chart sets, and those that name a revision, which are gateways.
async fn deployments(cluster: &Cluster, skipped: &mut Vec<Skipped>) -> Result<Read<Vec<Object>>, Error> {
    let resource = Resource::deployments();
    let mut found = whole(cluster, &resource, &Scope::All, Some("app=istiod"), skipped).await?;
    let more = whole(cluster, &resource, &Scope::All, Some(REVISION), &mut Vec::new()).await?;
    if let Ok(found) = &mut found {
        found.extend(more.into_iter().flatten().filter(|other| !is_istiod(other)));
    }
    Ok(found)
}

pub(super) fn is_istiod(deployment: &Object) -> bool {
    deployment.label("app") == Some("istiod")
}
