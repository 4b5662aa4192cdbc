//! How many services a proxy knows when nothing limits it.

use mesh::{Kind, Mesh, exported_scopes};

/// From here on it is worth limiting.
pub(super) const MANY: usize = 100;

/// The kinds that [`services`] asks for.
pub(super) const READS: [Kind; 3] = [Kind::Service, Kind::ServiceEntry, Kind::Namespace];

/// The Services and hosts of `ServiceEntries` that every namespace sees: those that the control plane discovers and that
/// are exported to all.
pub(super) fn services(mesh: &Mesh) -> usize {
    let config = mesh.config();
    let is_discovered = |name: &str| mesh.namespace(name).is_none_or(|namespace| config.discovers(namespace));
    let by_default = config.setting(&["defaultServiceExportTo"]).value;
    let is_public = by_default.is_empty() || by_default.texts().any(|scope| scope == "*");
    let services = mesh.each(Kind::Service).filter(|service| {
        let is_exported = match service.annotation("networking.istio.io/exportTo") {
            Some(_) => exported_scopes(service).contains(&"*"),
            None => is_public,
        };
        is_exported && is_discovered(service.namespace())
    });
    let entries = mesh.each(Kind::ServiceEntry).filter(|entry| {
        let mut scopes = entry.spec().field("exportTo").texts().peekable();
        let is_exported = if scopes.peek().is_none() { is_public } else { scopes.any(|scope| scope == "*") };
        is_exported && is_discovered(entry.namespace())
    });
    services.count() + entries.map(|entry| entry.spec().get("hosts").items().count()).sum::<usize>()
}
