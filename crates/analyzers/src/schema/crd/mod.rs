//! What the [CRDs of Istio](https://github.com/istio/istio/blob/master/manifests/charts/base/files/crd-all.gen.yaml)
//! enforce when an object is written: types, bounds, and the rules in CEL. `istioctl analyze` does not evaluate them;
//! a file that breaks them cannot be applied. Every served version of a kind has the same schema.

mod blocks;
mod kinds;
mod rule;
mod tree;
mod walk;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::KINDS;
use super::problem::{Problem, ProblemKind};
use tree::Node;

/// The schema of each kind, made of the types in `message` and the rules in `kinds`.
static SCHEMAS: LazyLock<BTreeMap<(&str, &str), Schema>> = LazyLock::new(|| {
    let schema = |(group, kind, spec_type, _): &'static super::Kind| {
        let rules = kinds::of(kind)?;
        let mut node = Node::of(spec_type);
        node.apply(rules.spec);
        Some(((*group, *kind), Schema { node, required: rules.required, versions: rules.versions }))
    };
    KINDS.iter().filter_map(schema).collect()
});

struct Schema {
    node: Node,
    /// Whether an object must have a `spec`.
    required: bool,
    versions: &'static [&'static str],
}

/// What the API server would say about an object of this group, kind and version, apart from its `metadata`.
pub fn crd_check(group: &str, kind: &str, version: &str, object: &Value) -> Vec<Problem> {
    let Some(schema) = SCHEMAS.get(&(group, kind)) else { return Vec::new() };
    if !schema.versions.contains(&version) {
        let text = format!("no matches for kind {kind:?} in version {:?}", format!("{group}/{version}"));
        return vec![Problem::new(ProblemKind::Crd, text).at("{.apiVersion}")];
    }
    match object.get("spec") {
        Some(spec) => walk::check(&schema.node, spec),
        None if schema.required => {
            vec![Problem::new(ProblemKind::Crd, "spec: Required value").at("{.spec}")]
        }
        None => Vec::new(),
    }
}
