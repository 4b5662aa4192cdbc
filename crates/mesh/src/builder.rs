//! Puts a mesh together from objects, wherever they come from.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde_json::Value;

use super::documents::{self, Malformed};
use super::gateways::is_gateway_settings;
use super::kind::{Kind, KindSet};
use super::object::{LOCAL_CLUSTER, Object};
use super::perspective::Perspective;
use super::snapshot::{Context, Mesh, Store};
use super::tree::Tree;

/// Namespaces that `istioctl` never looks into.
const IGNORED_NAMESPACES: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "local-path-storage"];

/// Whether nothing is known of a namespace's Services and pods, because `istioctl` never looks into it.
pub fn is_ignored_namespace(name: &str) -> bool {
    IGNORED_NAMESPACES.contains(&name)
}

/// What has to be known before the first object.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The moment of the picture.
    pub taken_at: Timestamp,
    pub istio_namespace: String,
    /// The namespace of namespaced objects from files that name none.
    pub default_namespace: String,
    /// Whether files may hold what only a cluster has in `istioctl`: Namespaces, Nodes, Pods, Services, Secrets.
    pub runtime_kinds: bool,
    /// Whether there is a cluster behind it: a kind without objects is then known to have none.
    pub live: bool,
    pub extent: Extent,
    /// The kinds that are asked for; the others are not known.
    pub kinds: KindSet,
}

impl Settings {
    /// Whether objects of a kind are wanted.
    pub fn covers(&self, kind: Kind) -> bool {
        self.kinds.contains(kind) && (kind.is_analyzed() || self.extent == Extent::Whole)
    }
}

/// How much of a cluster a mesh holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extent {
    /// What `istioctl analyze` looks at.
    #[default]
    Analysis,
    /// Also what surrounds it, for the detectors: further kinds, and what Kubernetes itself runs.
    Whole,
}

impl Settings {
    pub fn new(taken_at: Timestamp) -> Self {
        Self {
            taken_at,
            istio_namespace: "istio-system".into(),
            default_namespace: String::new(),
            runtime_kinds: false,
            live: false,
            extent: Extent::Analysis,
            kinds: KindSet::all(),
        }
    }
}

/// Collects objects. Files go before the cluster, the local cluster before remote ones, and of two documents for one
/// object in files the later counts.
#[derive(Debug, Clone)]
pub struct MeshBuilder {
    settings: Settings,
    objects: Vec<(Rank, Arc<Object>)>,
    malformed: Vec<Malformed>,
    unreadable: Vec<(Kind, String)>,
    mesh_config_file: Option<String>,
    mesh_networks_file: Option<String>,
}

/// Which of two objects of the same name counts: the highest.
type Rank = (Origin, usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    RemoteCluster,
    LocalCluster,
    File,
}

