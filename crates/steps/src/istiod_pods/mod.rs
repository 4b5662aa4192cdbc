//! `kubectl get pod --namespace aks-istio-system --output yaml`: the pods of the control plane, read as a person would
//! read them: revision, image, node, readiness, restarts, resources, settings. Guide section kubectl/5.

mod judge;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
mod view;

use std::collections::BTreeMap;

use futures::FutureExt as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use view::{IstiodPod, IstiodRevision};

use super::{
    About, Cost, Invalid, Judgement, Permission, Step, counted,
    input::check,
    resource_status::{
        family::Family,
        gather::{around, family, list_whole, scope},
        judge::Judge,
        manifests_yaml, namespaces,
        object::Object,
        place, quoted,
        table::nothing_found,
    },
};
use cluster::{Cluster, Error, Resource, Scope};
use report::Skipped;

/// The label that each istiod carries.
const ISTIOD: &str = "app=istiod";

/// The pods of the control plane in full.
pub struct IstiodPods;

/// Which pods.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IstiodPodsInput {
    /// Namespaces of the control plane; repeatable. Default: wherever istiod runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[param(max_items = 100)]
    pub istio_namespace: Vec<String>,
    /// Look for istiod in all namespaces (`app=istiod`, unless another selector is given).
    pub all_namespaces: bool,
    /// Only istiod of this revision, or of the revision that this tag points to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 63)]
    pub revision: Option<String>,
    /// Label selector; without one, all pods of the namespace, as the guide's command has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 1000)]
    pub selector: Option<String>,
}

/// The pods of the control plane.
#[derive(Debug, Serialize, ToSchema)]
pub struct IstiodPodsData {
    pub namespaces: Vec<String>,
    pub revisions: Vec<IstiodRevision>,
    pub pods: Vec<IstiodPod>,
    #[serde(skip)]
    manifests: Vec<Object>,
}

/// What was read.
#[derive(Debug)]
pub struct IstiodPodsEvidence {
    scope: Scope,
    pods: Vec<Object>,
    /// The revision that was asked for, where one was.
    only: Option<Vec<String>>,
    family: Family,
    skipped: Vec<Skipped>,
}

impl Step for IstiodPods {
    const ABOUT: About = About {
        id: "kubectl.istiod-pods",
        title: "Pods of istiod in full",
        description: "Shows each pod of the control plane with revision, image, node, readiness, restarts, resources and \
                      settings, and says which replicas are missing, differ, ran out of memory or crash.",
        guide: "kubectl/5-pods-yaml",
        method: "GET",
        endpoint: "/v1/kubectl/istiod-pods",
        mutating: false,
        permissions: &[
            Permission::core("list", "pods"),
            Permission::core("list", "events"),
            Permission::core("get", "pods/log"),
            Permission::core("list", "nodes"),
            Permission { verb: "list", group: "apps", resource: "deployments" },
            Permission { verb: "list", group: "apps", resource: "replicasets" },
        ],
        cost: Cost::Low,
        command: "kubectl get pod --namespace aks-istio-system --output yaml",
        docs: "https://learn.microsoft.com/troubleshoot/azure/azure-kubernetes/extensions/istio-add-on-general-troubleshooting",
    };
    type Input = IstiodPodsInput;
    type Evidence = IstiodPodsEvidence;
    type Data = IstiodPodsData;

    fn check(input: &IstiodPodsInput) -> Vec<Invalid> {
        let mut invalid = check::place_of_istio(&input.istio_namespace, input.all_namespaces);
        invalid.extend(check::name("revision", input.revision.as_deref()));
        invalid.extend(check::selector("selector", input.selector.as_deref()));
        invalid
    }

