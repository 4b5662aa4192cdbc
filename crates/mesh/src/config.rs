//! The mesh configuration: Istio's defaults, what the installation says, and what the user says.
//!
//! `istioctl analyze` reads the `ConfigMap` `istio` and nothing else. istiod itself reads the one of its revision, over
//! the one that `SHARED_MESH_CONFIG` names; the AKS add-on has its users write to `istio-shared-configmap-<revision>`.
//! See [`MeshConfig`](https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/) and
//! [AKS](https://learn.microsoft.com/azure/aks/istio-meshconfig).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kind::Kind;
use super::labels;
use super::membership::REVISION;
use super::object::{LOCAL_CLUSTER, Object, copy_all};
use super::perspective::Perspective;
use super::snapshot::Mesh;
use super::tree::{Shape, Tree, TreeBuilder};
use super::view::View;
use super::yaml;

/// One of the texts that make up a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The `ConfigMap`, or `file`.
    pub name: String,
    tree: Arc<Tree>,
}

/// A setting in force.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'c> {
    /// Missing where nobody set it: Istio's default is in force.
    pub value: View<'c>,
    /// The layer that set it.
    pub from: Option<&'c str>,
}

impl Layer {
    /// The `MeshConfig` as it stands there.
    pub fn config(&self) -> View<'_> {
        self.tree.root()
    }
}

/// The fields that rules look at, and the texts behind them for all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshConfig {
    pub root_namespace: String,
    pub ingress_service: String,
    pub ingress_controller_mode: String,
    /// Whether `defaultProviders.accessLogging` names any.
    pub has_default_access_logging: bool,
    /// Names of the extension providers, and whether each is of the removed kind Lightstep.
    pub extension_providers: BTreeMap<String, bool>,
    pub proxy_metadata: BTreeMap<String, String>,
    /// `defaultConfig.image.imageType`.
    pub image_type: String,
    /// What it was read from, the strongest last; none means defaults.
    pub layers: Vec<Layer>,
    /// What could not be read.
    pub problems: Vec<String>,
}

impl Default for MeshConfig {
    fn default() -> Self {
        let providers = ["prometheus", "stackdriver", "envoy"];
        Self {
            root_namespace: "istio-system".into(),
            ingress_service: "istio-ingressgateway".into(),
            ingress_controller_mode: "STRICT".into(),
            has_default_access_logging: false,
            extension_providers: providers.into_iter().map(|name| (name.to_owned(), false)).collect(),
            proxy_metadata: BTreeMap::new(),
            image_type: String::new(),
            layers: Vec::new(),
            problems: Vec::new(),
        }
    }
}

impl MeshConfig {
    /// Lays a text over what is there. A text that is not YAML changes nothing.
    pub fn apply(&mut self, text: &str, from: &str) {
        let tree = match yaml::first_document(text) {
            Ok(tree) => tree.unwrap_or_else(Tree::null),
            Err(problem) => {
                self.problems.push(format!("{from}: {problem}"));
                return;
            }
        };
        self.merge(tree.root());
        self.layers.push(Layer { name: from.to_owned(), tree: Arc::new(tree) });
    }

    /// The value in force at the end of a way through the configuration, as `["defaultConfig", "concurrency"]`, and who
    /// set it. A layer replaces whole fields of the one below, but `defaultConfig` and `defaultProviders` field by field,
    /// and `proxyMetadata` key by key
    /// ([`ApplyMeshConfig`](https://pkg.go.dev/istio.io/istio/pkg/config/mesh#ApplyMeshConfig)).
    pub fn setting(&self, path: &[&str]) -> Setting<'_> {
        let merged = match path {
            ["defaultConfig", "proxyMetadata", ..] => 3,
            ["defaultConfig" | "defaultProviders", ..] => 2,
            _ => 1,
        };
        let decides = &path[..merged.min(path.len())];
        let layer = self.layers.iter().rev().find(|layer| layer.config().path(decides).is_set());
        match layer {
            Some(layer) => Setting { value: layer.config().path(path), from: Some(&layer.name) },
            None => Setting { value: View::MISSING, from: None },
        }
    }

    /// The extension provider of this name, as the strongest layer that has it defines it.
    pub fn extension_provider(&self, name: &str) -> Setting<'_> {
        let found = self.layers.iter().rev().find_map(|layer| {
            let mut providers = layer.config().field("extensionProviders").items();
            let provider = providers.find(|provider| provider.get("name").text() == name)?;
            Some(Setting { value: provider, from: Some(&layer.name) })
        });
        found.unwrap_or(Setting { value: View::MISSING, from: None })
    }

    /// Whether the control plane sees a namespace: one of `discoverySelectors` matches it, or there are none
    /// (<https://istio.io/latest/docs/ops/configuration/mesh/configuration-scoping/#discoveryselectors>).
    pub fn discovers(&self, namespace: &Object) -> bool {
        let mut selectors = self.setting(&["discoverySelectors"]).value.items().peekable();
        let label = |key: &str| namespace.label(key);
        selectors.peek().is_none() || selectors.any(|selector| labels::selector_matches(selector, label))
    }

    fn merge(&mut self, config: View<'_>) {
        for (field, value) in [
            ("rootNamespace", &mut self.root_namespace),
            ("ingressService", &mut self.ingress_service),
            ("ingressControllerMode", &mut self.ingress_controller_mode),
        ] {
            if let Some(text) = config.field(field).text_if_any() {
                text.clone_into(value);
            } else if config.field(field).written() == "false" {
                // YAML reads a bare OFF as a boolean.
                "OFF".clone_into(value);
            }
        }
        let access_logging = config.path(&["defaultProviders", "accessLogging"]);
        if access_logging.is_set() {
            self.has_default_access_logging = !access_logging.is_empty();
        }
        for provider in config.field("extensionProviders").items() {
            let is_lightstep = provider.get("lightstep").is_set();
            self.extension_providers.insert(provider.get("name").text().to_owned(), is_lightstep);
        }
        let proxy = config.field("defaultConfig");
        for (key, value) in proxy.field("proxyMetadata").entries() {
            self.proxy_metadata.insert(key.to_owned(), value.written().to_owned());
        }
        let image_type = proxy.path(&["image", "imageType"]);
        if image_type.is_set() {
            image_type.written().clone_into(&mut self.image_type);
        }
    }
}

