//! Finds clusters whose managed Prometheus does not collect the proxies' metrics.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages};
use mesh::{Kind, Mesh, Object, Workload};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "obs/no-metrics",
        reads: &[Kind::Deployment, Kind::ConfigMap, Kind::Pod],
        reports: &[&OBS0011],
        by_default: true,
        run,
    },
};

static OBS0011: Code = Code {
    id: "OBS0011",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-metrics-managed-prometheus",
    page: include_str!("pages/OBS0011.md"),
};

const NAMESPACE: &str = "kube-system";
/// Jobs of our own, and the settings of the jobs that are there already.
const JOBS: &str = "ama-metrics-prometheus-config";
const SETTINGS: &str = "ama-metrics-settings-configmap";

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let Some(collector) = mesh.find(Kind::Deployment, NAMESPACE, "ama-metrics") else { return };
    let has_proxies = mesh.each(Kind::Pod).any(|pod| Workload::of_pod(pod).has_proxy());
    if has_proxies && !follows_annotations(mesh) {
        let jobs = mesh.find(Kind::ConfigMap, NAMESPACE, JOBS);
        messages.report(nothing_collects(collector, jobs));
    }
}

/// Whether a job collects from pods with the annotations `prometheus.io/…`, as pods with a proxy have them
/// (<https://istio.io/latest/docs/ops/integrations/prometheus/>).
fn follows_annotations(mesh: &Mesh) -> bool {
    let text = |name: &str, key: &str| {
        mesh.find(Kind::ConfigMap, NAMESPACE, name).map_or("", |map| map.root().get("data").get(key).text())
    };
    let by_setting = text(SETTINGS, "pod-annotation-based-scraping").lines().any(|line| {
        let value =
            line.trim().strip_prefix("podannotationnamespaceregex").map(|rest| rest.trim_start_matches([' ', '=']));
        value.is_some_and(|value| !value.trim_matches(['"', '\'', ' ']).is_empty())
    });
    by_setting || text(JOBS, "prometheus-config").contains("prometheus_io_")
}

fn nothing_collects<'m>(collector: &'m Object, jobs: Option<&'m Object>) -> Message<'m> {
    let (object, why) = match jobs {
        None => (collector, format!("there is no ConfigMap {NAMESPACE}/{JOBS}")),
        Some(map) if map.root().get("data").get("prometheus-config").text().is_empty() => {
            (map, "it has no key prometheus-config".to_owned())
        }
        Some(map) => (map, "none of its jobs looks at the annotations prometheus.io/… of pods".to_owned()),
    };
    let text = format!(
        "Managed Prometheus collects no metrics of proxies: {why}, and {SETTINGS} does not switch on collecting by \
         annotations. A PodMonitor may do it instead."
    );
    let remedy = format!(
        "Write a job that follows the annotations prometheus.io/scrape, path and port: `kubectl create configmap \
         {JOBS} --from-file=prometheus-config -n {NAMESPACE}`."
    );
    Message::new(&OBS0011, object, text).remedy(remedy)
}
