//! Finds workloads whose pods are killed before their sidecar has drained its connections.

use crate::wording::template_of;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, schema};
use mesh::{Kind, Mesh, Object, Proxy, View, application_containers};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Hint,
    rule: Analyzer {
        name: "inject/prestart-termination",
        reads: &[Kind::Pod, Kind::ConfigMap, Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Job],
        reports: &[&INJ0114],
        by_default: true,
        run,
    },
};

static INJ0114: Code = Code {
    id: "INJ0114",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig-termination_drain_duration",
    page: include_str!("pages/INJ0114.md"),
};

/// How long a proxy drains where nobody says otherwise.
const DRAIN_MS: i64 = 5_000;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (workload, pods) in mesh.workloads() {
        let proxies = pods.into_iter().filter_map(Proxy::of);
        // Native sidecars are stopped after the application, with what is left of the time.
        let mut regular = proxies.filter(|proxy| !proxy.is_native && proxy.is_sidecar());
        if let Some((grace_s, needed_s)) = regular.find_map(|proxy| shortage(mesh, &proxy)) {
            messages.report(pods_are_killed_early(workload, grace_s, needed_s));
        }
    }
}

/// The time that a pod has to end, and the longer one that it needs.
fn shortage(mesh: &Mesh, proxy: &Proxy<'_>) -> Option<(i64, i64)> {
    let config = mesh.config_of_proxy(proxy);
    // Such a proxy ends when its connections have.
    if config.proxy_metadata.get("EXIT_ON_ZERO_ACTIVE_CONNECTIONS").is_some_and(|value| value == "true") {
        return None;
    }
    let grace_s = proxy.pod.spec().get("terminationGracePeriodSeconds").integer_if_any()?;
    let drain = config.setting(&["defaultConfig", "terminationDrainDuration"]).value.text();
    let drain_ms = schema::milliseconds(drain).unwrap_or(DRAIN_MS);
    // All containers are told to end at once, each after its own hook.
    let hook_s = |container: View<'_>| container.path(&["lifecycle", "preStop", "sleep", "seconds"]).integer();
    let application_s = application_containers(proxy.pod.spec()).map(hook_s).max().unwrap_or_default();
    let needed_s = application_s.max(drain_ms / 1000 + hook_s(proxy.container));
    (grace_s < needed_s).then_some((grace_s, needed_s))
}

fn pods_are_killed_early(workload: &Object, grace_s: i64, needed_s: i64) -> Message<'_> {
    let text = format!(
        "Pods are killed {grace_s} s after they are told to end, but preStop hooks and the draining of the sidecar \
         take {needed_s} s: requests under way are cut off."
    );
    let remedy = format!(
        "Set terminationGracePeriodSeconds to more than {needed_s} in {}, or let the proxy end \
         with its last connection (EXIT_ON_ZERO_ACTIVE_CONNECTIONS: \"true\" in proxyMetadata).",
        template_of(workload)
    );
    Message::new(&INJ0114, workload, text).remedy(remedy)
}
