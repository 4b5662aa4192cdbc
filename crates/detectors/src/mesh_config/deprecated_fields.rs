//! Finds settings of the mesh that will go.

use super::maps::{self, UserMap};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/deprecated",
        reads: &[Kind::ConfigMap, Kind::Deployment, Kind::MutatingWebhookConfiguration],
        reports: &[&CFG0019],
        by_default: true,
        run,
    },
};

static CFG0019: Code = Code {
    id: "CFG0019",
    severity: Severity::Info,
    docs: "https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/",
    page: include_str!("pages/CFG0019.md"),
};

/// The way to a setting that is deprecated or removed, and what takes its place.
const OLD: [(&[&str], &str); 9] = [
    (&["enableTracing"], "a Telemetry with tracing"),
    (&["certificates"], "cert-manager, or a Secret of your own"),
    (&["verifyCertificateAtClient"], "nothing: proxies verify by default"),
    (&["defaultConfig", "tracing"], "extensionProviders, and a Telemetry that names one"),
    (&["defaultConfig", "zipkinAddress"], "extensionProviders with zipkin"),
    (&["defaultConfig", "envoyMetricsServiceAddress"], "defaultConfig.envoyMetricsService"),
    (&["defaultConfig", "discoveryRefreshDelay"], "nothing: it has no effect"),
    (&["defaultConfig", "availabilityZone"], "nothing: it has no effect"),
    (&["defaultConfig", "sds"], "nothing: it has no effect"),
];
const OLD_PROVIDERS: [(&str, &str); 2] =
    [("lightstep", "opentelemetry, which Lightstep receives"), ("opencensus", "opentelemetry")];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for map in maps::of_users(mesh) {
        let config = map.config(mesh);
        let mut found: Vec<String> = OLD
            .into_iter()
            .filter(|(path, _)| config.path(path).is_set())
            .map(|(path, instead)| format!("{} (now: {instead})", path.join(".")))
            .collect();
        for provider in config.field("extensionProviders").items() {
            let old = OLD_PROVIDERS.into_iter().filter(|(kind, _)| provider.get(kind).is_set());
            let name = provider.get("name").text();
            found.extend(old.map(|(kind, instead)| format!("provider {name} of kind {kind} (now: {instead})")));
        }
        if !found.is_empty() {
            messages.report(fields_are_old(&map, &found));
        }
    }
}

fn fields_are_old<'m>(map: &UserMap<'m>, found: &[String]) -> Message<'m> {
    let text = format!("Deprecated settings, which a later revision will not have: {}.", found.join("; "));
    let remedy = format!("Replace them in ConfigMap {} before the next upgrade.", map.map.full_name());
    Message::new(&CFG0019, map.map, text).at(Path::data("mesh")).remedy(remedy)
}
