//! The mesh itself: objects by kind, and the questions that rules ask about them.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::config::MeshConfigs;
use super::documents::Malformed;
use super::hosts::HostMap;
use super::kind::{Kind, KindSet};
use super::labels::{self, LabelIndex};
use super::membership::Workload;
use super::object::Object;
use super::perspective::Perspective;
use super::view::View;
use super::workloads;

/// An immutable picture of a cluster's objects at one moment.
#[derive(Debug)]
pub struct Mesh {
    pub(super) stores: [Arc<Store>; Kind::COUNT],
    pub(super) context: Arc<Context>,
    pub(super) perspective: Perspective,
    pub(super) configs: Arc<MeshConfigs>,
    pub(super) hosts: OnceLock<HostMap>,
    pub(super) workloads: OnceLock<Vec<workloads::Entry>>,
    pub(super) domain: OnceLock<String>,
    pub(super) asked: AtomicU64,
}

/// What is true of the whole picture, from whatever perspective.
#[derive(Debug)]
pub(super) struct Context {
    pub taken_at: Timestamp,
    pub istio_namespace: String,
    pub live: bool,
    pub provided: KindSet,
    pub unreadable: Vec<(Kind, String)>,
    pub malformed: Vec<Malformed>,
    pub mesh_config_file: Option<String>,
    pub mesh_networks_file: Option<String>,
}

/// The objects of one kind, sorted by cluster (the local one first), namespace and name.
#[derive(Debug, Default)]
pub(super) struct Store {
    objects: Vec<Arc<Object>>,
    clusters: Vec<Range<usize>>,
    labels: OnceLock<LabelIndex>,
    /// The labels on the pod template instead of those on the object.
    template_labels: OnceLock<LabelIndex>,
    selectors: OnceLock<LabelIndex>,
}

/// Which labels a selector is compared with.
#[derive(Clone, Copy)]
enum Labels {
    Own,
    Template,
}

impl Labels {
    fn of(self, object: &Object) -> View<'_> {
        match self {
            Self::Own => object.labels(),
            Self::Template => Workload::of_deployment(object).labels,
        }
    }
}

impl Store {
    /// `objects` must be sorted.
    pub(super) fn new(objects: Vec<Arc<Object>>) -> Self {
        let mut clusters: Vec<Range<usize>> = Vec::new();
        for (index, object) in objects.iter().enumerate() {
            match clusters.last_mut() {
                Some(range) if objects[range.start].cluster() == object.cluster() => range.end = index + 1,
                _ => clusters.push(index..index + 1),
            }
        }
        Self { objects, clusters, ..Self::default() }
    }

    pub(super) fn objects(&self) -> &[Arc<Object>] {
        &self.objects
    }

    fn namespace_ranges(&self, namespace: &str) -> impl Iterator<Item = Range<usize>> {
        self.clusters.iter().map(move |cluster| {
            let objects = &self.objects[cluster.clone()];
            let start = objects.partition_point(|object| object.namespace() < namespace);
            let length = objects[start..].partition_point(|object| object.namespace() == namespace);
            cluster.start + start..cluster.start + start + length
        })
    }

    pub(super) fn find(&self, namespace: &str, name: &str) -> Option<&Object> {
        self.place_of(namespace, name).map(|place| self.objects[place].as_ref())
    }

    /// Where among the objects the one of this name is; of the local cluster, if several clusters have one.
    pub(super) fn place_of(&self, namespace: &str, name: &str) -> Option<usize> {
        self.clusters.iter().find_map(|cluster| {
            let objects = &self.objects[cluster.clone()];
            let found = objects
                .binary_search_by(|object| object.namespace().cmp(namespace).then_with(|| object.name().cmp(name)));
            found.ok().map(|index| cluster.start + index)
        })
    }
}

impl Mesh {
    /// When the picture was taken. Rules that depend on the time, such as an expired certificate, take it from here.
    pub fn taken_at(&self) -> Timestamp {
        self.context.taken_at
    }

    /// Where the control plane lives.
    pub fn istio_namespace(&self) -> &str {
        &self.context.istio_namespace
    }

    /// Whether rules answer exactly as `istioctl analyze` does, its oddities included.
    pub fn is_compatible(&self) -> bool {
        self.perspective.compatible
    }

    pub fn perspective(&self) -> &Perspective {
        &self.perspective
    }

    /// Whether objects come from a cluster, as opposed to files alone.
    pub fn is_live(&self) -> bool {
        self.context.live
    }

    /// The kinds that some source could tell about. A rule that reads another is skipped.
    pub fn provided(&self) -> KindSet {
        self.context.provided
    }

    /// Why a kind could not be read, if that is known.
    pub fn why_unreadable(&self, kind: Kind) -> Option<&str> {
        self.context.unreadable.iter().find(|(unreadable, _)| *unreadable == kind).map(|(_, why)| why.as_str())
    }

    /// Documents and objects that could not be read.
    pub fn malformed(&self) -> &[Malformed] {
        &self.context.malformed
    }

    /// The kinds that were asked for so far.
    pub fn asked(&self) -> KindSet {
        KindSet::from_bits(self.asked.load(Ordering::Relaxed))
    }

    pub fn forget_asked(&self) {
        self.asked.store(0, Ordering::Relaxed);
    }

