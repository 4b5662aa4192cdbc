//! How many worker threads a proxy is to have: `concurrency` of the mesh configuration, of a `ProxyConfig`, or of the pod's
//! annotation, the later ones over the earlier; without any, the CPU limit, else the CPU request, rounded up.
//!
//! See <https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig-concurrency> and
//! <https://istio.io/latest/docs/reference/config/networking/proxy-config/>.

use super::super::pod_usage::ResourceUse;
use super::data::ProxyWorkers;
use mesh::{Kind, Mesh, Object, View, Workload, yaml};

/// The annotation with a pod's own proxy settings.
const ANNOTATION: &str = "proxy.istio.io/config";

pub(super) fn workers(mesh: &Mesh, pod: &Object, running: Option<u64>, cpu: &ResourceUse) -> ProxyWorkers {
    let by_cpu = cpu.limit.or(cpu.request).filter(|millicores| *millicores > 0);
    let (configured, configured_by) = match configured(mesh, pod) {
        Some((value, by)) => (u64::try_from(value).ok(), Some(by)),
        None => (None, None),
    };
    ProxyWorkers { running, configured, configured_by, by_cpu: by_cpu.map(|millicores| millicores.div_ceil(1000)) }
}

fn configured(mesh: &Mesh, pod: &Object) -> Option<(i64, String)> {
    if let Some(text) = pod.annotation(ANNOTATION)
        && let Ok(Some(tree)) = yaml::first_document(text)
        && let Some(value) = number(tree.root().field("concurrency"))
    {
        return Some((value, format!("annotation {ANNOTATION}")));
    }
    let policies = mesh.policies(Kind::ProxyConfig, Workload::of_pod(pod));
    let set = policies.iter().find_map(|policy| Some((number(policy.spec().field("concurrency"))?, policy.origin())));
    set.or_else(|| {
        let setting = mesh.config_of(pod.namespace()).setting(&["defaultConfig", "concurrency"]);
        Some((number(setting.value)?, format!("ConfigMap {}", setting.from.unwrap_or_default())))
    })
}

fn number(value: View<'_>) -> Option<i64> {
    value.integer_if_any().filter(|number| *number >= 0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use mesh::{MeshBuilder, Settings};

    const MESH: &str = r"
apiVersion: v1
kind: Pod
metadata: {name: plain, namespace: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: own, namespace: shop, annotations: {proxy.istio.io/config: 'concurrency: 0'}}
---
apiVersion: v1
kind: Pod
metadata: {name: selected, namespace: shop, labels: {app: web}}
---
apiVersion: networking.istio.io/v1beta1
kind: ProxyConfig
metadata: {name: web, namespace: shop}
spec: {selector: {matchLabels: {app: web}}, concurrency: 4}
";

    #[test]
    fn nearest_setting_counts() {
        let settings = Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) };
        let mut builder = MeshBuilder::new(settings);
        builder.add_files(&[("mesh.yaml", MESH)]);
        let mesh = builder.build();
        let cpu = ResourceUse { request: Some(100), limit: Some(2500), ..ResourceUse::default() };
        let check = |name: &str| {
            let workers = workers(&mesh, mesh.find(Kind::Pod, "shop", name).unwrap(), None, &cpu);
            assert_eq!(workers.by_cpu, Some(3));
            workers.configured
        };
        assert_eq!([check("plain"), check("own"), check("selected")], [None, Some(0), Some(4)]);
    }
}
