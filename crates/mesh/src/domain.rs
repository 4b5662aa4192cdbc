//! The cluster's own DNS domain, which is `cluster.local` unless istiod is told another one.

use std::borrow::Cow;

use super::kind::Kind;
use super::object::Object;
use super::snapshot::Mesh;

/// The domain that the rest of the mesh counts with.
const USUAL: &str = "cluster.local";

impl Mesh {
    /// The domain of the cluster's Services, as istiod's argument `--domain` has it
    /// (<https://istio.io/latest/docs/reference/commands/pilot-discovery/>). `istioctl` knows the usual one only.
    pub fn domain(&self) -> &str {
        if self.is_compatible() { USUAL } else { self.domain.get_or_init(|| self.told_domain().to_owned()) }
    }

    fn told_domain(&self) -> &str {
        let deployments = self.istiods_of(Kind::Deployment).map(|it| it.spec().path(&["template", "spec"]));
        let pods = self.istiods_of(Kind::Pod).map(Object::spec);
        let mut containers = deployments.chain(pods).flat_map(|spec| spec.get("containers").items());
        let found = containers.find_map(|container| {
            let mut arguments = container.get("args").texts();
            let is_last = |argument: &&str| argument.starts_with("--domain");
            let argument = arguments.find(is_last)?;
            argument.strip_prefix("--domain=").or_else(|| arguments.next())
        });
        found.map(|domain| domain.trim_end_matches('.')).filter(|domain| !domain.is_empty()).unwrap_or(USUAL)
    }

    fn istiods_of(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        let objects = self.stores[kind as usize].objects().iter().map(AsRef::as_ref);
        objects.filter(|object: &&Object| {
            object.label("app") == Some("istiod") && object.namespace() == self.istio_namespace()
        })
    }
}

/// A host with the usual domain in place of the cluster's own, so that both can be compared.
pub(super) fn usual<'h>(domain: &str, host: &'h str) -> Cow<'h, str> {
    let before = host.strip_suffix(domain).filter(|before| before.ends_with(".svc.") || *before == "*.");
    match before {
        Some(before) if domain != USUAL && !domain.is_empty() => Cow::Owned(format!("{before}{USUAL}")),
        _ => Cow::Borrowed(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MeshBuilder, Settings};

    fn mesh(arguments: &str) -> Mesh {
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: istiod, namespace: istio-system, labels: {{app: \
             istiod}}}}\nspec: {{template: {{spec: {{containers: [{{name: discovery, args: [{arguments}]}}]}}}}}}\n---\n\
             apiVersion: v1\nkind: Service\nmetadata: {{name: cart, namespace: shop}}\n"
        );
        builder.add_files(&[("mesh.yaml".to_owned(), text)]);
        builder.build()
    }

    #[test]
    fn istiod_is_told_the_domain() {
        for (arguments, domain) in [
            ("discovery, '--domain', corp.internal", "corp.internal"),
            ("discovery, '--domain=corp.internal'", "corp.internal"),
            ("discovery", "cluster.local"),
            ("discovery, '--domain'", "cluster.local"),
        ] {
            assert_eq!(mesh(arguments).domain(), domain, "{arguments}");
        }
    }

    #[test]
    fn services_are_known_by_the_clusters_own_domain() {
        let mesh = mesh("'--domain', corp.internal");
        let known = |host| mesh.hosts().look_up("bank", std::iter::empty(), host).is_some();
        assert!(
            known("cart.shop.svc.corp.internal")
                && mesh.service_of_host("bank", "cart.shop.svc.corp.internal").is_some()
        );
        assert!(!known("gone.shop.svc.corp.internal") && !known("cart.shop.corp.internal"));
        assert_eq!(usual("corp.internal", "*.corp.internal"), "*.cluster.local");
    }
}