    async fn gather(cluster: &Cluster, input: &IstiodPodsInput) -> Result<IstiodPodsEvidence, Error> {
        let scope = scope(cluster, &input.istio_namespace, input.all_namespaces).await?;
        let selector = input.selector.as_deref().or_else(|| input.all_namespaces.then_some(ISTIOD));
        let listed = list_whole(cluster, &Resource::pods(), &scope, selector).await?;
        let (mut pods, mut skipped) = (listed.items, listed.skipped);
        let mut only = None;
        if input.revision.is_some() {
            let control_plane =
                cluster.control_plane_of(&namespaces(&scope), input.revision.as_deref()).boxed().await?;
            let revisions = control_plane.revisions();
            skipped.extend(control_plane.skipped);
            pods.retain(|pod| view::is_istiod(pod) && revisions.iter().any(|known| known == view::revision(pod)));
            only = Some(revisions);
        }

        // Whose zone the pod's labels do not tell, its node does.
        let zoneless = pods.iter().any(|pod| pod.label(view::ZONE).is_none());
        let mut types = vec![Resource::deployments(), Resource::replica_sets(), Resource::events()];
        types.extend(zoneless.then(|| Resource::known("", "v1", "nodes", "Node", false)));
        let (mut lists, mut more) = around(cluster, types, &scope, None).await?;
        skipped.append(&mut more);
        lists.insert("Pod".to_owned(), pods.clone());
        let family = family(cluster, lists, &pods, &mut skipped).await?;
        Ok(IstiodPodsEvidence { scope, pods, only, family, skipped })
    }

    fn judge(input: &IstiodPodsInput, evidence: IstiodPodsEvidence) -> Judgement<IstiodPodsData> {
        let IstiodPodsEvidence { scope, pods, only, family, skipped } = evidence;
        let mut pod_judge = Judge::new(&family);
        for pod in &pods {
            pod_judge.built_in(pod);
        }
        let mut findings = pod_judge.findings;
        let mut revisions = view::revisions(&pods, &family);
        revisions.retain(|found| only.as_ref().is_none_or(|only| only.contains(&found.revision)));
        let narrowed = input.selector.is_some();
        judge::judge(&pods, &revisions, &family, narrowed, &mut findings);

        let istiods = pods.iter().filter(|pod| view::is_istiod(pod)).count();
        let names: Vec<&str> = revisions.iter().map(|revision| revision.revision.as_str()).collect();
        let mut summary = format!("{} of istiod{}", counted(istiods, "pod"), place(&scope, true));
        if !names.is_empty() {
            summary =
                format!("{summary}, {} {}", if names.len() == 1 { "revision" } else { "revisions" }, names.join(", "));
        }
        let data = IstiodPodsData {
            namespaces: namespaces(&scope),
            revisions,
            pods: pods.iter().map(|pod| IstiodPod::of(pod, &family)).collect(),
            manifests: pods,
        };
        Judgement { commands: commands(input, &data), findings, skipped, summary, data }
    }

    fn raw(_: &IstiodPodsInput, data: &IstiodPodsData) -> Option<String> {
        if data.manifests.is_empty() {
            let only = if let [one] = data.namespaces.as_slice() { Some(one.as_str()) } else { None };
            return Some(nothing_found(only));
        }
        // The guide's command prints YAML.
        Some(manifests_yaml(&data.manifests))
    }
}

fn commands(input: &IstiodPodsInput, data: &IstiodPodsData) -> Vec<String> {
    let mut labels: Vec<String> = input.selector.iter().cloned().collect();
    if input.all_namespaces && labels.is_empty() {
        labels.push(ISTIOD.to_owned());
    }
    if let (Some(_), [revision]) = (&input.revision, data.revisions.as_slice()) {
        labels.push(format!("istio.io/rev={}", revision.revision));
    }
    let selector = if labels.is_empty() { String::new() } else { format!(" --selector {}", quoted(&labels.join(","))) };
    if data.namespaces.is_empty() {
        return vec![format!("kubectl get pod{selector} --all-namespaces --output yaml")];
    }
    let command = |namespace: &String| format!("kubectl get pod{selector} --namespace {namespace} --output yaml");
    data.namespaces.iter().take(20).map(command).collect()
}

/// Pods by revision.
type ByRevision<'a> = BTreeMap<&'a str, Vec<&'a Object>>;
