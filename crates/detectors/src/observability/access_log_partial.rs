//! Finds namespaces with proxies that write no access log, where others do.

use std::collections::BTreeSet;

use super::access_logs::{Logging, READS, by_namespace, switch_on};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer { name: "obs/access-log-partial", reads: READS, reports: &[&OBS0002], by_default: true, run },
};

static OBS0002: Code = Code {
    id: "OBS0002",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-telemetry",
    page: include_str!("pages/OBS0002.md"),
};

/// How many workloads a message names.
const NAMED: usize = 5;
/// The label by which Istio calls a workload, on every pod that it injects into.
const CANONICAL_NAME: &str = "service.istio.io/canonical-name";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let namespaces = by_namespace(mesh);
    if namespaces.values().all(|logging| logging.on == 0) {
        return;
    }
    for (namespace, logging) in namespaces {
        if let Some(first) = logging.off.first() {
            let object = mesh.namespace(namespace).unwrap_or(first);
            messages.report(some_do_not_log(mesh, object, &logging));
        }
    }
}

fn some_do_not_log<'m>(mesh: &Mesh, object: &'m Object, logging: &Logging<'_>) -> Message<'m> {
    // A pod counts as its workload, so that a restart makes no new problem of an old one.
    let workloads: BTreeSet<&str> = logging.off.iter().map(|pod| workload(pod)).collect();
    let names: Vec<&str> = workloads.iter().take(NAMED).copied().collect();
    let more = if workloads.len() > NAMED { ", …" } else { "" };
    let text = format!(
        "By their configuration proxies of {}{more} write no access log, others do: of requests between them only one \
         side is seen.",
        names.join(", "),
    );
    Message::new(&OBS0002, object, text).remedy(switch_on(mesh))
}

fn workload(pod: &Object) -> &str {
    [CANONICAL_NAME, "app"].into_iter().find_map(|label| pod.label(label)).unwrap_or(pod.name())
}
