//! Whether a namespace lets others refer to its objects
//! (<https://gateway-api.sigs.k8s.io/api-types/referencegrant/>).

use mesh::{Kind, Mesh, Object, View};

/// What is referred to.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) kind: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

/// Whether an object may refer to something of another namespace.
pub(super) fn is_granted(mesh: &Mesh, from: &Object, wanted: Wanted<'_>) -> bool {
    let is_from =
        |it: View<'_>| it.get("kind").text() == from.kind().name() && it.get("namespace").text() == from.namespace();
    let is_to = |it: View<'_>| {
        it.get("kind").text() == wanted.kind && it.get("name").text_if_any().is_none_or(|name| name == wanted.name)
    };
    let mut grants = mesh.in_namespace(Kind::ReferenceGrant, wanted.namespace);
    from.namespace() == wanted.namespace
        || grants
            .any(|grant| grant.spec().get("from").items().any(is_from) && grant.spec().get("to").items().any(is_to))
}

/// The object that would grant it, to be pasted.
pub(super) fn grant(from: &Object, wanted: Wanted<'_>) -> String {
    let (kind, own) = (from.kind().name(), from.namespace());
    format!(
        "kubectl apply -f - <<EOF\napiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata:\n  name: \
         {}-from-{own}\n  namespace: {}\nspec:\n  from:\n  - group: gateway.networking.k8s.io\n    kind: {kind}\n    \
         namespace: {own}\n  to:\n  - group: \"\"\n    kind: {}\n    name: {}\nEOF",
        wanted.name, wanted.namespace, wanted.kind, wanted.name
    )
}
