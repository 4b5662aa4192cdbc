//! Who sees an object: its own `exportTo`, else what the mesh's configuration says for its kind.

use super::hosts::EXPORT_TO;
use super::kind::Kind;
use super::object::Object;
use super::snapshot::Mesh;

impl Mesh {
    /// The namespaces that a Service, `ServiceEntry`, `VirtualService` or `DestinationRule` is exported to: `*` alone for
    /// all, names, or nothing where `~` hides it from everybody
    /// (<https://istio.io/latest/docs/reference/config/networking/virtual-service/#VirtualService>, field `exportTo`).
    pub fn exported_to<'m>(&'m self, object: &'m Object) -> Vec<&'m str> {
        let mut entries: Vec<&str> = match object.kind() {
            Kind::Service => {
                let list = object.annotation(EXPORT_TO).unwrap_or_default();
                list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect()
            }
            _ => object.spec().field("exportTo").texts().collect(),
        };
        if entries.is_empty() {
            let config = self.config_of(object.namespace());
            entries = default_of(object.kind())
                .map_or_else(Vec::new, |field| config.setting(&[field]).value.texts().collect());
        }
        if entries.is_empty() || entries.contains(&"*") {
            return vec!["*"];
        }
        entries.retain(|entry| *entry != "~");
        entries.into_iter().map(|entry| if entry == "." { object.namespace() } else { entry }).collect()
    }

    /// Whether proxies of a namespace get to know an object.
    pub fn is_visible(&self, object: &Object, namespace: &str) -> bool {
        self.exported_to(object).into_iter().any(|scope| scope == "*" || scope == namespace)
    }

    /// Whether the proxies of some namespace get to know both of two objects.
    pub fn is_seen_together(&self, a: &Object, b: &Object) -> bool {
        let (a, b) = (self.exported_to(a), self.exported_to(b));
        a.iter().any(|scope| *scope == "*" && !b.is_empty() || b.contains(scope) || b.contains(&"*"))
    }
}

/// The field of the mesh's configuration for objects that say nothing themselves
/// (<https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig>).
fn default_of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Service | Kind::ServiceEntry => Some("defaultServiceExportTo"),
        Kind::VirtualService => Some("defaultVirtualServiceExportTo"),
        Kind::DestinationRule => Some("defaultDestinationRuleExportTo"),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::{MeshBuilder, Settings};

    #[test]
    fn own_words_go_before_the_meshs() {
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        let text = r"
apiVersion: v1
kind: Service
metadata: {name: open, namespace: shop, annotations: {networking.istio.io/exportTo: '*'}}
---
apiVersion: v1
kind: Service
metadata: {name: listed, namespace: shop, annotations: {networking.istio.io/exportTo: 'bank, .'}}
---
apiVersion: v1
kind: Service
metadata: {name: hidden, namespace: shop, annotations: {networking.istio.io/exportTo: '~'}}
---
apiVersion: v1
kind: Service
metadata: {name: silent, namespace: shop}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: silent, namespace: shop}
";
        builder.add_files(&[("mesh.yaml", text)]);
        builder.mesh_config("defaultServiceExportTo: ['.']");
        let mesh = builder.build();
        let exported = |kind, name| mesh.exported_to(mesh.find(kind, "shop", name).unwrap());
        assert_eq!(exported(Kind::Service, "open"), ["*"]);
        assert_eq!(exported(Kind::Service, "listed"), ["bank", "shop"]);
        assert!(exported(Kind::Service, "hidden").is_empty());
        assert_eq!(exported(Kind::Service, "silent"), ["shop"]);
        assert_eq!(exported(Kind::DestinationRule, "silent"), ["*"]);
        let silent = mesh.find(Kind::Service, "shop", "silent").unwrap();
        assert!(mesh.is_visible(silent, "shop") && !mesh.is_visible(silent, "bank"));
        let together = |a, b| {
            let [a, b] = [a, b].map(|name| mesh.find(Kind::Service, "shop", name).unwrap());
            mesh.is_seen_together(a, b)
        };
        assert!(together("open", "silent") && together("silent", "open") && together("listed", "silent"));
        assert!(!together("open", "hidden") && !together("hidden", "open"));
    }
}
