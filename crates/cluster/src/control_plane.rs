//! Where istiod runs, in which revisions, and which containers of a pod belong to the mesh.

use k8s_openapi::api::core::v1::Pod;

use super::{Cluster, Error, Listed, Resource, Scope, pod_http::ISTIOD_DEBUG};

/// Labels every istiod carries, whichever way it was installed.
const ISTIOD: &str = "app=istiod";
/// Where to look when the caller may not look everywhere: the AKS add-on's namespace, then upstream's.
const USUAL_NAMESPACES: [&str; 2] = ["aks-istio-system", "istio-system"];

/// One replica of istiod.
#[derive(Debug, Clone)]
pub struct Istiod {
    pub revision: String,
    pub pod: Pod,
}

impl Istiod {
    /// The port of its monitoring and debug pages: what its annotation for Prometheus says, else the usual one
    /// (<https://istio.io/latest/docs/ops/integrations/prometheus/>).
    pub fn debug_port(&self) -> u16 {
        let annotations = self.pod.metadata.annotations.as_ref();
        let port = annotations.and_then(|annotations| annotations.get("prometheus.io/port"));
        port.and_then(|port| port.parse().ok()).filter(|port| *port != 0).unwrap_or(ISTIOD_DEBUG)
    }
}

/// The pods of istiod.
#[derive(Debug, Clone, Default)]
pub struct ControlPlane {
    pub istiods: Vec<Istiod>,
    pub skipped: Vec<report::Skipped>,
}

impl ControlPlane {
    /// The namespaces that istiod runs in.
    pub fn namespaces(&self) -> Vec<String> {
        let mut names: Vec<_> = self.istiods.iter().filter_map(|i| i.pod.metadata.namespace.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    pub fn revisions(&self) -> Vec<String> {
        let mut names: Vec<_> = self.istiods.iter().map(|i| i.revision.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Cluster {
    /// Finds istiod: in the namespaces given, else in the one that was set, else everywhere the caller may look.
    pub async fn control_plane(&self, namespaces: &[String]) -> Result<ControlPlane, Error> {
        let set: Vec<String> = self.settings().istio_namespace.iter().cloned().collect();
        let places = if namespaces.is_empty() { &set } else { namespaces };
        let listed: Listed<Pod> = match self.list(&Resource::pods(), &Scope::of(places), Some(ISTIOD)).await {
            Err(Error::Forbidden { .. }) if places.is_empty() => {
                let usual = USUAL_NAMESPACES.map(str::to_owned);
                self.list(&Resource::pods(), &Scope::Namespaces(usual.to_vec()), Some(ISTIOD)).await?
            }
            listed => listed?,
        };
        let mut pods = listed.items;
        if places.is_empty() {
            self.drop_those_of_tenants(&mut pods).await?;
        }
        let istiods = pods.into_iter().map(|pod| Istiod { revision: revision(&pod), pod }).collect();
        Ok(ControlPlane { istiods, skipped: listed.skipped })
    }

    /// Whoever may make a pod may give it istiod's label. It is one in a usual namespace, or in one that a webhook of Istio
    /// names, which only those who run the cluster can make. Where the webhooks cannot be read, the usual ones go first.
    async fn drop_those_of_tenants(&self, pods: &mut Vec<Pod>) -> Result<(), Error> {
        let namespace = |pod: &Pod| pod.metadata.namespace.clone().unwrap_or_default();
        let is_usual = |pod: &Pod| USUAL_NAMESPACES.contains(&namespace(pod).as_str());
        if pods.iter().all(is_usual) {
            return Ok(());
        }
        match self.webhook_namespaces().await? {
            Ok(named) => pods.retain(|pod| is_usual(pod) || named.contains(&namespace(pod))),
            Err(_) if pods.iter().any(is_usual) => pods.retain(is_usual),
            Err(_) => {}
        }
        Ok(())
    }

    /// The namespaces of the Services that Istio's injecting webhooks call.
    async fn webhook_namespaces(&self) -> Result<report::Read<Vec<String>>, Error> {
        let webhooks = Resource::mutating_webhook_configurations();
        let listed = super::read(self.list::<serde_json::Value>(&webhooks, &Scope::All, None).await)?;
        Ok(listed.map(|listed| {
            let all = listed
                .items
                .iter()
                .flat_map(|configuration| configuration["webhooks"].as_array().into_iter().flatten());
            let of_istio =
                all.filter(|webhook| webhook["name"].as_str().is_some_and(|name| name.ends_with(".istio.io")));
            of_istio
                .filter_map(|webhook| webhook["clientConfig"]["service"]["namespace"].as_str().map(str::to_owned))
                .collect()
        }))
    }
}

impl Cluster {
    /// The same, of one revision, named by itself or by a tag. An unknown one is an error that lists those there are.
    pub async fn control_plane_of(&self, namespaces: &[String], revision: Option<&str>) -> Result<ControlPlane, Error> {
        let mut control_plane = self.control_plane(namespaces).await?;
        let Some(name) = revision else { return Ok(control_plane) };
        let revisions = control_plane.revisions();
        let wanted = if revisions.iter().any(|known| known == name) {
            name.to_owned()
        } else {
            self.tagged_revision(name).await?.filter(|target| revisions.contains(target)).ok_or_else(|| {
                let what = format!("istiod of revision or tag {name:?}");
                Error::no_such("revision", what, name, revisions.iter().map(String::as_str))
            })?
        };
        control_plane.istiods.retain(|istiod| istiod.revision == wanted);
        Ok(control_plane)
    }

    /// The revision that a tag points to
    /// (<https://istio.io/latest/docs/setup/upgrade/canary/#stable-revision-labels>).
    async fn tagged_revision(&self, tag: &str) -> Result<Option<String>, Error> {
        let webhooks = Resource::mutating_webhook_configurations();
        let listed = self.list::<serde_json::Value>(&webhooks, &Scope::All, Some("istio.io/tag")).await;
        let Ok(listed) = super::read(listed)? else { return Ok(None) };
        let label =
            |webhook: &serde_json::Value, name: &str| webhook["metadata"]["labels"][name].as_str().map(str::to_owned);
        let tagged = listed.items.iter().find(|webhook| label(webhook, "istio.io/tag").as_deref() == Some(tag));
        Ok(tagged.and_then(|webhook| label(webhook, "istio.io/rev")))
    }
}

/// The revision of an istiod pod: its label `istio.io/rev`, `default` where there is none.
fn revision(pod: &Pod) -> String {
    let labels = pod.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("istio.io/rev")).cloned().unwrap_or_else(|| "default".to_owned())
}
