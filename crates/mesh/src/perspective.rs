//! How a mesh is looked at: as `istioctl` with a revision would see it, or all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use super::config::MeshConfigs;
use super::kind::Kind;
use super::membership::REVISION;
use super::object::Object;
use super::snapshot::{Mesh, Store};
use super::versions;

/// The label that makes a webhook configuration, or a Service, the home of a tag.
pub const TAG: &str = "istio.io/tag";

/// Which objects are seen, and by which rules they are judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Perspective {
    /// Exactly as `istioctl analyze` does, with its oddities.
    pub compatible: bool,
    /// Only objects for this revision, or for one of its tags, and objects for none in particular. Without it,
    /// `istioctl` takes `default`, and we take them all.
    pub revision: Option<String>,
}

impl Mesh {
    /// The same mesh, looked at in another way. Objects are shared, not copied.
    #[must_use]
    pub fn seen_from(&self, perspective: Perspective) -> Mesh {
        let mut stores = self.stores.clone();
        let tags = self.tags();
        for (kind, store) in Kind::readable().zip(&mut stores) {
            let is_hidden = |object: &Object| is_hidden(object, &perspective, &tags);
            let is_outdated = self.is_outdated(kind);
            if !is_outdated && !store.objects().iter().any(|object| is_hidden(object)) {
                continue;
            }
            let seen = store.objects().iter().filter(|object| !is_outdated && !is_hidden(object));
            *store = Arc::new(Store::new(seen.cloned().collect()));
        }
        let configs = Arc::new(MeshConfigs::read(self, &perspective));
        stores[Kind::MeshNetworks as usize] = Arc::new(Store::new(vec![configs.networks()]));
        Mesh {
            stores,
            context: self.context.clone(),
            perspective,
            configs,
            hosts: OnceLock::new(),
            workloads: OnceLock::new(),
            domain: OnceLock::new(),
            asked: AtomicU64::new(0),
        }
    }

    /// Tags and the revisions they stand for.
    ///
    /// A tag is a [webhook configuration](https://istio.io/latest/docs/setup/upgrade/canary/#stable-revision-labels)
    /// (or a Service) labelled with both.
    pub fn tags(&self) -> BTreeMap<&str, &str> {
        let mut tags = BTreeMap::new();
        for kind in [Kind::Service, Kind::MutatingWebhookConfiguration] {
            for object in self.stores[kind as usize].objects() {
                if let (Some(tag), Some(revision)) = (object.label(TAG), object.label(REVISION)) {
                    tags.insert(tag, revision);
                }
            }
        }
        tags
    }

    /// The revisions of which some part of a control plane is here.
    pub fn revisions(&self) -> BTreeSet<&str> {
        let kinds = [Kind::Deployment, Kind::ConfigMap, Kind::MutatingWebhookConfiguration];
        let objects = kinds.into_iter().flat_map(|kind| self.stores[kind as usize].objects());
        let ours = objects.filter(|object| {
            object.kind() == Kind::MutatingWebhookConfiguration || object.namespace() == self.istio_namespace()
        });
        ours.filter_map(|object| object.label(REVISION)).filter(|revision| !revision.is_empty()).collect()
    }

    /// Whether Istio ignores a kind because its CRD is too old.
    fn is_outdated(&self, kind: Kind) -> bool {
        self.context.live
            && kind == Kind::GrpcRoute
            && self.stores[Kind::CustomResourceDefinition as usize]
                .objects()
                .iter()
                .any(|crd| crd.name() == "grpcroutes.gateway.networking.k8s.io" && versions::is_below_minimum(crd))
    }
}

/// Files are read whatever revision they name; so are Kubernetes' Gateways, and what runs.
fn is_hidden(object: &Object, perspective: &Perspective, tags: &BTreeMap<&str, &str>) -> bool {
    let kind = object.kind();
    if object.source().is_some() || kind.is_runtime() || kind == Kind::KubernetesGateway {
        return false;
    }
    let Some(label) = object.label(REVISION) else { return false };
    if perspective.compatible {
        return label != perspective.revision.as_deref().unwrap_or("default");
    }
    let Some(wanted) = perspective.revision.as_deref() else { return false };
    let resolve = |name| tags.get(name).copied().unwrap_or(name);
    !kind.is_control_plane() && resolve(label) != resolve(wanted)
}