impl Default for MeshConfigs {
    fn default() -> Self {
        let networks = Object::new(Kind::MeshNetworks, LOCAL_CLUSTER.into(), Tree::null(), None);
        Self {
            main: MeshConfig::default(),
            by_revision: BTreeMap::new(),
            tags: BTreeMap::new(),
            networks: Arc::new(networks),
        }
    }
}

/// The configuration of each revision, and the networks.
#[derive(Debug)]
pub(super) struct MeshConfigs {
    main: MeshConfig,
    by_revision: BTreeMap<String, MeshConfig>,
    tags: BTreeMap<String, String>,
    networks: Arc<Object>,
}

impl MeshConfigs {
    pub(super) fn read(mesh: &Mesh, perspective: &Perspective) -> Self {
        if perspective.compatible { Self::as_istioctl(mesh) } else { Self::of_revisions(mesh, perspective) }
    }

    pub(super) fn networks(&self) -> Arc<Object> {
        self.networks.clone()
    }

    /// The `ConfigMap` `istio` of the cluster, whatever revision there is; a file in place of it if one was given.
    fn as_istioctl(mesh: &Mesh) -> Self {
        let live = find_map(mesh, "istio").filter(|map| map.source().is_none());
        let mut main = MeshConfig::default();
        if let Some(text) = &mesh.context.mesh_config_file {
            main.apply(text, "file");
        } else if let Some(map) = live {
            main.apply(data(map, "mesh"), map.name());
        }
        let networks = mesh.context.mesh_networks_file.as_deref();
        let networks = networks.unwrap_or_else(|| live.map_or("", |map| data(map, "meshNetworks")));
        Self { main, networks: networks_object(mesh, networks), ..Self::default() }
    }

    fn of_revisions(mesh: &Mesh, perspective: &Perspective) -> Self {
        let revisions = mesh.revisions();
        let mut by_revision = BTreeMap::new();
        for revision in &revisions {
            by_revision.insert((*revision).to_owned(), layered(mesh, revision));
        }
        let tags = mesh.tags();
        let wanted = perspective.revision.as_deref().map(|name| tags.get(name).copied().unwrap_or(name));
        let revision = wanted.or_else(|| {
            let default = tags.get("default").copied().filter(|revision| revisions.contains(revision));
            default.or_else(|| revisions.contains("default").then_some("default")).or_else(|| revisions.last().copied())
        });
        let revision = revision.unwrap_or("default");
        let mut main = by_revision.get(revision).cloned().unwrap_or_else(|| layered(mesh, revision));
        if let Some(text) = &mesh.context.mesh_config_file {
            main = MeshConfig::default();
            main.apply(text, "file");
            by_revision.clear();
        }
        let networks = mesh.context.mesh_networks_file.clone();
        let networks = networks.unwrap_or_else(|| {
            let own = find_map(mesh, &own_map(revision)).map_or("", |map| data(map, "meshNetworks"));
            own.to_owned()
        });
        let tags = tags.into_iter().map(|(tag, revision)| (tag.to_owned(), revision.to_owned())).collect();
        Self { main, by_revision, tags, networks: networks_object(mesh, &networks) }
    }
}

impl Mesh {
    /// The configuration that is in force where no revision is in question.
    pub fn config(&self) -> &MeshConfig {
        &self.configs.main
    }

