//! Finds Telemetries that set up tracing where nobody names a provider.
//!
//! The same for access logs is IST0157 of `istioctl analyze`.

use super::configs::{of_telemetry, place};
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "obs/telemetry-empty-provider",
        reads: &[Kind::Telemetry, Kind::ConfigMap, Kind::Namespace],
        reports: &[&OBS0007],
        by_default: true,
        run,
    },
};

static OBS0007: Code = Code {
    id: "OBS0007",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/telemetry/#Tracing",
    page: include_str!("pages/OBS0007.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for telemetry in mesh.each(Kind::Telemetry) {
        let mut blocks = telemetry.spec().get("tracing").items();
        let sets_up = blocks.any(|block| !block.field("disableSpanReporting").truth());
        let configs = of_telemetry(mesh, telemetry);
        let has_default = configs.iter().all(|config| !config.default_providers("tracing").is_empty());
        if sets_up && !has_default && !names_provider(telemetry) && !wider(mesh, telemetry).any(names_provider) {
            messages.report(has_no_provider(mesh, telemetry));
        }
    }
}

fn names_provider(telemetry: &Object) -> bool {
    telemetry.spec().get("tracing").items().any(|block| !block.get("providers").is_empty())
}

/// Those that hold for a whole namespace, and under this one: of the mesh, and of its own namespace.
fn wider<'m>(mesh: &'m Mesh, telemetry: &'m Object) -> impl Iterator<Item = &'m Object> {
    let root = mesh.config_of(telemetry.namespace()).root_namespace.as_str();
    let places = [Some(root), Some(telemetry.namespace()).filter(|namespace| *namespace != root)];
    let all = places.into_iter().flatten().flat_map(|place| mesh.in_namespace(Kind::Telemetry, place));
    all.filter(|other| is_for_namespace(other) && other.name() != telemetry.name())
}

fn is_for_namespace(telemetry: &Object) -> bool {
    ["selector", "targetRef", "targetRefs"].into_iter().all(|field| telemetry.spec().field(field).is_empty())
}

fn has_no_provider<'m>(mesh: &Mesh, telemetry: &'m Object) -> Message<'m> {
    let text = "Sets up tracing, but neither it nor a wider Telemetry nor defaultProviders names a provider: tracing \
                is off for its workloads, also where defaultConfig.tracing has an address.";
    let remedy = format!("Name a provider under tracing.providers, or set defaultProviders.tracing {}.", place(mesh));
    Message::new(&OBS0007, telemetry, text).at(Path::spec().key("tracing")).remedy(remedy)
}
