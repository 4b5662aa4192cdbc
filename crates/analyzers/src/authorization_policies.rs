//! Finds authorization policies that apply to nothing, or name namespaces that are not there.

use std::collections::{BTreeMap, HashSet};

use super::shared::{IST0101, matches_template, reference_not_found};
use super::{Analyzer, Message, Messages, Path, remedies};
use mesh::{Kind, Mesh, Object, View, Workload, is_ambient_pod, labels};
use report::{Code, Severity};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "auth.AuthorizationPoliciesAnalyzer",
    reads: &[Kind::MeshConfig, Kind::AuthorizationPolicy, Kind::Namespace, Kind::Pod, Kind::Deployment],
    reports: &[&IST0101, &IST0127],
    by_default: true,
    run,
};

static IST0127: Code = Code {
    id: "IST0127",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/ist0127/",
    page: include_str!("pages/IST0127.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut populated: BTreeMap<&str, bool> = BTreeMap::new();
    let namespaces = Namespaces::new(mesh);
    for policy in mesh.each(Kind::AuthorizationPolicy) {
        let selector = policy.spec().get("selector");
        let pairs = selector.field("matchLabels");
        let is_root = mesh.is_root_namespace(policy.namespace());
        let namespace = (!is_root).then(|| policy.namespace());
        let targets = !mesh.is_compatible()
            && (policy.spec().field("targetRefs").is_set() || policy.spec().field("targetRef").is_set());
        let applies = if targets {
            true
        } else if selector.is_map() {
            has_workload(mesh, pairs, namespace)
        } else {
            is_root
                || *populated.entry(policy.namespace()).or_insert_with(|| has_workload(mesh, View::MISSING, namespace))
        };
        if !applies {
            messages.report(applies_to_nothing(policy, pairs));
        }
        check_namespaces(policy, &namespaces, mesh.is_compatible(), messages);
    }
}

/// Whether there is a pod in the mesh that a selector matches.
fn has_workload(mesh: &Mesh, selector: View<'_>, namespace: Option<&str>) -> bool {
    let is_considered = |pod: &Object| mesh.is_in_mesh(Workload::of_pod(pod)) || is_ambient_pod(pod);
    mesh.has_labelled(Kind::Pod, selector, namespace, is_considered)
        || matches_template(mesh, selector, namespace, |workload| mesh.is_in_mesh(workload))
}

fn check_namespaces<'m>(policy: &'m Object, namespaces: &Namespaces, compatible: bool, messages: &mut Messages<'m>) {
    for (rule, i) in policy.spec().get("rules").items().zip(0..) {
        for (from, j) in rule.get("from").items().zip(0..) {
            for field in ["namespaces", "notNamespaces"] {
                // `istioctl` names the first field for both, and so finds another line or none.
                let named = if compatible { "namespaces" } else { field };
                for (pattern, k) in from.get("source").field(field).texts().zip(0..) {
                    if !namespaces.any_matches(pattern) {
                        let path = Path::spec().key("rules").index(i).key("from").index(j).key("source");
                        let missing = reference_not_found(policy, "namespace", pattern).at(path.key(named).index(k));
                        let known = namespaces.names.iter().map(String::as_str);
                        messages
                            .report(missing.remedy_unless(compatible, || remedies::namespace(policy, pattern, known)));
                    }
                }
            }
        }
    }
}

/// The names of the namespaces that exist.
struct Namespaces {
    names: Vec<String>,
    lower_case: HashSet<String>,
}

impl Namespaces {
    fn new(mesh: &Mesh) -> Self {
        let names: Vec<String> = mesh.each(Kind::Namespace).map(|namespace| namespace.name().to_owned()).collect();
        let lower_case = names.iter().map(|name| name.to_lowercase()).collect();
        Self { names, lower_case }
    }

    fn any_matches(&self, pattern: &str) -> bool {
        if !pattern.contains('*') {
            return self.lower_case.contains(&pattern.to_lowercase());
        }
        self.names.iter().any(|name| namespace_matches(name, pattern))
    }
}

/// Whether a namespace matches a name, a prefix with `*` after it, or a suffix with `*` before it.
pub fn namespace_matches(name: &str, pattern: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    if let Some(suffix) = pattern.strip_prefix('*') {
        return name.ends_with(suffix);
    }
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name.to_lowercase() == pattern.to_lowercase(),
    }
}

fn applies_to_nothing<'m>(policy: &'m Object, selector: View<'_>) -> Message<'m> {
    let selector = labels::selector_text(selector);
    let text = format!("No matching workloads for this resource with the following labels: {selector}");
    Message::new(&IST0127, policy, text)
}
