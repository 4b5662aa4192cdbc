//! Which control planes run: the Deployments of istiod, and the versions of the AKS add-on's revisions.

use super::kind::Kind;
use super::membership::REVISION;
use super::object::Object;
use super::snapshot::Mesh;

/// The version of Istio that a revision of the AKS add-on is named for: `asm-1-29` is 1.29.
pub fn add_on_version(revision: &str) -> Option<(u32, u32)> {
    let (major, minor) = revision.strip_prefix("asm-")?.split_once('-')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

impl Mesh {
    /// The Deployments of istiod, each with its revision: `default` where it names none.
    pub fn istiods(&self) -> impl Iterator<Item = (&str, &Object)> {
        let deployments = self.in_namespace(Kind::Deployment, self.istio_namespace());
        let istiods = deployments.filter(|deployment| deployment.label("app") == Some("istiod"));
        istiods.map(|istiod| (istiod.label(REVISION).unwrap_or("default"), istiod))
    }

    /// The newest of the revisions that run; of names that are not the add-on's, any.
    pub fn newest_revision(&self) -> Option<&str> {
        self.istiods().map(|(revision, _)| revision).max_by_key(|revision| add_on_version(revision))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::{MeshBuilder, Settings};

    #[test]
    fn newest_revision_is_by_number() {
        let mut builder = MeshBuilder::new(Settings {
            istio_namespace: "aks-istio-system".into(),
            ..Settings::new(jiff::Timestamp::UNIX_EPOCH)
        });
        let istiod = |revision: &str| {
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: istiod-{revision}, namespace: aks-istio-system, \
                 labels: {{app: istiod, istio.io/rev: {revision}}}}}\n---\n"
            )
        };
        builder.add_files(&[("mesh.yaml".to_owned(), istiod("asm-1-9") + &istiod("asm-1-30"))]);
        assert_eq!(builder.build().newest_revision(), Some("asm-1-30"));
        assert_eq!(add_on_version("asm-1-x"), None);
    }
}
