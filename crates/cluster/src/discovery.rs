//! Which resources the API server knows, and finding one by any name that kubectl accepts.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use serde::Deserialize;

use super::{Cluster, Error};

/// How long a discovery is good for: a new CRD shows up after a minute.
const GOOD_FOR_S: i64 = 60;

/// One resource type of the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Empty for the core group.
    pub group: String,
    pub version: String,
    pub plural: String,
    pub singular: String,
    pub kind: String,
    pub namespaced: bool,
    pub short_names: Vec<String>,
    pub listable: bool,
}

impl Resource {
    /// A resource that needs no discovery, since every cluster has it under these names.
    pub fn known(group: &str, version: &str, plural: &str, kind: &str, namespaced: bool) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            singular: kind.to_ascii_lowercase(),
            kind: kind.to_owned(),
            namespaced,
            short_names: Vec::new(),
            listable: true,
        }
    }

    pub fn pods() -> Self {
        Self::known("", "v1", "pods", "Pod", true)
    }

    pub fn namespaces() -> Self {
        Self::known("", "v1", "namespaces", "Namespace", false)
    }

    pub fn services() -> Self {
        Self::known("", "v1", "services", "Service", true)
    }

    pub fn events() -> Self {
        Self::known("", "v1", "events", "Event", true)
    }

    pub fn deployments() -> Self {
        Self::known("apps", "v1", "deployments", "Deployment", true)
    }

    pub fn replica_sets() -> Self {
        Self::known("apps", "v1", "replicasets", "ReplicaSet", true)
    }

    pub fn mutating_webhook_configurations() -> Self {
        let (plural, kind) = ("mutatingwebhookconfigurations", "MutatingWebhookConfiguration");
        Self::known("admissionregistration.k8s.io", "v1", plural, kind, false)
    }

    pub fn custom_resource_definitions() -> Self {
        Self::known("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", false)
    }

    /// `deployments.apps`, or `pods` for the core group: the name that is never ambiguous.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    fn is_called(&self, name: &str) -> bool {
        let name_of = |own: &str| own.eq_ignore_ascii_case(name);
        name_of(&self.plural)
            || name_of(&self.singular)
            || name_of(&self.kind)
            || self.short_names.iter().any(|short| name_of(short))
    }
}

/// The resource types of a cluster, in the API server's order: group priority first, preferred versions only.
#[derive(Debug, Default)]
pub struct Discovery {
    pub resources: Vec<Resource>,
    /// Group versions that could not be read.
    pub failed: Vec<String>,
}

impl Discovery {
    /// Every type that goes by this name, kubectl's choice first: `deploy`, `deployments`, `Deployment`,
    /// `deployments.apps`, `deployments.v1.apps` (<https://kubernetes.io/docs/reference/kubectl/#resource-types>).
    pub fn find(&self, name: &str) -> Vec<&Resource> {
        let plain: Vec<_> = self.resources.iter().filter(|resource| resource.is_called(name)).collect();
        if !plain.is_empty() {
            return plain;
        }
        let Some((name, group)) = name.split_once('.') else { return Vec::new() };
        let qualified = |resource: &&Resource| {
            resource.is_called(name)
                && (resource.group == group
                    || group
                        .strip_prefix(resource.version.as_str())
                        .is_some_and(|rest| rest.strip_prefix('.').unwrap_or(rest) == resource.group))
        };
        self.resources.iter().filter(qualified).collect()
    }

    /// The types whose names are most like this one.
    pub fn similar(&self, name: &str) -> Vec<String> {
        let name = name.to_ascii_lowercase();
        let mut scored: Vec<_> = self
            .resources
            .iter()
            .map(|resource| (strsim::jaro_winkler(&name, &resource.plural), resource.qualified()))
            .filter(|(score, _)| *score > 0.8)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        scored.into_iter().map(|(_, name)| name).take(3).collect()
    }
}

