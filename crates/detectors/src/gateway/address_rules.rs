//! Which `AuthorizationPolicies` of gateways look at the addresses of clients.

use std::collections::BTreeMap;

use mesh::{GatewayService, Kind, Mesh, Object, View, Workload};

/// The policies that hold for the gateways behind a Service and have a rule with one of these fields, in order.
pub(super) fn policies_with<'m>(mesh: &'m Mesh, gateway: &GatewayService<'m>, fields: &[&str]) -> Vec<&'m Object> {
    let mut found: BTreeMap<(&str, &str), &Object> = BTreeMap::new();
    for pod in &gateway.pods {
        for policy in mesh.policies(Kind::AuthorizationPolicy, Workload::of_pod(pod)).iter() {
            if sources(policy).any(|source| fields.iter().any(|field| !source.field(field).is_empty())) {
                found.insert((policy.namespace(), policy.name()), policy);
            }
        }
    }
    found.into_values().collect()
}

fn sources(policy: &Object) -> impl Iterator<Item = View<'_>> {
    let rules = policy.spec().get("rules").items();
    rules.flat_map(|rule| rule.get("from").items()).map(|from| from.get("source"))
}
