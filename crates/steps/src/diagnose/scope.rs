//! What a question is about: names that the mesh knows, statuses and symptoms.

use diagnosis::Scope;
use mesh::{Kind, Mesh};

use super::DiagnoseInput;
use crate::symptoms::understand;

/// Kinds whose names are looked for in a sentence.
const NAMED: &[Kind] = &[
    Kind::Service,
    Kind::Deployment,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::Pod,
    Kind::VirtualService,
    Kind::DestinationRule,
    Kind::Gateway,
    Kind::KubernetesGateway,
    Kind::AuthorizationPolicy,
    Kind::ServiceEntry,
    Kind::EnvoyFilter,
];

pub(super) fn scope(input: &DiagnoseInput, mesh: &Mesh) -> Scope {
    let mut scope = Scope {
        namespaces: input.namespace.iter().cloned().collect(),
        from: input.from.clone(),
        to: input.to.clone(),
        ..Scope::default()
    };
    for symptom in input.symptom.iter().chain(&input.text) {
        let understood = understand(symptom);
        scope.statuses.extend(understood.statuses);
        scope.problems.extend(understood.problems);
        for name in understood.names {
            let (namespace, own) = name.split_once('/').unwrap_or(("", &name));
            let exists = |kind: &Kind| {
                mesh.each(*kind).any(|it| it.name() == own && (namespace.is_empty() || it.namespace() == namespace))
            };
            if mesh.namespace(&name).is_some() {
                scope.namespaces.insert(name);
            } else if NAMED.iter().any(exists) {
                scope.names.insert(name);
            }
        }
    }
    scope
}
