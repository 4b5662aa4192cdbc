//! Finds settings of the shared `ConfigMap` that the add-on overrides.

use super::maps;
use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "meshcfg/overridden",
        reads: &[Kind::ConfigMap, Kind::Deployment, Kind::MutatingWebhookConfiguration],
        reports: &[&CFG0006],
        by_default: true,
        run,
    },
};

static CFG0006: Code = Code {
    id: "CFG0006",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-meshconfig",
    page: include_str!("pages/CFG0006.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for (control_plane, config) in maps::configs(mesh) {
        let own = maps::own_name(control_plane.revision);
        let Some(map) = maps::shared(mesh, &control_plane).filter(|map| map.name() != own) else { continue };
        let Some(shared) = config.layers.iter().find(|layer| layer.name == map.name()) else { continue };
        for path in paths(shared.config()) {
            let (wanted, setting) = (shared.config().path(&path), config.setting(&path));
            if setting.from == Some(own.as_str()) && setting.value.to_json() != wanted.to_json() {
                messages.report(installation_wins(mesh, map, &path, (wanted, setting.value), &own));
            }
        }
    }
}

/// The settings that a layer decides over as a whole: a layer replaces fields, and within `defaultConfig` and
/// `defaultProviders` their fields. Lists that are united are left out.
fn paths(config: View<'_>) -> Vec<Vec<&str>> {
    let mut paths = Vec::new();
    for (field, value) in config.entries() {
        match field {
            "extensionProviders" | "trustDomainAliases" => {}
            "defaultConfig" | "defaultProviders" => {
                for (inner, value) in value.entries() {
                    match inner {
                        "proxyMetadata" => paths.extend(value.entries().map(|(key, _)| vec![field, inner, key])),
                        "proxyHeaders" => {}
                        _ => paths.push(vec![field, inner]),
                    }
                }
            }
            _ => paths.push(vec![field]),
        }
    }
    paths
}

fn installation_wins<'m>(
    mesh: &Mesh,
    map: &'m Object,
    path: &[&str],
    (wanted, effective): (View<'_>, View<'_>),
    own: &str,
) -> Message<'m> {
    let path = path.join(".");
    let text = format!(
        "{path} is {} here, but ConfigMap {own} sets {}, and the installation wins.",
        wanted.to_json(),
        effective.to_json()
    );
    let remedy = if mesh.is_aks() {
        format!(
            "Remove {path} from ConfigMap {}: the add-on does not let it be changed. Look for a finer setting \
             (Telemetry, Sidecar, DestinationRule, the annotation proxy.istio.io/config).",
            map.name()
        )
    } else {
        format!("Change {path} where the installation is configured (meshConfig), or remove it there.")
    };
    Message::new(&CFG0006, map, text).at(Path::data("mesh")).remedy(remedy)
}
