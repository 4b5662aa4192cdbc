//! The certificate authority of the mesh, as far as objects tell: its root, and where it comes from.

use jiff::Timestamp;
use x509_parser::pem::Pem;

use mesh::{ControlPlane, Kind, Mesh, Object};

/// The `ConfigMap` in which istiod publishes the roots.
const ROOTS: &str = "istio-ca-root-cert";

/// A root certificate.
pub(super) struct Root {
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) not_after: Timestamp,
}

/// Where the roots are published, and what can be read of them.
pub(super) fn published(mesh: &Mesh) -> Option<(&Object, Vec<Root>)> {
    let map = mesh.find(Kind::ConfigMap, mesh.istio_namespace(), ROOTS)?;
    let text = map.root().get("data").get("root-cert.pem").text();
    let blocks = Pem::iter_from_buffer(text.as_bytes());
    Some((map, blocks.filter_map(|block| root_of(&block.ok()?)).collect()))
}

fn root_of(block: &Pem) -> Option<Root> {
    let certificate = block.parse_x509().ok()?;
    Some(Root {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        not_after: Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?,
    })
}

/// The Secret in which istiod keeps an authority that it made itself
/// (<https://istio.io/latest/docs/tasks/security/cert-management/plugin-ca-cert/>).
pub(super) fn self_made(mesh: &Mesh) -> Option<&Object> {
    mesh.find(Kind::Secret, mesh.istio_namespace(), "istio-ca-secret")
}

/// What brings an authority from outside: on AKS the `SecretProviderClass` of a revision, elsewhere the Secret
/// `cacerts`.
pub(super) fn plugged_in(mesh: &Mesh) -> Option<&Object> {
    let secret = mesh.find(Kind::Secret, mesh.istio_namespace(), "cacerts");
    secret.or_else(|| classes(mesh).next().map(|(_, class)| class))
}

/// The `SecretProviderClass` of each control plane that has one.
pub(super) fn classes(mesh: &Mesh) -> impl Iterator<Item = (ControlPlane<'_>, &Object)> {
    let namespace = mesh.istio_namespace();
    mesh.control_planes().into_iter().filter_map(move |control_plane| {
        let name = format!("istio-spc-{}", control_plane.revision);
        Some((control_plane, mesh.find(Kind::SecretProviderClass, namespace, &name)?))
    })
}
