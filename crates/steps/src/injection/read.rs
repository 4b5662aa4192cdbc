//! Reads what injection depends on.

use std::collections::{BTreeMap, BTreeSet};

use futures::future;

use super::{Backends, InjectorConfig, REVISION, WebhookConfiguration};
use crate::resource_status::{gather, object::Object};
use cluster::{Cluster, Error, Istiod, Resource, Scope, read};
use report::{Read, Skipped};

/// A list of which a part may be missing: the part is noted, the rest is used.
pub(crate) async fn objects(
    cluster: &Cluster,
    resource: &Resource,
    scope: &Scope,
    selector: Option<&str>,
    skipped: &mut Vec<Skipped>,
) -> Result<Read<Vec<Object>>, Error> {
    let listed = match gather::list(cluster, resource, scope, selector).await {
        // Namespaces that do not exist hold no objects; one alone is answered by the API server with an empty list.
        Err(Error::NotFound { .. }) => return Ok(Ok(Vec::new())),
        listed => read(listed)?,
    };
    Ok(match listed {
        Ok(listed) => {
            skipped.extend(listed.skipped);
            Ok(listed.items)
        }
        Err(part) => {
            skipped.push(part.clone());
            Err(part)
        }
    })
}

/// A list of which no part may be missing: what is absent from it does not exist.
pub(crate) async fn whole(
    cluster: &Cluster,
    resource: &Resource,
    scope: &Scope,
    selector: Option<&str>,
    skipped: &mut Vec<Skipped>,
) -> Result<Read<Vec<Object>>, Error> {
    let before = skipped.len();
    let list = objects(cluster, resource, scope, selector, skipped).await?;
    Ok(match skipped.get(before) {
        Some(part) => Err(part.clone()),
        None => list,
    })
}

pub(crate) fn config_maps() -> Resource {
    Resource::known("", "v1", "configmaps", "ConfigMap", true)
}

pub(crate) fn endpoint_slices() -> Resource {
    Resource::known("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true)
}

/// Everything that decides over injection, apart from the pods.
#[derive(Debug)]
pub(crate) struct Injection {
    pub(crate) configurations: Read<Vec<WebhookConfiguration>>,
    pub(crate) backends: Backends,
    /// By the namespace of the control plane and the revision.
    pub(crate) configs: BTreeMap<(String, String), InjectorConfig>,
    pub(crate) istiods: Read<Vec<Istiod>>,
    pub(crate) skipped: Vec<Skipped>,
}

impl Injection {
    pub(crate) async fn read(cluster: &Cluster) -> Result<Self, Error> {
        let mut skipped = Vec::new();
        let webhooks =
            whole(cluster, &Resource::mutating_webhook_configurations(), &Scope::All, None, &mut skipped).await?;
        let configurations = webhooks.map(|all| all.iter().filter_map(WebhookConfiguration::of).collect::<Vec<_>>());
        let istiods = match read(cluster.control_plane(&[]).await)? {
            Ok(found) => {
                let hidden = found.skipped.first().cloned();
                skipped.extend(found.skipped);
                // Where a part could not be seen, it may run there.
                match hidden {
                    Some(part) if found.istiods.is_empty() => Err(part),
                    _ => Ok(found.istiods),
                }
            }
            Err(part) => {
                skipped.push(part.clone());
                Err(part)
            }
        };

        let services = configurations.as_ref().ok().into_iter().flatten().flat_map(|found| &found.webhooks);
        let mut places: BTreeSet<String> =
            services.filter_map(|w| Some(w.service.as_ref()?.namespace.clone())).collect();
        let control_planes = istiods.as_ref().ok().into_iter().flatten();
        places.extend(control_planes.filter_map(|istiod| istiod.pod.metadata.namespace.clone()));
        places.retain(|place| !place.is_empty());
        if places.is_empty() {
            let nothing =
                Backends { services: Ok(BTreeSet::new()), ready: Ok(BTreeMap::new()), roots: Ok(BTreeMap::new()) };
            return Ok(Self { configurations, backends: nothing, configs: BTreeMap::new(), istiods, skipped });
        }
        let scope = Scope::Namespaces(places.into_iter().collect());
        let (mut some, mut more, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let (services, slices, maps) = (Resource::services(), endpoint_slices(), config_maps());
        let (services, slices, maps) = future::join3(
            whole(cluster, &services, &scope, None, &mut some),
            whole(cluster, &slices, &scope, None, &mut more),
            whole(cluster, &maps, &scope, None, &mut others),
        )
        .await;
        let (services, slices, maps) = (services?, slices?, maps?);
        skipped.extend(some.into_iter().chain(more).chain(others));
        let configs = maps.as_ref().map(|maps| injector_configs(maps)).unwrap_or_default();
        let backends = Backends::of(&services, &slices, &maps);
        Ok(Self { configurations, backends, configs, istiods, skipped })
    }

    /// The configurations; none where they could not be read.
    pub(crate) fn known(&self) -> &[WebhookConfiguration] {
        self.configurations.as_deref().unwrap_or_default()
    }

    /// The injector's `ConfigMap` behind a webhook configuration.
    pub(crate) fn config_of(&self, found: &WebhookConfiguration) -> Option<&InjectorConfig> {
        let service = found.webhooks.iter().find_map(|webhook| webhook.service.as_ref())?;
        self.configs.get(&(service.namespace.clone(), found.revision.clone()))
    }

    /// Revisions with a ready istiod.
    pub(crate) fn running(&self) -> BTreeSet<&str> {
        let istiods = self.istiods.as_ref().ok().into_iter().flatten();
        istiods.filter(|istiod| crate::target::is_ready(&istiod.pod)).map(|istiod| istiod.revision.as_str()).collect()
    }
}

fn injector_configs(maps: &[Object]) -> BTreeMap<(String, String), InjectorConfig> {
    let named = maps.iter().filter(|map| map.name().starts_with("istio-sidecar-injector"));
    named
        .filter_map(|map| {
            let by_name = map.name().strip_prefix("istio-sidecar-injector-").unwrap_or("default");
            let revision = map.label(REVISION).unwrap_or(by_name).to_owned();
            Some(((map.namespace()?.to_owned(), revision), InjectorConfig::of(map)?))
        })
        .collect()
}
