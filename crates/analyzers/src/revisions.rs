//! Which control planes are installed, and which of them serves a namespace.

use std::collections::{BTreeMap, BTreeSet};

use mesh::versions::numbers;
use mesh::{INJECTION, Kind, Mesh, Object, REVISION};

/// The kinds that [`Revisions::new`] asks the mesh for.
pub(super) const READS: [Kind; 3] = [Kind::Deployment, Kind::ConfigMap, Kind::MutatingWebhookConfiguration];

/// How the names of the `ConfigMaps` with the injectors' settings begin.
pub(super) const INJECTOR: &str = "istio-sidecar-injector";

/// The name of a revision that was installed without one.
const UNNAMED: &str = "default";

/// The installed revisions and the tags that stand for them.
/// See [canary upgrades](https://istio.io/latest/docs/setup/upgrade/canary/#stable-revision-labels).
pub(super) struct Revisions<'m> {
    /// The newest last, as far as their names tell.
    installed: Vec<&'m str>,
    tags: BTreeMap<&'m str, &'m str>,
}

impl<'m> Revisions<'m> {
    pub(super) fn new(mesh: &'m Mesh) -> Self {
        let mut installed: Vec<&str> = installed(mesh).into_iter().collect();
        installed.sort_by_cached_key(|name| (numbers(name), *name));
        Self { installed, tags: mesh.tags() }
    }

    /// The revision that a label's value means.
    pub(super) fn resolve<'n>(&self, name: &'n str) -> &'n str
    where
        'm: 'n,
    {
        if name.is_empty() { UNNAMED } else { self.tags.get(name).copied().unwrap_or(name) }
    }

    /// The revision whose proxies a namespace's labels ask for. A label `istio-injection` keeps the webhooks of named
    /// revisions from looking further.
    pub(super) fn of_namespace(&self, namespace: &'m Object) -> Option<&'m str> {
        match (namespace.label(INJECTION), namespace.label(REVISION)) {
            (Some("enabled"), _) => Some(self.resolve(UNNAMED)),
            (None, Some(revision)) if !revision.is_empty() => Some(self.resolve(revision)),
            _ => None,
        }
    }

    /// Whether there is a control plane for it. Where none can be seen, it may be one outside the cluster.
    pub(super) fn is_served(&self, revision: &str) -> bool {
        self.installed.is_empty() || self.installed.contains(&self.resolve(revision))
    }

    /// The label that makes a namespace part of the mesh here.
    pub(super) fn advised_label(&self) -> String {
        match self.installed.last() {
            Some(newest) if !self.is_served(UNNAMED) => format!("{REVISION}={newest}"),
            _ => format!("{INJECTION}=enabled"),
        }
    }

    pub(super) fn installed(&self) -> &[&'m str] {
        &self.installed
    }
}

/// The revisions of the control planes that run here; where none does, those that proxies are configured for.
fn installed(mesh: &Mesh) -> BTreeSet<&str> {
    let home = mesh.istio_namespace();
    let is_istiod = |it: &&Object| it.namespace() == home && it.label("app") == Some("istiod");
    let is_injector = |it: &&Object| it.namespace() == home && it.name().starts_with(INJECTOR);
    let control_planes = mesh.each(Kind::Deployment).filter(is_istiod);
    let injectors = mesh.each(Kind::ConfigMap).filter(is_injector);
    let webhooks = mesh.each(Kind::MutatingWebhookConfiguration).filter(|it| it.label(REVISION).is_some());
    let of = |it| Object::label(it, REVISION).unwrap_or(UNNAMED);
    let revisions: BTreeSet<&str> = control_planes.map(of).collect();
    let revisions = if revisions.is_empty() { injectors.map(of).collect() } else { revisions };
    if revisions.is_empty() { webhooks.map(of).collect() } else { revisions }
}
