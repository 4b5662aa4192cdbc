//! Finds Telemetries that trace with Lightstep, which Istio has given up.

use super::shared::{IST0002, deprecated};
use super::{Analyzer, Messages};
use mesh::{Kind, Mesh};

pub(super) const ANALYZER: Analyzer = Analyzer {
    name: "telemetry.LightstepAnalyzer",
    reads: &[Kind::Telemetry, Kind::MeshConfig],
    reports: &[&IST0002],
    by_default: true,
    run,
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for telemetry in mesh.each(Kind::Telemetry) {
        let providers = &mesh.config_of(telemetry.namespace()).extension_providers;
        let used = telemetry.spec().get("tracing").items().flat_map(|tracing| tracing.get("providers").items());
        for name in used.map(|provider| provider.get("name").text()) {
            if providers.get(name) == Some(&true) {
                let detail =
                    format!("The Lightstep provider {name} is deprecated, please migrate to OpenTelemetry provider.");
                messages.report(deprecated(telemetry, &detail));
            }
        }
    }
}