impl MeshBuilder {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            objects: Vec::new(),
            malformed: Vec::new(),
            unreadable: Vec::new(),
            mesh_config_file: None,
            mesh_networks_file: None,
        }
    }

    /// Adds an object of a live cluster, as the API server's list has it. Items of lists carry no kind, so it is given.
    pub fn add(&mut self, kind: Kind, cluster: &str, value: &Value) {
        match Tree::from_json(value) {
            Ok(tree) if tree.root().is_map() => self.add_tree(kind, cluster, tree),
            Ok(_) => self.add_malformed(kind.name(), "not an object"),
            Err(error) => self.add_malformed(kind.name(), &error.to_string()),
        }
    }

    /// Adds an object of a live cluster that was decoded into a tree right away.
    pub fn add_tree(&mut self, kind: Kind, cluster: &str, tree: Tree) {
        let remote = cluster != LOCAL_CLUSTER;
        if remote && kind.is_control_plane() {
            return;
        }
        // The configuration of remote clusters counts as that of the local one; what runs there does not.
        let cluster = if kind.is_runtime() { cluster } else { LOCAL_CLUSTER };
        let object = Object::new(kind, cluster.into(), tree, None);
        self.add_shared(if remote { Origin::RemoteCluster } else { Origin::LocalCluster }, Arc::new(object));
    }

    /// Notes an object that could not be decoded.
    pub fn add_malformed(&mut self, from: &str, why: &str) {
        self.malformed.push(Malformed { from: from.to_owned(), line: None, why: why.to_owned() });
    }

    /// Notes that a kind could not be read, so that no rule takes it for empty.
    pub fn add_unreadable(&mut self, kind: Kind, why: &str) {
        self.unreadable.push((kind, why.to_owned()));
    }

    /// How files are read that come on top of a cluster: where an object belongs that names no namespace, and whether
    /// kinds count that `istioctl` takes from a cluster only.
    pub fn read_files_as(&mut self, default_namespace: impl Into<String>, runtime_kinds: bool) {
        self.settings.default_namespace = default_namespace.into();
        self.settings.runtime_kinds = runtime_kinds;
    }

    /// The same objects, as far as they are within an extent.
    #[must_use]
    pub fn within(&self, extent: Extent) -> Self {
        let mut builder = self.clone();
        builder.settings.extent = extent;
        let mut objects = std::mem::take(&mut builder.objects);
        objects.retain(|(_, object)| !builder.is_left_out(object));
        builder.objects = objects;
        builder
    }

    /// Adds the objects of files, given by name and content. An extension `.json` means JSON.
    pub fn add_files<T: AsRef<str>>(&mut self, files: &[(T, T)]) {
        let found = documents::read(files);
        self.malformed.extend(found.malformed);
        self.objects.reserve(found.objects.len());
        for mut object in found.objects {
            if object.kind().is_runtime() && !self.settings.runtime_kinds {
                continue;
            }
            Arc::make_mut(&mut object).put_into_namespace(&self.settings.default_namespace);
            let is_ignored = is_ignored_namespace;
            let is_ignored =
                is_ignored(object.namespace()) || object.kind() == Kind::Namespace && is_ignored(object.name());
            if self.settings.extent == Extent::Analysis && is_ignored || !self.settings.covers(object.kind()) {
                continue;
            }
            self.add_ranked(Origin::File, object);
        }
    }

    /// Takes an object out again; says whether it was there.
    pub fn remove(&mut self, kind: &str, namespace: &str, name: &str) -> bool {
        let before = self.objects.len();
        self.objects.retain(|(_, object)| {
            object.kind().name() != kind || object.namespace() != namespace || object.name() != name
        });
        self.objects.len() < before
    }

    /// Adds the objects of files as those of another cluster.
    pub fn add_files_of_cluster<T: AsRef<str>>(&mut self, cluster: &str, files: &[(T, T)]) {
        let found = documents::read(files);
        self.malformed.extend(found.malformed);
        for object in found.objects {
            let rank = (Origin::RemoteCluster, self.objects.len());
            self.objects.push((rank, Arc::new(Arc::unwrap_or_clone(object).in_cluster(cluster))));
        }
    }

    /// Takes the mesh configuration from a text, in place of the cluster's.
    pub fn mesh_config(&mut self, text: impl Into<String>) {
        self.mesh_config_file = Some(text.into());
    }

    /// Takes the mesh networks from a text, in place of the cluster's.
    pub fn mesh_networks(&mut self, text: impl Into<String>) {
        self.mesh_networks_file = Some(text.into());
    }

    /// Adds the ingress gateway that `istioctl` supposes where there is no cluster: a pod and its Service. Call it
    /// after the mesh configuration is known.
    pub fn add_default_ingress(&mut self) {
        let mut config = super::MeshConfig::default();
        if let Some(text) = &self.mesh_config_file {
            config.apply(text, "file");
        }
        if config.ingress_controller_mode == "OFF" || !self.settings.runtime_kinds {
            return;
        }
        let (namespace, service) = (&self.settings.istio_namespace, &config.ingress_service);
        let selected = serde_json::json!({"istio": "ingressgateway"});
        let pod = serde_json::json!({
            "metadata": {"name": format!("{service}-dummypod"), "namespace": namespace, "labels": selected},
            "spec": {"containers": [{"name": "istio-proxy"}]},
        });
        let port = |name: &str, port: u16| serde_json::json!({"name": name, "port": port, "protocol": "TCP", "targetPort": port});
        let ports = [port("http2", 80), port("https", 443), port("tcp", 31400), port("tls", 15443)];
        let service = serde_json::json!({
            "metadata": {"name": service, "namespace": namespace},
            "spec": {"selector": selected, "ports": ports},
        });
        self.add(Kind::Pod, LOCAL_CLUSTER, &pod);
        self.add(Kind::Service, LOCAL_CLUSTER, &service);
    }

    /// The finished mesh, seen with everything in it and by our own rules.
    pub fn build(mut self) -> Mesh {
        self.objects.sort_by(|(rank_a, a), (rank_b, b)| order(a, b).then(rank_b.cmp(rank_a)));
        self.objects.dedup_by(|(_, later), (_, kept)| order(later, kept).is_eq());
        let mut by_kind: BTreeMap<Kind, Vec<Arc<Object>>> = BTreeMap::new();
        for (_, object) in self.objects {
            by_kind.entry(object.kind()).or_default().push(object);
        }
        let stores = std::array::from_fn(|_| Arc::new(Store::default()));
        let provided = if self.settings.live || self.settings.runtime_kinds {
            KindSet::all()
        } else {
            Kind::readable().filter(|kind| !kind.is_runtime()).fold(KindSet::all_synthetic(), KindSet::with)
        };
        let is_within = |kind: &Kind| self.settings.covers(*kind);
        let provided: KindSet = provided.iter().filter(is_within).collect();
        let provided = self.unreadable.iter().fold(provided, |kinds, (kind, _)| kinds.without(*kind));
        let context = Arc::new(Context {
            taken_at: self.settings.taken_at,
            istio_namespace: self.settings.istio_namespace,
            live: self.settings.live,
            provided,
            unreadable: self.unreadable,
            malformed: self.malformed,
            mesh_config_file: self.mesh_config_file,
            mesh_networks_file: self.mesh_networks_file,
        });
        let mut mesh = Mesh {
            stores,
            context,
            perspective: Perspective::default(),
            configs: Arc::default(),
            hosts: OnceLock::new(),
            workloads: OnceLock::new(),
            domain: OnceLock::new(),
            asked: AtomicU64::new(0),
        };
        for (kind, objects) in by_kind {
            mesh.stores[kind as usize] = Arc::new(Store::new(objects));
        }
        mesh.seen_from(Perspective::default())
    }

    fn add_shared(&mut self, origin: Origin, object: Arc<Object>) {
        if !self.is_left_out(&object) {
            self.add_ranked(origin, object);
        }
    }

    fn add_ranked(&mut self, origin: Origin, object: Arc<Object>) {
        self.objects.push(((origin, self.objects.len()), object));
    }

    fn is_left_out(&self, object: &Object) -> bool {
        let is_outside = match self.settings.extent {
            Extent::Analysis => self.is_outside_analysis(object),
            Extent::Whole => self.is_outside_mesh(object),
        };
        is_outside || !self.settings.covers(object.kind())
    }

    /// What no detector looks at. Settings of applications are nobody's business here, and of events only those that
    /// warn say what is wrong.
    fn is_outside_mesh(&self, object: &Object) -> bool {
        match object.kind() {
            Kind::ConfigMap => {
                let is_ours = is_control_plane_map(object, &self.settings.istio_namespace);
                let is_platforms = object.namespace() == "kube-system"
                    && (object.name().starts_with("coredns") || object.name().starts_with("ama-metrics"));
                let is_misplaced = object.name().starts_with("istio");
                !is_ours && !is_platforms && !is_misplaced && !is_gateway_settings(object)
            }
            Kind::Event => object.root().get("type").text() != "Warning",
            Kind::Secret => is_foreign_secret(object),
            _ => false,
        }
    }

    /// What `istioctl` does not read from a cluster, and nothing of ours needs either.
    fn is_outside_analysis(&self, object: &Object) -> bool {
        let is_ignored = is_ignored_namespace;
        match object.kind() {
            Kind::Namespace => is_ignored(object.name()),
            Kind::Service | Kind::Pod => is_ignored(object.namespace()),
            Kind::ConfigMap => !is_control_plane_map(object, &self.settings.istio_namespace),
            Kind::Secret => is_foreign_secret(object),
            _ => false,
        }
    }
}

fn is_control_plane_map(map: &Object, istio_namespace: &str) -> bool {
    map.namespace() == istio_namespace
        && map.name().starts_with("istio")
        && map.annotation("control-plane.alpha.kubernetes.io/leader").is_none()
}

fn is_foreign_secret(secret: &Object) -> bool {
    matches!(secret.root().get("type").text(), "helm.sh/release.v1" | "kubernetes.io/service-account-token")
}

fn order(a: &Object, b: &Object) -> std::cmp::Ordering {
    let cluster = |object: &Object| object.cluster() != LOCAL_CLUSTER;
    a.kind()
        .cmp(&b.kind())
        .then_with(|| cluster(a).cmp(&cluster(b)))
        .then_with(|| a.cluster().cmp(b.cluster()))
        .then_with(|| a.namespace().cmp(b.namespace()))
        .then_with(|| a.name().cmp(b.name()))
}
