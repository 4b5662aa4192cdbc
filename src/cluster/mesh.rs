//! The cluster's objects as a mesh.

use futures::{StreamExt as _, stream};

use super::{Cluster, Error, Listed, Resource, Scope, read};
use crate::mesh::{Extent, Kind, LOCAL_CLUSTER, MeshBuilder, Settings, Tree};

/// Kinds that are listed at once.
const AT_ONCE: usize = 6;

impl Cluster {
    /// A builder filled with every object that rules read. A kind that the cluster does not serve has no objects; one
    /// that may not be read is noted as such.
    pub async fn mesh_builder(&self, istio_namespace: String, extent: Extent) -> Result<MeshBuilder, Error> {
        let discovery = self.discovery().await?;
        let settings = Settings { istio_namespace, live: true, extent, ..Settings::new(self.now()) };
        let kinds = || Kind::readable().filter(|kind| kind.is_analyzed() || extent == Extent::Whole);
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