    /// The number of objects of all kinds.
    pub fn len(&self) -> usize {
        self.stores.iter().map(|store| store.objects.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether objects come from more than one cluster.
    pub fn has_several_clusters(&self) -> bool {
        let mut firsts = self.stores.iter().flat_map(|store| store.clusters.iter().map(|it| &store.objects[it.start]));
        firsts.next().is_some_and(|first| firsts.any(|other| other.cluster() != first.cluster()))
    }

    /// Every object of a kind, of all clusters, sorted by cluster, namespace and name.
    pub fn each(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Object> + ExactSizeIterator {
        self.store(kind).objects.iter().map(Arc::as_ref)
    }

    /// The same, to be kept beyond the mesh.
    pub fn each_shared(&self, kind: Kind) -> &[Arc<Object>] {
        &self.store(kind).objects
    }

    /// The objects of a kind in a namespace.
    pub fn in_namespace<'m>(&'m self, kind: Kind, namespace: &str) -> impl Iterator<Item = &'m Object> {
        let store = self.store(kind);
        store.namespace_ranges(namespace).flat_map(|range| store.objects[range].iter().map(Arc::as_ref))
    }

    /// The object of this name; of the local cluster, if several clusters have one.
    pub fn find(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Object> {
        self.store(kind).find(namespace, name)
    }

    /// The Namespace object of this name.
    pub fn namespace(&self, name: &str) -> Option<&Object> {
        self.find(Kind::Namespace, "", name)
    }

    /// The objects of a kind whose labels match a selector (a map of labels; an empty one matches all), in the given
    /// namespace or in all.
    pub fn labelled<'m>(&'m self, kind: Kind, selector: View<'_>, namespace: Option<&str>) -> Vec<&'m Object> {
        let mut found = Vec::new();
        self.visit_labelled(kind, Labels::Own, selector, namespace, |object| {
            found.push(object);
            true
        });
        found
    }

    /// Whether there is one of them that passes a test.
    pub fn has_labelled(
        &self,
        kind: Kind,
        selector: View<'_>,
        namespace: Option<&str>,
        test: impl Fn(&Object) -> bool,
    ) -> bool {
        let mut found = false;
        self.visit_labelled(kind, Labels::Own, selector, namespace, |object| {
            found = test(object);
            !found
        });
        found
    }

    /// Whether there is a Deployment whose pods would match a selector and pass a test.
    pub fn has_template(
        &self,
        selector: View<'_>,
        namespace: Option<&str>,
        test: impl Fn(Workload<'_>) -> bool,
    ) -> bool {
        let mut found = false;
        self.visit_labelled(Kind::Deployment, Labels::Template, selector, namespace, |deployment| {
            found = test(Workload::of_deployment(deployment));
            !found
        });
        found
    }

    /// Goes through them until the visitor has seen enough.
    fn visit_labelled<'m>(
        &'m self,
        kind: Kind,
        labels: Labels,
        selector: View<'_>,
        namespace: Option<&str>,
        mut visit: impl FnMut(&'m Object) -> bool,
    ) {
        let store = self.store(kind);
        let index = match labels {
            Labels::Own => &store.labels,
            Labels::Template => &store.template_labels,
        };
        let index =
            index.get_or_init(|| LabelIndex::of_all_pairs(store.objects.iter().map(|object| labels.of(object))));
        let whole = std::iter::once(0..store.objects.len());
        let ranges: Vec<Range<usize>> = match namespace {
            Some(namespace) => store.namespace_ranges(namespace).collect(),
            None => whole.collect(),
        };
        let candidates = index.candidates(selector);
        for range in ranges {
            let Some(candidates) = candidates else {
                if !store.objects[range].iter().map(Arc::as_ref).all(&mut visit) {
                    return;
                }
                continue;
            };
            let start = candidates.partition_point(|position| (*position as usize) < range.start);
            let length = candidates[start..].partition_point(|position| (*position as usize) < range.end);
            for position in &candidates[start..start + length] {
                let object = store.objects[*position as usize].as_ref();
                if labels::matches(selector, labels.of(object)) && !visit(object) {
                    return;
                }
            }
        }
    }

    /// The Services of a namespace that select these labels, in order. A Service without a selector is not among them.
    pub fn services_selecting<'m>(&'m self, namespace: &'m str, labels: View<'_>) -> Vec<&'m Object> {
        let store = self.store(Kind::Service);
        let index = store.selectors.get_or_init(|| {
            LabelIndex::of_first_pair(store.objects.iter().map(|service| service.spec().get("selector")))
        });
        let mut positions: Vec<u32> = Vec::new();
        for range in store.namespace_ranges(namespace) {
            for (key, value) in labels.entries() {
                let candidates = index.under(key, value.written());
                let start = candidates.partition_point(|position| (*position as usize) < range.start);
                let within = candidates[start..].iter().take_while(|position| (**position as usize) < range.end);
                positions.extend(within);
            }
        }
        positions.sort_unstable();
        positions.dedup();
        let services = positions.into_iter().map(|position| store.objects[position as usize].as_ref());
        services.filter(|service| labels::matches(service.spec().get("selector"), labels)).collect()
    }

    /// The Services of a namespace that have no selector at all.
    pub fn services_without_selector<'m>(&'m self, namespace: &'m str) -> impl Iterator<Item = &'m Object> {
        self.in_namespace(Kind::Service, namespace).filter(|service| service.spec().get("selector").is_empty())
    }

    /// Hosts of `ServiceEntries` and Services, by scope.
    pub fn hosts(&self) -> &HostMap {
        self.hosts.get_or_init(|| HostMap::new(self))
    }

    fn store(&self, kind: Kind) -> &Store {
        let bit = KindSet::default().with(kind).bits();
        if self.asked.load(Ordering::Relaxed) & bit == 0 {
            self.asked.fetch_or(bit, Ordering::Relaxed);
        }
        &self.stores[kind as usize]
    }
}