#[derive(Deserialize)]
struct Groups {
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    #[serde(default)]
    versions: Vec<GroupVersion>,
    #[serde(rename = "preferredVersion")]
    preferred: Option<GroupVersion>,
}

#[derive(Deserialize, Clone)]
struct GroupVersion {
    version: String,
}

#[derive(Deserialize)]
struct Resources {
    #[serde(default)]
    resources: Vec<ApiResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiResource {
    name: String,
    #[serde(default)]
    singular_name: String,
    #[serde(default)]
    namespaced: bool,
    kind: String,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    short_names: Vec<String>,
}

impl Cluster {
    /// The resource types of the cluster, read at most once a minute.
    pub async fn discovery(&self) -> Result<Arc<Discovery>, Error> {
        let mut cached = self.shared.discovery.lock().await;
        let now = self.now();
        if let Some((at, discovery)) = cached.as_ref()
            && now.as_second() - at.as_second() < GOOD_FOR_S
        {
            return Ok(Arc::clone(discovery));
        }
        let discovery = Arc::new(self.discover().await?);
        *cached = Some((now, Arc::clone(&discovery)));
        Ok(discovery)
    }

    /// The resource type of that name, with others that go by it too.
    pub async fn resource(&self, name: &str) -> Result<(Resource, Vec<Resource>), Error> {
        let discovery = self.discovery().await?;
        let mut found = discovery.find(name).into_iter().cloned();
        if let Some(first) = found.next() {
            return Ok((first, found.collect()));
        }
        let name: String = name.chars().take(80).collect();
        let mut why = format!("the server has no resource type {name:?}");
        let similar = discovery.similar(&name);
        if !similar.is_empty() {
            why = format!("{why}; similar: {}", similar.join(", "));
        } else if !discovery.failed.is_empty() {
            why = format!("{why}; these groups could not be read: {}", discovery.failed.join(", "));
        }
        Err(Error::Input { field: "resource", why })
    }

    async fn discover(&self) -> Result<Discovery, Error> {
        let groups: Groups = self.get_json("API groups", "/apis", &[], "application/json").await?;
        let mut versions = vec![(String::new(), "v1".to_owned())];
        for group in groups.groups {
            let preferred = group.preferred.or_else(|| group.versions.first().cloned());
            let preferred = preferred.map(|version| version.version);
            versions.extend(preferred.iter().map(|version| (group.name.clone(), version.clone())));
            let others = group.versions.into_iter().map(|version| version.version);
            versions.extend(others.filter(|v| Some(v) != preferred.as_ref()).map(|v| (group.name.clone(), v)));
        }
        let read = |(group, version): (String, String)| async move {
            let path = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
            let what = format!("resources of {path}");
            (group, version, self.get_json::<Resources>(&what, &path, &[], "application/json").await)
        };
        let lists: Vec<_> = stream::iter(versions).map(read).buffered(8).collect().await;

        let mut discovery = Discovery::default();
        for (group, version, list) in lists {
            match list {
                Ok(list) => discovery.add(&group, &version, list.resources),
                Err(error) if error.is_fatal() => return Err(error),
                Err(_) => discovery.failed.push(format!("{group}/{version}")),
            }
        }
        Ok(discovery)
    }
}

impl Discovery {
    fn add(&mut self, group: &str, version: &str, resources: Vec<ApiResource>) {
        for resource in resources.into_iter().filter(|resource| !resource.name.contains('/')) {
            // A type that the preferred version has is not read through an older one.
            if self.resources.iter().any(|known| known.group == group && known.plural == resource.name) {
                continue;
            }
            let singular = match resource.singular_name {
                name if name.is_empty() => resource.kind.to_ascii_lowercase(),
                name => name,
            };
            self.resources.push(Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                plural: resource.name,
                singular,
                kind: resource.kind,
                namespaced: resource.namespaced,
                short_names: resource.short_names,
                listable: resource.verbs.iter().any(|verb| verb == "list"),
            });
        }
    }
}
