//! Finds proxies that are told to use every core of their node.

use std::collections::BTreeSet;

use super::proxy_settings::own;
use crate::{Certainty, Detector, layers};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, OWN_SETTINGS, Object, owner, restart};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "res/concurrency-zero",
        reads: &[Kind::ConfigMap, Kind::ProxyConfig, Kind::Pod],
        reports: &[&RES0001],
        by_default: true,
        run,
    },
};

static RES0001: Code = Code {
    id: "RES0001",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#ProxyConfig-concurrency",
    page: include_str!("pages/RES0001.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut seen = BTreeSet::new();
    for (revision, config) in layers::configs(mesh) {
        let setting = config.setting(&["defaultConfig", "concurrency"]);
        if setting.value.integer_if_any() == Some(0) && seen.insert(setting.from) {
            let text = text("of all proxies");
            let remedy =
                format!("Remove defaultConfig.concurrency from {}. {RESTART}", layers::to_edit(mesh, revision));
            messages.report(layers::about(mesh, &RES0001, &setting, text).remedy(remedy));
        }
    }
    for config in mesh.each(Kind::ProxyConfig) {
        if config.spec().get("concurrency").integer_if_any() == Some(0) {
            messages.report(config_takes_all(config));
        }
    }
    for pod in mesh.proxied_workloads() {
        if pod.annotation(OWN_SETTINGS).is_some() && own(pod).root().get("concurrency").integer_if_any() == Some(0) {
            messages.report(annotation_takes_all(pod));
        }
    }
}

const RESTART: &str = "The number of workers then follows the CPU limit. Restart the workloads afterwards.";

fn text(whose: &str) -> String {
    format!("concurrency {whose} is 0: Envoy runs one worker for each core of the node, whatever its CPU limit is.")
}

fn config_takes_all(config: &Object) -> Message<'_> {
    let remedy = format!("Remove concurrency from ProxyConfig {}. {RESTART}", config.full_name());
    Message::new(&RES0001, config, text("of the selected proxies")).at(Path::spec().key("concurrency")).remedy(remedy)
}

fn annotation_takes_all(pod: &Object) -> Message<'_> {
    let owner = owner(pod);
    let remedy = format!(
        "Remove concurrency from the annotation {OWN_SETTINGS} of the pod template of {} {}, then: {}",
        owner.kind,
        owner.name,
        restart(pod)
    );
    let path = Path::metadata().key("annotations").key(OWN_SETTINGS);
    Message::new(&RES0001, pod, text("of the proxy")).at(path).remedy(remedy)
}
