//! What a proxy is told about itself: by the mesh, by its pod's annotation, and as the injector wrote it down.

use mesh::{Mesh, OWN_SETTINGS, Object, Proxy, Tree, View, yaml};

/// The settings that a pod's annotation has.
pub(super) fn own(pod: &Object) -> Tree {
    let text = pod.annotation(OWN_SETTINGS).unwrap_or_default();
    yaml::first_document(text).ok().flatten().unwrap_or_else(Tree::null)
}

/// How many workers a proxy was told to run; none where it follows its CPU limit. The injector writes the settings that
/// were in force into the container; before that, the annotation goes before the mesh.
pub(super) fn concurrency(mesh: &Mesh, proxy: &Proxy<'_>) -> Option<i64> {
    let of = |settings: View<'_>| settings.get("concurrency").integer_if_any();
    if let Some(written) = proxy.settings() {
        let settings = yaml::first_document(written).ok().flatten();
        return of(settings.unwrap_or_else(Tree::null).root());
    }
    let setting = || mesh.config_of_proxy(proxy).setting(&["defaultConfig", "concurrency"]).value.integer_if_any();
    of(own(proxy.pod).root()).or_else(setting)
}
