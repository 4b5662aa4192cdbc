//! One object of the mesh: its document, what identifies it, and where it came from.

use std::sync::Arc;

use super::kind::Kind;
use super::tree::{Shape, Tree, TreeBuilder};
use super::view::View;

/// The annotation that keeps what `kubectl apply` sent.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The id of the cluster that is not a remote one.
pub const LOCAL_CLUSTER: &str = "default";

/// An object, immutable once read.
#[derive(Debug, Clone)]
pub struct Object {
    kind: Kind,
    cluster: Arc<str>,
    namespace: Box<str>,
    tree: Tree,
    metadata: u32,
    name: u32,
    spec: u32,
    file: Option<Source>,
}

/// The file that an object was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub file: Arc<str>,
    /// The first line of its document; JSON files have none.
    pub line: Option<u32>,
}

const ABSENT: u32 = u32::MAX;

impl Object {
    pub fn new(kind: Kind, cluster: Arc<str>, tree: Tree, file: Option<Source>) -> Self {
        let tree = if kind == Kind::Secret { without_secrets(&tree) } else { tree };
        let root = tree.root();
        let metadata = root.get("metadata");
        let [metadata_at, name, spec] =
            [metadata, metadata.get("name"), root.get("spec")].map(|view| view.position().unwrap_or(ABSENT));
        let namespace = if kind.is_namespaced() { metadata.get("namespace").text().into() } else { "".into() };
        Self { kind, cluster, namespace, metadata: metadata_at, name, spec, tree, file }
    }

    pub(super) fn put_into_namespace(&mut self, namespace: &str) {
        if self.kind.is_namespaced() && self.namespace.is_empty() {
            self.namespace = namespace.into();
        }
    }

    /// The same object as one of another cluster.
    #[must_use]
    pub(super) fn in_cluster(mut self, cluster: &str) -> Self {
        self.cluster = cluster.into();
        self
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Empty for kinds without one, and for objects from files that name none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub fn name(&self) -> &str {
        self.at(self.name).text()
    }

    /// `namespace/name`, or the name alone where there is no namespace.
    pub fn full_name(&self) -> String {
        if self.namespace.is_empty() { self.name().to_owned() } else { format!("{}/{}", self.namespace, self.name()) }
    }

    /// `Kind namespace/name`, as messages and suppressions name it.
    pub fn origin(&self) -> String {
        format!("{} {}", self.kind.name(), self.full_name())
    }

    pub fn source(&self) -> Option<&Source> {
        self.file.as_ref()
    }

    pub fn root(&self) -> View<'_> {
        self.tree.root()
    }

    pub fn metadata(&self) -> View<'_> {
        self.at(self.metadata)
    }

    pub fn labels(&self) -> View<'_> {
        self.metadata().get("labels")
    }

    /// The value of a label; `None` where the label is not there.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels().get(key).text_if_any()
    }

    pub fn annotations(&self) -> View<'_> {
        self.metadata().get("annotations")
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations().get(key).text_if_any()
    }

    /// The manifest that `kubectl apply` sent last, as far as it is kept: of Istio's own kinds
    /// (<https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/>).
    pub fn applied(&self) -> Option<serde_json::Value> {
        serde_json::from_str(self.annotation(LAST_APPLIED)?).ok()
    }

    pub fn spec(&self) -> View<'_> {
        self.at(self.spec)
    }

    pub fn status(&self) -> View<'_> {
        self.root().get("status")
    }

    /// What Istio sorts objects by where the oldest wins: when they were created, then their names.
    pub fn age(&self) -> (&str, &str, &str) {
        (self.metadata().get("creationTimestamp").text(), self.name(), self.namespace())
    }

    fn at(&self, position: u32) -> View<'_> {
        if position == ABSENT { View::MISSING } else { self.tree.view(position) }
    }
}

/// Keeps the names of a Secret's keys, which of them are empty, and certificates. Private keys and tokens never enter
/// a mesh.
fn without_secrets(tree: &Tree) -> Tree {
    let mut builder = TreeBuilder::default();
    copy(tree.root(), &mut builder, &|depth, key| depth == 0 && matches!(key, "data" | "stringData"), 0);
    // It was a tree before and has not grown.
    builder.finish().unwrap_or_else(|_| tree.clone())
}

/// Copies a part of a document, with its lines.
pub(super) fn copy_all(view: View<'_>, builder: &mut TreeBuilder) {
    copy(view, builder, &|_, _| false, 0);
}

fn copy(view: View<'_>, builder: &mut TreeBuilder, is_secret: &dyn Fn(usize, &str) -> bool, depth: usize) {
    let line = view.line().unwrap_or(0) as usize;
    let Some(shape) = view.shape() else { return };
    match shape {
        Shape::Map => {
            builder.open(Shape::Map, line);
            for (key, value) in view.entries() {
                builder.key(key);
                if is_secret(depth, key) {
                    copy_data(value, builder);
                } else {
                    copy(value, builder, is_secret, depth + 1);
                }
            }
            builder.close();
        }
        Shape::List => {
            builder.open(Shape::List, line);
            view.items().for_each(|item| copy(item, builder, is_secret, depth + 1));
            builder.close();
        }
        Shape::Null | Shape::Bool | Shape::Integer | Shape::Float | Shape::Text | Shape::Replaced => {
            builder.scalar(shape, view.written(), line);
        }
    }
}

fn copy_data(data: View<'_>, builder: &mut TreeBuilder) {
    builder.open(Shape::Map, data.line().unwrap_or(0) as usize);
    for (key, value) in data.entries() {
        let is_certificate = matches!(key, "tls.crt" | "cert" | "ca.crt" | "cacert");
        let text = if is_certificate || value.written().is_empty() { value.written() } else { "REDACTED" };
        builder.key(key);
        builder.scalar(Shape::Text, text, value.line().unwrap_or(0) as usize);
    }
    builder.close();
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn private_keys_do_not_enter() {
        let secret =
            json!({"metadata": {"name": "s"}, "data": {"tls.key": "c2VjcmV0", "tls.crt": "Y2VydA==", "x": ""}});
        let object = Object::new(Kind::Secret, "default".into(), Tree::from_json(&secret).unwrap(), None);
        assert!(!format!("{object:?}").contains("c2VjcmV0"));
        assert_eq!(object.root().get("data").to_json(), json!({"tls.key": "REDACTED", "tls.crt": "Y2VydA==", "x": ""}));
        assert_eq!(object.name(), "s");
    }
}
