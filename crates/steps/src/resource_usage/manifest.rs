//! The objects that the step proposes, as YAML to apply.

use std::collections::BTreeSet;

/// A `Sidecar` without a selector.
pub(super) fn sidecar(namespace: &str, name: &str, hosts: &[String]) -> String {
    let mut text = format!(
        "apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  \
         egress:\n  - hosts:\n"
    );
    for host in hosts {
        text = format!("{text}    - \"{host}\"\n");
    }
    text
}

/// `discoverySelectors` that admit these namespaces, for the mesh configuration.
pub(super) fn discovery_selectors(namespaces: &BTreeSet<&str>) -> String {
    let mut text =
        "discoverySelectors:\n- matchExpressions:\n  - key: kubernetes.io/metadata.name\n    operator: In\n    \
        values:\n"
            .to_owned();
    for namespace in namespaces {
        text = format!("{text}    - {namespace}\n");
    }
    text
}
