//! Finds proxies with more workers than their CPU limit lets run.

use std::collections::BTreeSet;

use super::proxy_settings::concurrency;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Proxy, owner, quantity, restart};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "res/concurrency-high",
        reads: &[Kind::Pod, Kind::ConfigMap],
        reports: &[&RES0002],
        by_default: true,
        run,
    },
};

static RES0002: Code = Code {
    id: "RES0002",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-meshconfig",
    page: include_str!("pages/RES0002.md"),
};

/// More workers than this want a good reason.
const MANY: u64 = 8;

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut seen = BTreeSet::new();
    for pod in mesh.proxied_workloads() {
        let Some(proxy) = Proxy::of(pod) else { continue };
        let Some(workers) = concurrency(mesh, &proxy).and_then(|workers| u64::try_from(workers).ok()) else { continue };
        let limit = quantity::millicores(proxy.container.path(&["resources", "limits"]).get("cpu").written());
        let is_far_above = limit.is_some_and(|limit| workers > limit.div_ceil(1000) + 1);
        if (is_far_above || workers > MANY) && seen.insert((pod.namespace(), owner(pod))) {
            messages.report(workers_wait_for_each_other(pod, workers, limit));
        }
    }
}

fn workers_wait_for_each_other(pod: &Object, workers: u64, limit: Option<u64>) -> Message<'_> {
    let owner = owner(pod);
    let limit = limit.map_or_else(|| "no CPU limit".to_owned(), |limit| format!("a CPU limit of {limit}m"));
    let text = format!(
        "The proxy of {} {} runs {workers} workers with {limit}: they are throttled, and each has memory of its own.",
        owner.kind, owner.name
    );
    let remedy = format!(
        "Remove concurrency from the mesh configuration, or from the annotation proxy.istio.io/config of the pod template: the \
         number then follows the CPU limit. Then: {}",
        restart(pod)
    );
    Message::new(&RES0002, pod, text).remedy(remedy)
}