    /// The configuration that proxies of a namespace get. For `istioctl` there is only one.
    pub fn config_of(&self, namespace: &str) -> &MeshConfig {
        if self.is_compatible() || self.configs.by_revision.is_empty() {
            return self.config();
        }
        let revision = self.revision_of(namespace);
        revision.and_then(|revision| self.configs.by_revision.get(revision)).unwrap_or_else(|| self.config())
    }

    /// The configuration of each revision, empty for `istioctl`'s perspective.
    pub fn configs(&self) -> &BTreeMap<String, MeshConfig> {
        &self.configs.by_revision
    }

    /// The `ConfigMap` where users of this installation write the settings of a revision: that of the add-on's users on
    /// AKS, where istiod's own is managed, else istiod's own.
    pub fn user_config_map(&self, revision: &str) -> String {
        let told = told_map(self, revision);
        let of_add_on = || self.is_aks().then(|| shared_map(self, revision));
        told.or_else(of_add_on).unwrap_or_else(|| own_map(revision))
    }

    /// The revision whose proxies a namespace's pods get, tags resolved.
    pub fn revision_of(&self, namespace: &str) -> Option<&str> {
        let namespace = self.stores[Kind::Namespace as usize].find("", namespace)?;
        let tags = &self.configs.tags;
        let resolve = |name| tags.get(name).map_or(name, String::as_str);
        match (namespace.label(super::membership::INJECTION), namespace.label(REVISION)) {
            (Some("enabled"), _) => Some(resolve("default")),
            (None, Some(revision)) if !revision.is_empty() => Some(resolve(revision)),
            _ => None,
        }
    }

    /// Whether a namespace is the root namespace, whose policies hold for the whole mesh: of any revision.
    pub fn is_root_namespace(&self, namespace: &str) -> bool {
        self.config().root_namespace == namespace
            || self.configs.by_revision.values().any(|config| config.root_namespace == namespace)
    }
}

/// Defaults, then what the user says, then what the installation says: istiod's own order, in which the installation
/// wins.
fn layered(mesh: &Mesh, revision: &str) -> MeshConfig {
    let mut config = MeshConfig::default();
    let shared = shared_map(mesh, revision);
    for name in [shared, own_map(revision)] {
        if let Some(map) = find_map(mesh, &name) {
            config.apply(data(map, "mesh"), &name);
        }
    }
    config
}

fn own_map(revision: &str) -> String {
    if matches!(revision, "" | "default") { "istio".to_owned() } else { format!("istio-{revision}") }
}

/// The user's `ConfigMap`: the one that istiod is told of, else the one of the AKS add-on.
fn shared_map(mesh: &Mesh, revision: &str) -> String {
    told_map(mesh, revision).unwrap_or_else(|| format!("istio-shared-configmap-{revision}"))
}

/// The `ConfigMap` that `SHARED_MESH_CONFIG` of istiod names.
fn told_map(mesh: &Mesh, revision: &str) -> Option<String> {
    mesh.stores[Kind::Deployment as usize].objects().iter().find_map(|deployment| {
        if deployment.namespace() != mesh.istio_namespace() || deployment.label(REVISION) != Some(revision) {
            return None;
        }
        let containers = deployment.spec().path(&["template", "spec", "containers"]).items();
        let mut variables = containers.flat_map(|container| container.get("env").items());
        let variable = variables.find(|variable| variable.get("name").text() == "SHARED_MESH_CONFIG")?;
        Some(variable.get("value").text().to_owned()).filter(|name| !name.is_empty())
    })
}

fn find_map<'m>(mesh: &'m Mesh, name: &str) -> Option<&'m Object> {
    let maps = mesh.stores[Kind::ConfigMap as usize].objects();
    maps.iter().map(Arc::as_ref).find(|map| map.namespace() == mesh.istio_namespace() && map.name() == name)
}

fn data<'m>(map: &'m Object, key: &str) -> &'m str {
    map.root().get("data").get(key).text()
}

/// The networks as the object that messages about them name.
fn networks_object(mesh: &Mesh, text: &str) -> Arc<Object> {
    let mut builder = TreeBuilder::default();
    builder.open(Shape::Map, 0);
    builder.key("metadata");
    builder.open(Shape::Map, 0);
    for (key, value) in [("name", "meshnetworks"), ("namespace", mesh.istio_namespace())] {
        builder.key(key);
        builder.scalar(Shape::Text, value, 0);
    }
    builder.close();
    if let Ok(Some(tree)) = yaml::first_document(text) {
        builder.key("spec");
        copy_all(tree.root(), &mut builder);
    }
    builder.close();
    let tree = builder.finish().unwrap_or_else(|_| Tree::null());
    Arc::new(Object::new(Kind::MeshNetworks, LOCAL_CLUSTER.into(), tree, None))
}
