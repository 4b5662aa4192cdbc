//! The cluster's objects as a mesh.

use futures::{StreamExt as _, stream};

use super::{Cluster, Error, Listed, Resource, Scope, read};
use mesh::{Extent, Kind, KindSet, LOCAL_CLUSTER, MeshBuilder, Settings, Tree};

/// Kinds that are listed at once.
const AT_ONCE: usize = 6;

impl Cluster {
    /// A builder filled with every object that rules read. A kind that the cluster does not serve has no objects; one
    /// that may not be read is noted as such.
    pub async fn mesh_builder(&self, istio_namespace: String) -> Result<MeshBuilder, Error> {
        self.fill_mesh(Settings { istio_namespace, live: true, ..Settings::new(self.now()) }).await
    }

    /// A builder filled with the whole mesh, as far as these kinds tell; besides them, what says which revisions there are and how they are
    /// configured.
    pub async fn whole_mesh(&self, kinds: KindSet) -> Result<MeshBuilder, Error> {
        let basic =
            [Kind::Namespace, Kind::Service, Kind::ConfigMap, Kind::Deployment, Kind::MutatingWebhookConfiguration];
        let kinds = basic.into_iter().fold(kinds, KindSet::with);
        let istio_namespace = self.istio_namespace().await?;
        let settings =
            Settings { istio_namespace, live: true, extent: Extent::Whole, kinds, ..Settings::new(self.now()) };
        self.fill_mesh(settings).await
    }

    async fn fill_mesh(&self, settings: Settings) -> Result<MeshBuilder, Error> {
        let discovery = self.discovery().await?;
        let wanted = settings.clone();
        let kinds = || Kind::readable().filter(|kind| wanted.covers(*kind));
        let mut builder = MeshBuilder::new(settings);
        let listable: Vec<(Kind, Resource)> = kinds()
            .filter(|kind| !kind.plural().is_empty())
            .filter_map(|kind| {
                let served = |resource: &&Resource| resource.group == kind.group() && resource.plural == kind.plural();
                let resource = discovery.resources.iter().find(served)?;
                // `istioctl` reads each kind in one fixed version; the preferred one of the server may be another.
                Some((kind, Resource { version: kind.version().to_owned(), ..resource.clone() }))
            })
            .collect();
        let lists: Vec<_> = stream::iter(listable)
            .map(|(kind, resource)| async move {
                let listed = self.list::<Tree>(&resource, &Scope::All, None).await;
                (kind, resource, listed)
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        for (kind, resource, listed) in lists {
            // A version that is not served here has no objects for us.
            if matches!(listed, Err(Error::NotFound { .. })) {
                continue;
            }
            match read(listed)? {
                Ok(Listed { items, skipped }) => {
                    for tree in items {
                        builder.add_tree(kind, LOCAL_CLUSTER, tree);
                    }
                    if let Some(part) = skipped.first() {
                        builder.add_unreadable(kind, &part.why);
                    }
                }
                Err(skipped) => builder.add_unreadable(kind, &format!("{}: {}", resource.plural, skipped.why)),
            }
        }
        for group in &discovery.failed {
            for kind in kinds().filter(|kind| group.starts_with(&format!("{}/", kind.group()))) {
                builder.add_unreadable(kind, &format!("the API group {group} could not be read"));
            }
        }
        Ok(builder)
    }

    /// The namespace of the control plane: the one that was set, else where istiod runs, else upstream's.
    pub async fn istio_namespace(&self) -> Result<String, Error> {
        if let Some(namespace) = &self.settings().istio_namespace {
            return Ok(namespace.clone());
        }
        let found = match read(self.control_plane(&[]).await)? {
            Ok(control_plane) => control_plane.namespaces().into_iter().next(),
            Err(_) => None,
        };
        Ok(found.unwrap_or_else(|| "istio-system".to_owned()))
    }
}

/// A cluster without anything, for what is judged from files alone.
pub fn nothing() -> Cluster {
    let service = tower::service_fn(|_: http::Request<kube::client::Body>| async {
        Err::<http::Response<kube::client::Body>, _>(std::io::Error::other("there is no cluster"))
    });
    let client = kube::Client::new(service, "default");
    Cluster::new(
        client,
        "files".to_owned(),
        super::Source::Recording { name: "files".to_owned(), skipped: Vec::new() },
        crate::clock::Clock::System,
        super::Settings::default(),
    )
}
