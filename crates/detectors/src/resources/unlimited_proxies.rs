//! Finds sidecars without limits, or with very small ones.

use std::collections::BTreeMap;

use crate::wording::names;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Proxy, owner, quantity};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "res/no-requests",
        reads: &[Kind::Pod, Kind::Namespace],
        reports: &[&RES0010],
        by_default: true,
        run,
    },
};

static RES0010: Code = Code {
    id: "RES0010",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/annotations/#SidecarProxyCPULimit",
    page: include_str!("pages/RES0010.md"),
};

/// Below these a proxy is throttled, or runs out of memory, under little load.
const LEAST_MILLICORES: u64 = 100;
const LEAST_BYTES: u64 = 128 << 20;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut found: BTreeMap<&str, BTreeMap<&str, String>> = BTreeMap::new();
    for pod in mesh.proxied_workloads() {
        if let Some(why) = Proxy::of(pod).and_then(|proxy| why_notable(&proxy)) {
            found.entry(pod.namespace()).or_default().insert(owner(pod).name, why);
        }
    }
    for (name, workloads) in found {
        if let Some(namespace) = mesh.namespace(name) {
            messages.report(limits_are_unusual(namespace, &workloads));
        }
    }
}

fn why_notable(proxy: &Proxy<'_>) -> Option<String> {
    let limits = proxy.container.path(&["resources", "limits"]);
    let (cpu, memory) = (limits.get("cpu").written(), limits.get("memory").written());
    if cpu.is_empty() && memory.is_empty() {
        return Some("no limits".to_owned());
    }
    let is_small = |amount: Option<u64>, least: u64| amount.is_some_and(|amount| amount < least);
    if is_small(quantity::millicores(cpu), LEAST_MILLICORES) {
        return Some(format!("CPU limit {cpu}"));
    }
    is_small(quantity::bytes(memory), LEAST_BYTES).then(|| format!("memory limit {memory}"))
}

fn limits_are_unusual<'m>(namespace: &'m Object, workloads: &BTreeMap<&str, String>) -> Message<'m> {
    let listed: Vec<String> = workloads.iter().map(|(name, why)| format!("{name} ({why})")).collect();
    let text = format!(
        "Proxies without limits can starve their node, and with tiny ones they are throttled or killed: {}.",
        names(&listed)
    );
    let remedy = "Set the annotations sidecar.istio.io/proxyCPULimit: \"2\" and sidecar.istio.io/proxyMemoryLimit: 1Gi (and proxyCPU, \
                  proxyMemory for the requests) in the pod templates.";
    Message::new(&RES0010, namespace, text).remedy(remedy)
}
