//! Which proxies write an access log.

use std::collections::BTreeMap;

use mesh::{Kind, Mesh, Object, Workload, is_finished};

/// What [`by_namespace`] asks the mesh for.
pub(super) const READS: &[Kind] = &[Kind::Pod, Kind::Namespace, Kind::Telemetry, Kind::ConfigMap];

/// The pods of a namespace that have a proxy.
#[derive(Default)]
pub(super) struct Logging<'m> {
    pub(super) on: usize,
    pub(super) off: Vec<&'m Object>,
}

pub(super) fn by_namespace(mesh: &Mesh) -> BTreeMap<&str, Logging<'_>> {
    let mut namespaces: BTreeMap<&str, Logging<'_>> = BTreeMap::new();
    for pod in mesh.each(Kind::Pod).filter(|pod| Workload::of_pod(pod).has_proxy() && !is_finished(pod)) {
        let logging = namespaces.entry(pod.namespace()).or_default();
        if mesh.writes_access_log(Workload::of_pod(pod)) {
            logging.on += 1;
        } else {
            logging.off.push(pod);
        }
    }
    namespaces
}

/// A Telemetry for the whole mesh, to be applied as it is.
pub(super) fn switch_on(mesh: &Mesh) -> String {
    format!(
        "Apply a Telemetry in namespace {} with spec: {{accessLogging: [{{providers: [{{name: envoy}}]}}]}}, without a \
         selector.",
        mesh.config().root_namespace
    )
}
