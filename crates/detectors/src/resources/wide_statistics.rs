//! Finds proxies that keep nearly all of Envoy's statistics.

use std::collections::BTreeSet;

use super::proxy_settings::own;
use crate::{Certainty, Detector, layers};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, OWN_SETTINGS, Object, View, owner, restart};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "res/stats-wide",
        reads: &[Kind::ConfigMap, Kind::Pod],
        reports: &[&RES0006],
        by_default: true,
        run,
    },
};

static RES0006: Code = Code {
    id: "RES0006",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/configuration/telemetry/envoy-stats/",
    page: include_str!("pages/RES0006.md"),
};

/// How a pod asks for statistics, and the field of `proxyStatsMatcher` that means the same.
const ANNOTATIONS: [(&str, &str); 3] = [
    ("sidecar.istio.io/statsInclusionPrefixes", "inclusionPrefixes"),
    ("sidecar.istio.io/statsInclusionSuffixes", "inclusionSuffixes"),
    ("sidecar.istio.io/statsInclusionRegexps", "inclusionRegexps"),
];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    let mut seen = BTreeSet::new();
    for (revision, config) in layers::configs(mesh) {
        let setting = config.setting(&["defaultConfig", "proxyStatsMatcher"]);
        if let Some(wide) = widest(setting.value)
            && seen.insert(setting.from)
        {
            let text = text("All proxies keep", &wide);
            let remedy =
                format!("Narrow defaultConfig.proxyStatsMatcher in {}. {NARROW}", layers::to_edit(mesh, revision));
            messages.report(layers::about(mesh, &RES0006, &setting, text).remedy(remedy));
        }
    }
    let mut workloads = BTreeSet::new();
    for pod in mesh.proxied_workloads() {
        let annotations =
            ANNOTATIONS.into_iter().filter_map(|(name, field)| Some((name, field, pod.annotation(name)?)));
        let mut wide = annotations.filter_map(|(name, field, values)| {
            let value = values.split(',').map(str::trim).find(|value| is_wide(field, value))?;
            Some((name, format!("{field} {value:?}")))
        });
        let of_settings = || {
            let settings = pod.annotation(OWN_SETTINGS).map(|_| own(pod))?;
            Some((OWN_SETTINGS, widest(settings.root().field("proxyStatsMatcher"))?))
        };
        if let Some((annotation, wide)) = wide.next().or_else(of_settings)
            && workloads.insert((pod.namespace(), owner(pod)))
        {
            messages.report(workload_keeps_too_much(pod, annotation, &wide));
        }
    }
}

/// The first entry of a matcher that lets nearly everything in.
fn widest(matcher: View<'_>) -> Option<String> {
    ANNOTATIONS.into_iter().find_map(|(_, field)| {
        let value = matcher.field(field).texts().find(|value| is_wide(field, value))?;
        Some(format!("{field} {value:?}"))
    })
}

/// Whether an entry stands for whole families of statistics: one each for every service or listener.
fn is_wide(field: &str, value: &str) -> bool {
    match field {
        "inclusionRegexps" => {
            matches!(value.trim_start_matches('^').trim_end_matches('$'), "" | ".*" | ".+" | "cluster.*" | "http.*")
        }
        "inclusionPrefixes" => {
            let family = value.trim_end_matches(['.', '_']);
            matches!(family, "" | "cluster" | "cluster.outbound" | "cluster.inbound" | "http" | "listener")
        }
        _ => value.is_empty(),
    }
}

const NARROW: &str = "List the exact names that are looked for, and remove them afterwards. Restart the workloads.";

fn text(who: &str, wide: &str) -> String {
    format!("{who} nearly all of Envoy's statistics ({wide}): memory and each scrape grow with the number of services.")
}

fn workload_keeps_too_much<'m>(pod: &'m Object, annotation: &'static str, wide: &str) -> Message<'m> {
    let owner = owner(pod);
    let text = text(&format!("The proxy of {} {} keeps", owner.kind, owner.name), wide);
    let remedy = format!("Narrow the annotation {annotation} of its pod template. {NARROW} {}", restart(pod));
    Message::new(&RES0006, pod, text).at(Path::metadata().key("annotations").key(annotation)).remedy(remedy)
}
